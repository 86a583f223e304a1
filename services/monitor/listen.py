"""Keeping live sources alive: restarted when they fail, and whenever the leaders change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog
from prometheus_client import Gauge

from services.common.ports.clock import Clock
from services.monitor.roster import Roster

AWAY = Gauge("polycopy_monitor_source_away", "1 while a live source has failed and is not heard again", ["source"])
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0

log = structlog.get_logger()

Follow = Callable[[Sequence[str]], Awaitable[None]]


class Listening:
    """One live source over the roster's leaders."""

    def __init__(self, name: str, follow: Follow, roster: Roster, clock: Clock) -> None:
        self._name = name
        self._follow = follow
        self._roster = roster
        self._clock = clock

    async def forever(self, check: timedelta) -> None:
        """Listen until cancelled; pauses grow from half a second to ten seconds while the source keeps failing."""
        pause = FIRST_PAUSE_S
        while True:
            began = self._clock.monotonic()
            lost = await self._once(check)
            if not lost or self._clock.monotonic() - began > LONGEST_PAUSE_S:
                pause = FIRST_PAUSE_S
            await self._clock.sleep(timedelta(seconds=pause))
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _once(self, check: timedelta) -> bool:
        """Listen for the leaders of now; True when the source ended by itself."""
        leaders = self._roster.leaders
        if not leaders:
            return False
        listening = asyncio.ensure_future(self._follow(leaders))
        try:
            while not listening.done() and self._roster.leaders == leaders:
                await asyncio.wait({listening}, timeout=check.total_seconds())
                AWAY.labels(self._name).set(listening.done())
        finally:
            lost = listening.done()
            listening.cancel()
            failed = (await asyncio.gather(listening, return_exceptions=True))[0]
        if isinstance(failed, Exception):
            log.warning("source_lost", source=self._name, error=type(failed).__name__, text=str(failed))
        return lost
