"""The Data API as a source: slow and cached, but independent; it proves that the chain's logs missed nothing."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.common.ports.clock import Clock
from services.common.ports.venue import Activity, VenueUnavailable
from services.monitor.roster import Roster
from services.monitor.watch import Watch


class ActivitySource:
    """Polls every leader's trades with an overlap: pages end, rows arrive late, one cached URL is minutes old (venue.md 1.4).

    What it finds goes by the name of `source`.
    """

    def __init__(
        self,
        activity: Activity,
        roster: Roster,
        watch: Watch,
        clock: Clock,
        *,
        overlap: timedelta,
        source: str = "activity",
    ) -> None:
        self._activity = activity
        self._roster = roster
        self._watch = watch
        self._clock = clock
        self._overlap = overlap
        self._source = source
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
        for hint in await self._activity.trades(leader, self._from(leader, now)):
            if not self._watch.knows(hint.tx_hash):
                self._watch.offer(replace(hint, source=self._source))
        self._since[leader] = now

    def _from(self, leader: str, now: datetime) -> datetime:
        # What he did before anybody followed him concerns nobody.
        followed = min((follow.created_at for follow in self._roster.follows(leader)), default=now)
        return max(self._since.get(leader, now) - self._overlap, followed)
