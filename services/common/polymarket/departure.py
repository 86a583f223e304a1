"""Until when a request may begin to leave this host, and whether it has."""

import asyncio
from types import TracebackType
from typing import Any

from services.common.ports.clock import Clock

# What the HTTP client tells of before it writes a request: the connection, and what opens every HTTP/2 one.
ARRANGES = ("connection.", "http2.send_connection_init.")


class Missed(Exception):
    """The time was over before any byte of the request left."""


class Departure:
    """Bounds all that comes before the bytes of one request (a place in the pool, a name, a connection, TLS) by one instant of the
    monotonic clock, and from when they leave the answer by `answer_s`. Raises `Missed` where nothing left in time, else `TimeoutError`.
    """

    def __init__(self, clock: Clock, leave_by: float, answer_s: float) -> None:
        self._clock = clock
        self._leave_by = leave_by
        self._answer_s = answer_s
        self._bound = asyncio.timeout(leave_by - clock.monotonic())
        self._has_left = False

    async def __aenter__(self) -> None:
        await self._bound.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._bound.__aexit__(kind, error, trace)
        except TimeoutError as over:
            if self._has_left:
                raise
            raise Missed from over

    async def trace(self, event: str, info: Any) -> None:
        """For the client's extension of this name, which is told of each step before it is made; the request ends where this raises."""
        if self._has_left or event.startswith(ARRANGES):
            return
        # A process that was frozen until now is late although no timer has run out.
        if self._clock.monotonic() > self._leave_by:
            raise Missed
        self._has_left = True
        answered_by = asyncio.get_running_loop().time() + self._answer_s  # clock: the timer's own
        self._bound.reschedule(answered_by)
