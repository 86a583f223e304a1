"""The monitor's one door: every hint, from whatever source, becomes copies here, each trade once."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from prometheus_client import Counter, Histogram

from services.common.crashpoints import crashpoint
from services.common.domain.copy import Copy
from services.common.domain.market import Market
from services.common.domain.trade import LeaderTrade
from services.common.loop import one_turn
from services.common.ports.chain import Chain, Receipt
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.ports.venue import Hint, Markets, VenueUnavailable
from services.monitor import detect
from services.monitor.receipts import mined
from services.monitor.removals import Removals
from services.monitor.reorgs import Reorgs, TakenBack
from services.monitor.roster import Roster
from services.monitor.turns import Turns

log = structlog.get_logger()

DETECTED = Counter("polycopy_monitor_trades_total", "Leader trades stored, by the source that spoke first", ["source"])
LAG = Histogram(
    "polycopy_monitor_store_seconds",
    "From a hint to its copies being stored",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30),
)

REMEMBERED = 50_000
MARKET_PATIENCE_S = 0.25
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """The last trade of a leader; how many of his trades this process has stored since it was last asked; the last one's lag."""

    trade: LeaderTrade
    fresh: int
    lag_ms: int


class Watch:
    """Turns hints into copies. Remembers the transactions it has handled, so that ten sources cost one receipt."""

    def __init__(
        self,
        chain: Chain,
        stores: Stores,
        markets: Markets,
        roster: Roster,
        clock: Clock,
        announce: Callable[[Copy], None],
        *,
        chain_id: int,
        patience: timedelta = timedelta(seconds=90),
    ) -> None:
        self._chain = chain
        self._stores = stores
        self._markets = markets
        self._roster = roster
        self._clock = clock
        self._announce = announce
        self._chain_id = chain_id
        self._patience = patience
        self._reorgs = Reorgs(chain, stores.trades, clock)
        self._removals = Removals(chain, stores, clock, self._reorgs)
        self._turns = Turns()
        self._handled: OrderedDict[str, int] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[bool]] = {}
        self._last: dict[str, Seen] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def knows(self, tx_hash: str) -> bool:
        """The transaction was handled by this process, for everyone who follows now."""
        return self._handled.get(tx_hash.lower()) == self._roster.version

    def offer(self, hint: Hint) -> None:
        """Handle a hint in the background; when that fails, the sweep comes by again."""
        if not self.knows(hint.tx_hash):
            task = asyncio.create_task(self._try(hint))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def swept(self, first: int, last: int, mined: Collection[str]) -> None:
        """Everything that these blocks hold is known here: what is missing and was handled, a reorg has removed. Raises what the ports
        raise."""
        for tx_hash in await self._removals.check(first, last, mined):
            self._handled.pop(tx_hash, None)

    def last_of(self, leader: str) -> Seen | None:
        """What was last seen of a leader; the count starts anew."""
        last = self._last.get(leader)
        if last is not None:
            self._last[leader] = replace(last, fresh=0)
        return last

    async def see(self, hint: Hint) -> bool:
        """Handle a hint's transaction, once; True when every copy that it asks for exists. Raises what the ports raise."""
        while not self.knows(hint.tx_hash):
            if not await asyncio.shield(self._handling(hint)):
                return False
        return True

    def _handling(self, hint: Hint) -> asyncio.Task[bool]:
        tx_hash = hint.tx_hash.lower()
        task = self._under_way.get(tx_hash)
        if task is None:
            task = self._under_way[tx_hash] = asyncio.create_task(self._handle(hint))
            task.add_done_callback(lambda _: self._under_way.pop(tx_hash, None))
        return task

    async def _try(self, hint: Hint) -> None:
        async with self._room:
            await one_turn("hint", lambda: self.see(hint))

    async def _handle(self, hint: Hint) -> bool:
        receipt = await mined(self._chain, self._clock, hint.tx_hash, self._patience)
        if receipt is None:
            log.warning("hint_never_mined", tx=hint.tx_hash, source=hint.source)
            return False
        version = self._roster.version
        try:
            new = await self._mirrored(receipt)
        except TakenBack:
            log.warning("hint_taken_back", tx=hint.tx_hash, source=hint.source)
            return False
        for moved in detect.movements(receipt, self._roster.leaders, self._chain_id):
            new += await self._given_away(moved, receipt)
        await self._store(new, hint)
        self._removals.note(receipt.tx_hash.lower(), receipt.block_number, new)
        self._remember(hint.tx_hash.lower(), version)
        return True

    async def _mirrored(self, receipt: Receipt) -> list[Copy]:
        """The copies that its fills ask for. Their markets are asked for while the store is."""
        trades = detect.trades(receipt, self._roster.leaders, self._chain_id)
        markets = asyncio.gather(*map(self._market, trades))
        settled, known = await asyncio.gather(self._reorgs.settled(trades), markets)
        return [copy for one, market in zip(settled, known, strict=True) for copy in self._copies(one, market)]

    def _copies(self, trade: LeaderTrade, market: Market | None) -> tuple[Copy, ...]:
        return detect.copies(trade, self._roster.follows(trade.leader), market, self._roster.now())

    async def _given_away(self, moved: LeaderTrade, receipt: Receipt) -> tuple[Copy, ...]:
        if not receipt.redeemed:
            return self._copies(moved, await self._market(moved))
        # Only its market tells a payout from a merge, so here it is waited for.
        market = await self._markets.by_token(moved.token_id)
        if detect.is_payout(moved, receipt, market):
            return ()
        return self._copies(moved, market)

    async def _store(self, new: list[Copy], hint: Hint) -> None:
        if not new:
            return
        crashpoint("before_insert")
        new = self._turns.given(new, self._clock.now())
        stored = set(await self._stores.copies.insert(new, on_new=self._announce))
        fresh = [copy for copy in new if copy.copy_id in stored]
        for trade in {copy.trade.key: copy.trade for copy in fresh}.values():
            self._count(trade, hint)

    def _count(self, trade: LeaderTrade, hint: Hint) -> None:
        now = self._clock.now()
        DETECTED.labels(hint.source).inc()
        LAG.observe((now - hint.seen_at).total_seconds())
        before = self._last.get(trade.leader)
        lag_ms = int((now - trade.traded_at).total_seconds() * 1000)
        self._last[trade.leader] = Seen(trade, (before.fresh if before else 0) + 1, lag_ms)

    async def _market(self, trade: LeaderTrade) -> Market | None:
        # A name for the record: the engine asks for the market itself, so a slow answer must not hold a trade up.
        try:
            async with asyncio.timeout(MARKET_PATIENCE_S):
                return await self._markets.by_token(trade.token_id)
        except (VenueUnavailable, TimeoutError):
            return None

    def _remember(self, tx_hash: str, version: int) -> None:
        self._handled[tx_hash] = version
        if len(self._handled) > REMEMBERED:
            self._handled.popitem(last=False)
