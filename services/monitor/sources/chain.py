"""The chain as a source: a log subscription for speed, a sweep over block ranges for completeness and the cursor."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from prometheus_client import Gauge

from services.common.crashpoints import crashpoint
from services.common.ports.accounts import Leader
from services.common.ports.chain import Chain, Sighting
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.ports.venue import Hint
from services.monitor.roster import Roster
from services.monitor.watch import Seen, Watch

CURSOR = Gauge("polycopy_monitor_cursor_block", "Every trade up to this block has its copies")
WIDEST_SWEEP = 2_000


def hint(sighting: Sighting, clock: Clock, source: str) -> Hint:
    """What a log says: look at this transaction."""
    return Hint(sighting.tx_hash, sighting.wallet, source, clock.now(), sighting.block_at)


class ChainSource:
    """Follows the logs by which something leaves a leader: fills of his orders, and transfers of outcome tokens."""

    def __init__(
        self, chain: Chain, stores: Stores, roster: Roster, watch: Watch, clock: Clock, *, overlap_blocks: int
    ) -> None:
        self._chain = chain
        self._stores = stores
        self._roster = roster
        self._watch = watch
        self._clock = clock
        self._overlap = overlap_blocks

    async def follow(self, leaders: Sequence[str]) -> None:
        """Hand every new log to the watch as it arrives, until the subscription fails. Raises `ChainUnavailable`."""
        async for sighting in self._chain.subscribe(leaders):
            if not sighting.removed:
                self._watch.offer(hint(sighting, self._clock, "chain"))

    async def sweep(self) -> int:
        """Read every block from the cursor (less an overlap) to the head; move the cursor when all its trades are stored.

        Returns the block reached. Raises what the ports raise: the cursor then stays where it was.
        """
        leaders = self._roster.leaders
        if not leaders:
            return 0
        cursors = {leader.address: leader for leader in await self._stores.leaders.all() if leader.address in leaders}
        head = (await self._chain.head()).number
        reached = min((cursor.cursor_block for cursor in cursors.values()), default=head)
        first, last = max(reached - self._overlap, 0), min(head, reached + WIDEST_SWEEP)
        found = await self._chain.sightings_of(leaders, first, last)
        complete = [await self._watch.see(hint(sighting, self._clock, "sweep")) for sighting in found]
        crashpoint("after_insert_before_cursor")
        if all(complete):
            await self._advance(cursors.values(), last)
        await self._watch.swept(first, last, {sighting.tx_hash.lower() for sighting in found})
        return last

    async def _advance(self, cursors: Iterable[Leader], last: int) -> None:
        now = self._clock.now()
        for leader in cursors:
            await self._stores.leaders.advance(_moved(leader, last, now, self._watch.last_of(leader.address)))
        CURSOR.set(last)
        crashpoint("after_cursor")


def _moved(leader: Leader, block: int, now: datetime, last: Seen | None) -> Leader:
    moved = replace(leader, cursor_block=max(block, leader.cursor_block), cursor_at=now)
    if last is None:
        return moved
    return replace(moved, seen=leader.seen + last.fresh, last_trade_at=last.trade.traded_at, lag_ms=last.lag_ms)
