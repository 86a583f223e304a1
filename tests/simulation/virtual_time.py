"""An event loop whose time jumps to the next timer as soon as nothing is left to do: hours pass in moments, always in the same order."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from tests.builders import NOON

T = TypeVar("T")


class NothingLeft(Exception):
    """Every task waits for something that will never come."""


class _Jumping(selectors.SelectSelector):
    """Waits for no file: where the loop would wait, its time moves on."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise NothingLeft
        self.passed_s += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time begins at zero."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed_s


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end on a loop of its own; whatever is still under way then is dropped."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        _drop(loop)
        loop.close()


def _drop(loop: VirtualLoop) -> None:
    for _ in range(5):
        left = asyncio.all_tasks(loop)
        if not left:
            return
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


class SimClock:
    """`Clock` on the running loop's time, from noon on; salts come from `random`."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def salt(self) -> int:
        return self._random.getrandbits(53)

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())
