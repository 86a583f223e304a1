"""Telling engines at once that there is work: an in-process ring, because the collection itself is the record."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator

from services.common.domain.copy import Copy

KEPT = 1_000


class Announcements:
    """The newest stored copies, numbered; listeners wait for the next, or resume from a number that is still kept."""

    def __init__(self, epoch: str | None = None) -> None:
        self._epoch = epoch or secrets.token_hex(4)  # chance: a name, nothing is decided by it
        self._ring: deque[tuple[int, Copy]] = deque(maxlen=KEPT)
        self._last = 0
        self._wakes: set[asyncio.Event] = set()

    def announce(self, copy: Copy) -> None:
        """Number a copy and wake every listener."""
        self._last += 1
        self._ring.append((self._last, copy))
        for wake in self._wakes:
            wake.set()

    async def listen(self, token: str, stop: asyncio.Event) -> AsyncIterator[tuple[str, Copy]]:
        """Copies announced after `token` (`epoch:number`; anything else starts now), until `stop`."""
        after = self._number(token)
        wake = asyncio.Event()
        self._wakes.add(wake)
        try:
            while not stop.is_set():
                wake.clear()
                for number, copy in [item for item in self._ring if item[0] > after]:
                    after = number
                    yield f"{self._epoch}:{number}", copy
                await _either(wake, stop)
        finally:
            self._wakes.discard(wake)

    def _number(self, token: str) -> int:
        epoch, _, number = token.partition(":")
        return int(number) if epoch == self._epoch and number.isdecimal() else self._last


async def _either(wake: asyncio.Event, stop: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(wake.wait()), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
