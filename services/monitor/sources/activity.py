"""The Data API as a source: slow and cached, but independent; it proves that the chain's logs missed nothing."""

from datetime import datetime, timedelta

from prometheus_client import Counter

from services.common.ports.clock import Clock
from services.common.ports.venue import Activity, VenueUnavailable
from services.monitor.roster import Roster
from services.monitor.watch import Watch

ONLY_HERE = Counter(
    "polycopy_monitor_found_by_activity_total", "Transactions that the Data API named before any other source"
)


class ActivitySource:
    """Polls every leader's trades with an overlap: pages end, rows arrive late, one cached URL is minutes old (venue.md 1.4)."""

    def __init__(self, activity: Activity, roster: Roster, watch: Watch, clock: Clock, *, overlap: timedelta) -> None:
        self._activity = activity
        self._roster = roster
        self._watch = watch
        self._clock = clock
        self._overlap = overlap
        self._since: dict[str, datetime] = {}

    async def poll(self) -> None:
        """Read every leader once. Raises `VenueUnavailable` afterwards: one leader that cannot be read holds up no other."""
        failures: list[VenueUnavailable] = []
        for leader in self._roster.leaders:
            try:
                await self._read(leader)
            except VenueUnavailable as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _read(self, leader: str) -> None:
        now = self._clock.now()
        for hint in await self._activity.trades(leader, self._since.get(leader, now) - self._overlap):
            if not self._watch.knows(hint.tx_hash):
                ONLY_HERE.inc()
                self._watch.offer(hint)
        self._since[leader] = now
