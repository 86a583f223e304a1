"""A stream lasts no longer than the right to it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.common.rpc.errors import Unauthenticated

LOOK_S = 4.0


@asynccontextmanager
async def while_good(still_good: Callable[[], Awaitable[bool]]) -> AsyncGenerator[None]:
    """Run the block until it ends or the right to it does, which raises `Unauthenticated`."""
    scope = asyncio.timeout(None)
    try:
        async with scope:
            watcher = asyncio.create_task(_until_over(still_good, scope))
            try:
                yield
            finally:
                watcher.cancel()
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise Unauthenticated from error


async def _until_over(still_good: Callable[[], Awaitable[bool]], scope: asyncio.Timeout) -> None:
    now = asyncio.get_running_loop().time  # clock: when to look again, nothing is decided by it
    while True:
        await asyncio.sleep(LOOK_S)  # clock: as above
        if not await still_good():
            return scope.reschedule(now())
