"""The official client in its sync or its async form, asked by name: one script drives both."""

import asyncio
import inspect
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from tests.venue_owner import Owner

FORMS = ("sync", "async")


class Asked:
    """One client: pages are read to their end, a transaction is waited for by `done`."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def __call__(self, name: str, *what: Any, **wish: Any) -> Any:
        method = getattr(self.client, name)
        if inspect.iscoroutinefunction(method):
            return await method(*what, **wish)
        answer = await asyncio.to_thread(lambda: method(*what, **wish))
        if hasattr(answer, "iter_items"):
            return await self._whole(answer)
        return answer

    async def done(self, name: str, **wish: Any) -> str:
        """The hash of a transaction that is mined."""
        handle = await self(name, **wish)
        wait = handle.wait
        outcome = await wait() if inspect.iscoroutinefunction(wait) else await asyncio.to_thread(wait)
        return outcome.transaction_hash

    async def _whole(self, pages: Any) -> list[Any]:
        items = pages.iter_items()
        if hasattr(items, "__aiter__"):
            return [item async for item in items]
        return await asyncio.to_thread(lambda: list(items))


@asynccontextmanager
async def asked(owner: Owner, form: str, **options: Any) -> AsyncGenerator[Asked]:
    """An owner's secure client in one of the two forms."""
    if form == "async":
        async with owner.async_client(**options) as client:
            yield Asked(client)
        return
    opened = await asyncio.to_thread(lambda: owner.open(**options))
    try:
        yield Asked(opened)
    finally:
        await asyncio.to_thread(opened.close)
