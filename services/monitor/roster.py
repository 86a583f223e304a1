"""Who is watched, for whom: a fresh copy of the follows, read from the store every few seconds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

from services.common.domain.follow import Follow, FollowState
from services.common.ports.accounts import Leader
from services.common.ports.chain import Chain
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores

BLOCKS_PER_S = 2
"""More than any chain of the venue makes."""
MOST_BACK = timedelta(hours=1)
"""What is older is read from the Data API, every hour."""


class Roster:
    """Follows by leader. A leader that is new starts where he was first followed: what he did before is not copied."""

    def __init__(self, stores: Stores, chain: Chain, clock: Clock) -> None:
        self._stores = stores
        self._chain = chain
        self._clock = clock
        self._follows: Mapping[str, tuple[Follow, ...]] = {}
        self._version = 0
        self._skew = timedelta(0)

    @property
    def version(self) -> int:
        """Advances whenever someone follows anew, or no longer: what was handled before may concern another account since."""
        return self._version

    @property
    def leaders(self) -> tuple[str, ...]:
        """Every watched address, lower-case, in order."""
        return tuple(sorted(self._follows))

    def follows(self, leader: str) -> tuple[Follow, ...]:
        """The follows of one leader."""
        return self._follows.get(leader, ())

    def now(self) -> datetime:
        """The database's clock, as it was when the follows were read: what engines hold copies against."""
        return self._clock.now() - self._skew

    async def refresh(self) -> bool:
        """Read the follows again; True when the leaders have changed. Raises what the store or the chain raises."""
        await self._set_clock()
        found: dict[str, list[Follow]] = defaultdict(list)
        for follow in await self._stores.follows.all():
            if follow.state is not FollowState.CLOSED:
                found[follow.leader].append(follow)
        for leader in found.keys() - self._follows.keys():
            await self._start(leader, min(follow.created_at for follow in found[leader]))
        changed = found.keys() != self._follows.keys()
        if _who(found) != _who(self._follows):
            self._version += 1
        self._follows = {leader: tuple(follows) for leader, follows in found.items()}
        return changed

    async def _set_clock(self) -> None:
        before = self._clock.now()
        theirs = await self._stores.now()
        self._skew = before + (self._clock.now() - before) / 2 - theirs

    async def _start(self, leader: str, since: datetime) -> None:
        if await self._stores.leaders.get(leader) is None:
            head = await self._chain.head()
            # The follow may have been there long before anybody could read the chain.
            missed = min(max(head.at - since, timedelta(0)), MOST_BACK)
            first = head.number - ceil(missed.total_seconds() * BLOCKS_PER_S)
            await self._stores.leaders.start(Leader(leader, max(first, 0), self._clock.now() - missed))


def _who(follows: Mapping[str, Sequence[Follow]]) -> set[tuple[str, FollowState]]:
    return {(follow.follow_id, follow.state) for group in follows.values() for follow in group}
