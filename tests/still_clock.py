"""Time that only tests move, and everything that happens meanwhile."""

import asyncio
import heapq
from datetime import datetime, timedelta
from itertools import count

from tests.builders import NOON


class TestClock:
    """Time that stands still until a test moves it."""

    __test__ = False

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = count()
        self._salt = count(1)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def salt(self) -> int:
        return next(self._salt)

    async def sleep(self, duration: timedelta) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + duration.total_seconds(), next(self._count), future))
        await future

    def jump(self, seconds: float) -> None:
        """Move time without waking anyone: a frozen process."""
        self._elapsed += seconds

    async def run(self, seconds: float) -> None:
        """Let everything happen that happens within so many seconds."""
        until = self._elapsed + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, future = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, due)
            if not future.done():
                future.set_result(None)
                await settle()
        self._elapsed = max(self._elapsed, until)
        await settle()


async def settle(turns: int = 150) -> None:
    """Let every task go as far as it can without time passing."""
    for _ in range(turns):
        await asyncio.sleep(0)
