"""Counts the tokens that this process refuses, and writes the counts away now and then. No refusal waits for that, or fails by it."""

import asyncio
from datetime import timedelta

import structlog

from services.common.domain.refused_tokens import Refusal, by_day, together
from services.common.ports.clock import Clock
from services.common.ports.people import RefusedTokens
from services.common.ports.stores import StoreUnavailable

log = structlog.get_logger()

WITHIN = timedelta(seconds=30)


class Refusals:
    """One process's. What is not written yet is lost with the process: at most what it refused within the last `within`."""

    def __init__(self, days: RefusedTokens, clock: Clock, within: timedelta = WITHIN) -> None:
        self._days = days
        self._clock = clock
        self._within = within
        self._waiting: tuple[Refusal, ...] = ()
        self._writing: asyncio.Task[None] | None = None

    def note(self, reason: str, subject: str) -> None:
        """One more; to be written soon."""
        now = self._clock.now()
        self._waiting = together(self._waiting, [Refusal(reason, subject, 1, now, now)])
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._written())
            self._writing.add_done_callback(self._over)

    async def _written(self) -> None:
        while self._waiting:
            await self._clock.sleep(self._within)
            taken, self._waiting = self._waiting, ()
            for day, refusals in by_day(taken).items():
                try:
                    await self._days.note(day, refusals, self._clock.now())
                except StoreUnavailable as error:
                    log.warning("refusals_not_stored", day=day, text=str(error)[:200])
                    self._waiting = together(self._waiting, refusals)

    def _over(self, done: "asyncio.Task[None]") -> None:
        self._writing = None
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("refusals_not_stored", error=type(error).__name__)
