"""Virtual time: an event loop that jumps to the next timer as soon as nothing else is left to do, and the clock over it."""

import asyncio
import selectors
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

POLL_EVERY = 64
"""While there is work, sockets and signals are looked at in every so manieth pass only."""

RESOLUTION_S = 1e-6


class Stalled(RuntimeError):
    """Every task waits for something that no timer will bring."""


class _JumpingSelector(selectors.BaseSelector):
    """Never waits: where the loop would sleep, its time moves instead."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self._passes = 0
        self._inner = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        busy = timeout is not None and timeout <= 0
        self._passes += 1
        if busy and self._passes % POLL_EVERY:
            return []
        ready = self._inner.select(0)
        if ready or busy:
            return ready
        if timeout is None:
            raise Stalled("nothing is left that could happen")
        self.elapsed += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """All of asyncio's waiting, timeouts included, takes virtual time; the order of events depends on nothing else."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        # A timer is due within asyncio's own resolution, a nanosecond, which a float loses after a hundred days: none would ever be.
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        return self._jumping.elapsed


class VirtualClock:
    """`Clock` over a `VirtualLoop` that starts at `start`; its salts count up from one."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._read = 0, start
        self._salt = count(1)

    def now(self) -> datetime:
        # Whole milliseconds, as the machine's clock.
        elapsed_ms = round(self.monotonic() * 1000)
        if elapsed_ms != self._read[0]:
            self._read = elapsed_ms, self._start + timedelta(milliseconds=elapsed_ms)
        return self._read[1]

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())

    async def sleep_until(self, at: datetime) -> None:
        """Return at `at`, or at once where it has passed."""
        left = at - self.now()
        if left > timedelta(0):
            await self.sleep(left)

    def salt(self) -> int:
        return next(self._salt)
