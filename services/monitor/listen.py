"""Keeping live sources alive: restarted when they fail, and whenever the leaders change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog

from services.common.ports.clock import Clock
from services.monitor.roster import Roster
from services.monitor.watch import Watch

log = structlog.get_logger()

Follow = Callable[[Sequence[str]], Awaitable[None]]


class Listening:
    """One live source over the roster's leaders."""

    def __init__(self, name: str, follow: Follow, roster: Roster, watch: Watch, clock: Clock) -> None:
        self._name = name
        self._follow = follow
        self._roster = roster
        self._watch = watch
        self._clock = clock

    async def forever(self, check: timedelta) -> None:
        """Listen until cancelled; pauses grow from a quarter of a second to ten seconds while the source keeps failing."""
        pause = 0.25
        while True:
            began = self._clock.monotonic()
            await self._once(check)
            pause = 0.25 if self._clock.monotonic() - began > 10 else min(pause * 2, 10.0)
            await self._clock.sleep(timedelta(seconds=pause))

    async def _once(self, check: timedelta) -> None:
        leaders = self._roster.leaders
        if not leaders:
            return
        listening = asyncio.ensure_future(self._follow(leaders))
        try:
            while not listening.done() and self._roster.leaders == leaders:
                await asyncio.wait({listening}, timeout=check.total_seconds())
        finally:
            listening.cancel()
            failed = (await asyncio.gather(listening, return_exceptions=True))[0]
        if isinstance(failed, Exception):
            log.warning("source_lost", source=self._name, error=type(failed).__name__, text=str(failed))
        if self._roster.leaders != leaders:
            self._watch.forget()
