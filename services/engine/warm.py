"""A fact that is read ahead of its use, so that a decision seldom waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Generic, TypeVar

from services.common.ports.clock import Clock

T = TypeVar("T")

SOON_S = 0.5
"""How long a reading that failed in part is kept at first; twice as long after each further one."""


def whole(_: object) -> bool:
    """Nothing is missing of what was read."""
    return True


class Warm(Generic[T]):
    """The last reading of a fact. Whoever asks for one that is older than `keep` waits for a new one; for one that is not `complete`, from
    half a second on."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], keep: timedelta, clock: Clock, complete: Callable[[T], bool] = whole
    ) -> None:
        self._read = read
        self._complete = complete
        self._incomplete = 0
        self._keep = keep.total_seconds()
        self._clock = clock
        self._line = asyncio.Lock()
        self._known: tuple[float, T] | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether `get` would not have to read."""
        return self._known is not None and self._clock.monotonic() - self._known[0] <= self._lasts

    @property
    def _lasts(self) -> float:
        return min(self._keep, SOON_S * 2 ** (self._incomplete - 1)) if self._incomplete else self._keep

    async def get(self) -> T:
        """The fact; raises what reading it raises."""
        if self._known is not None and self.is_fresh:
            return self._known[1]
        return await self.refresh()

    async def refresh(self) -> T:
        """Read it now. Those who ask at the same time share one reading."""
        asked = self._clock.monotonic()
        async with self._line:
            if self._known is None or self._known[0] < asked:
                self._known = (self._clock.monotonic(), await self._read())
                self._incomplete = 0 if self._complete(self._known[1]) else min(self._incomplete + 1, 16)
            return self._known[1]

    def forget(self) -> None:
        """The next one who asks reads anew."""
        self._known = None


async def read_together(*facts: Warm[Any]) -> None:
    """Read those of the facts that are too old, all at once; costs nothing where none is. Raises what reading raises."""
    old = [fact for fact in facts if not fact.is_fresh]
    if old:
        await asyncio.gather(*(fact.get() for fact in old))
