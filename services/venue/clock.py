"""What time it is at the venue and how it passes: as on the machine, or virtual, where time runs and jumps as it is told."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

# How often a task that was woken may hand on to others before time goes on.
TURNS = 12


class Clock:
    """The machine's time, `off_ms` ahead of it. Everything that tells time or waits at the venue asks the clock that it was given."""

    def __init__(self) -> None:
        self.off_ms = 0
        self.jumps = False

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000 + self.off_ms

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[Any]:
        """As `asyncio.timeout`, by this clock."""
        return asyncio.timeout(seconds)

    @contextmanager
    def held(self) -> Generator[None]:
        """Virtual time stands while this is open: what goes on inside takes the machine's time, and none of the venue's."""
        yield

    async def run(self) -> None:
        """Keep time going until cancelled: the machine's goes by itself."""
        await asyncio.Event().wait()


class VirtualClock(Clock):
    """Begins at `start_ms`, runs `speed` times as fast as the machine's while `run` does, and jumps by `advance`.

    Whoever sleeps is woken in the order of his time, at that very millisecond, and has had his turn before time goes on.
    """

    def __init__(self, start_ms: int, speed: float = 1.0) -> None:
        super().__init__()
        self._now_ms = float(start_ms)
        self._speed = speed
        self._seen = time.monotonic()
        self._sleepers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._holders = 0
        self._released = asyncio.Event()
        self._changed = asyncio.Event()
        self._moving = asyncio.Lock()
        self._landed: list[Callable[[], None]] = []

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._flow()
        self._speed = speed
        self._changed.set()

    def now_ms(self) -> int:
        self._flow()
        return int(self._now_ms) + self.off_ms

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        with self._calling(seconds, woken.set):
            await woken.wait()

    @asynccontextmanager
    async def _limit(self, seconds: float) -> AsyncGenerator[None]:
        async with asyncio.timeout(None) as limit:
            with self._calling(seconds, lambda: limit.reschedule(0)):
                yield

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[Any]:
        return self._limit(seconds)

    @contextmanager
    def held(self) -> Generator[None]:
        self._flow()
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._seen = time.monotonic()
                self._released.set()

    async def advance(self, ms: int) -> None:
        """Jump ahead; returns when everybody whose time has come on the way has had his turn."""
        async with self._moving:
            self._flow()
            target, self.jumps = self._now_ms + ms, True
            try:
                while self._sleepers and self._sleepers[0][0] <= target:
                    await self._wake_next()
            finally:
                self.jumps = False
            self._now_ms = max(self._now_ms, target)
            self._seen = time.monotonic()
        for landed in self._landed:
            landed()

    def when_landed(self, call: Callable[[], None]) -> None:
        """Call this at the end of every jump."""
        self._landed.append(call)

    async def run(self) -> None:
        while True:
            self._changed.clear()
            await self._until_released()
            self._flow()
            async with self._moving:
                while self._sleepers and self._sleepers[0][0] <= self._now_ms:
                    await self._wake_next()
            await self._until_next()

    async def _until_next(self) -> None:
        runs = self._speed > 0 and self._sleepers
        wait_s = max(0.0, self._sleepers[0][0] - self._now_ms) / 1_000 / self._speed if runs else None
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _wake_next(self) -> None:
        due, _, wake = heapq.heappop(self._sleepers)
        self._now_ms = max(self._now_ms, due)
        wake()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        await self._until_released()
        self._seen = time.monotonic()

    async def _until_released(self) -> None:
        while self._holders:
            self._released.clear()
            await self._released.wait()

    def _flow(self) -> None:
        """Let the time pass that the machine has seen since; it never passes somebody who sleeps."""
        seen = time.monotonic()
        passed = 0.0 if self._holders or self._moving.locked() else (seen - self._seen) * 1_000 * self._speed
        self._seen = seen
        until = max(self._now_ms, self._sleepers[0][0]) if self._sleepers else float("inf")
        self._now_ms = min(self._now_ms + passed, until)

    @contextmanager
    def _calling(self, seconds: float, wake: Callable[[], None]) -> Generator[None]:
        """Call `wake` once when so much time has passed, unless this is left before."""
        self._flow()
        entry = (self._now_ms + max(0.0, seconds) * 1_000, next(self._numbers), wake)
        heapq.heappush(self._sleepers, entry)
        self._changed.set()
        try:
            yield
        finally:
            # Woken ones are gone already; among the others this one stands alone by its number.
            if entry in self._sleepers:
                self._sleepers.remove(entry)
                heapq.heapify(self._sleepers)
