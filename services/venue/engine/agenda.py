"""What the engine has to do at a certain time: decide on delayed orders, start games, change its mode."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count

from services.venue.clock import Clock

Work = Callable[[], None]


class Agenda:
    """Does each piece of work when its time has come, in the order of those times."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._coming: list[tuple[int, int, Work]] = []
        self._numbers = count()
        self._sooner = asyncio.Event()

    def at(self, due_ms: int, work: Work) -> None:
        """Do it at that time, in milliseconds since 1970."""
        heappush(self._coming, (due_ms, next(self._numbers), work))
        self._sooner.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._sooner.clear()
            if not self._coming:
                await self._sooner.wait()
            elif (left_ms := self._coming[0][0] - self._clock.now_ms()) > 0:
                with suppress(TimeoutError):
                    async with self._clock.timeout(left_ms / 1_000):
                        await self._sooner.wait()
            else:
                heappop(self._coming)[2]()
