"""Waiting for several parts at once, and for one of them to be well."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from services.cli.child import Child

STARTING_S = 60.0
LOOK_S = 0.05


async def until_well(well: Callable[[], Awaitable[bool]], child: Child) -> None:
    """Look again and again. Raises `ChildDied` and `ChildSilent`."""
    try:
        async with asyncio.timeout(STARTING_S):
            while not await well():
                child.check()
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise child.silent(STARTING_S) from None


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Do all of it at once; when one part fails, the others have ended before the failure is told."""
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
