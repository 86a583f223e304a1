"""A world for the monitor in memory: a chain that can lag, forget and go away, a clock that only tests move, and the monitor's real parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.common.chain.memory import MemoryChain, block_of
from services.common.domain.copy import Copy
from services.common.domain.follow import Follow
from services.common.domain.market import Side
from services.common.polymarket.memory import MemoryActivity, MemoryMarkets
from services.common.ports.accounts import Leader
from services.common.ports.chain import ChainUnavailable, Head, OrderFilled, Receipt, Sighting, Transfer
from services.common.ports.venue import Hint, PublicPosition, VenueUnavailable
from services.common.store.memory import MemoryStores
from services.monitor.roster import Roster
from services.monitor.sources.activity import ActivitySource
from services.monitor.sources.chain import ChainSource
from services.monitor.sources.rtds import FirehoseSource
from services.monitor.watch import Watch
from tests.builders import LEADER, TOKEN, a_follow
from tests.patience import PATIENT_S
from tests.still_clock import TestClock, settle

SHARE = 1_000_000
EXCHANGE = "0x" + "e" * 40
STRANGER = "0x" + "5" * 40
OTHER_LEADER = "0x" + "2" * 40
OTHER_ACCOUNT = "0x" + "b" * 40
CHAIN_ID = 137
OVERLAP_BLOCKS = 32


def a_fill(order: int = 1, leader: str = LEADER, /, **changes: object) -> OrderFilled:
    """The log of one order of a leader: as taker he bought 10 shares at 0.50."""
    sides = {"side": Side.BUY, "shares": 10 * SHARE, "usdc": 5 * SHARE, "taker": EXCHANGE, "log_index": order}
    given = {**sides, **changes}
    buys, shares, usdc = given["side"] is Side.BUY, given.pop("shares"), given.pop("usdc")
    amounts = (usdc, shares) if buys else (shares, usdc)
    fields = {"exchange": EXCHANGE, "token_id": TOKEN, "fee": 0, **given}
    return OrderFilled(f"0x{order:064x}", leader, maker_amount=amounts[0], taker_amount=amounts[1], **fields)  # type: ignore[arg-type]


async def until(condition: Callable[[], object], within_s: float = PATIENT_S) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)


class Chain(MemoryChain):
    """The chain in memory; `away` answers nothing, `unmined` hides receipts, `silent` hides logs, of what a reorg has `removed` there is
    neither."""

    def __init__(self, clock: TestClock) -> None:
        super().__init__(clock, CHAIN_ID)
        self.away = False
        self.unmined: set[str] = set()
        self.removed: set[str] = set()
        self.silent = False
        self.receipts_read: list[str] = []
        self.swept: list[tuple[int, int]] = []
        self.live: list[Sighting] = []

    def _answers(self) -> None:
        if self.away:
            raise ChainUnavailable("away")

    async def head(self) -> Head:
        self._answers()
        return await super().head()

    async def receipt(self, tx_hash: str) -> Receipt | None:
        self._answers()
        self.receipts_read.append(tx_hash)
        return None if tx_hash in self.unmined | self.removed else await super().receipt(tx_hash)

    async def sightings_of(self, wallets: Sequence[str], first_block: int, last_block: int) -> tuple[Sighting, ...]:
        self._answers()
        self.swept.append((first_block, last_block))
        found = () if self.silent else await super().sightings_of(wallets, first_block, last_block)
        return tuple(one for one in found if one.tx_hash not in self.removed)

    async def subscribe(self, wallets: Sequence[str]) -> AsyncIterator[Sighting]:
        self._answers()
        while self.live:
            yield self.live.pop(0)
        raise ChainUnavailable("the socket died")


class Activity(MemoryActivity):
    """The Data API; `away` names the wallets that it does not answer for."""

    def __init__(self, chain: MemoryChain, clock: TestClock) -> None:
        super().__init__(chain, clock)
        self.away: set[str] = set()
        self.asked: list[tuple[str, object]] = []

    async def trades(self, wallet: str, start: object) -> tuple[Hint, ...]:
        self.asked.append((wallet, start))
        if wallet in self.away:
            raise VenueUnavailable("away")
        return await super().trades(wallet, start)  # type: ignore[arg-type]

    async def positions(self, wallet: str) -> tuple[PublicPosition, ...]:
        return await super().positions(wallet)


class Firehose:
    """RTDS with the hints that a test puts here; then the socket dies."""

    def __init__(self) -> None:
        self.coming: list[Hint] = []

    async def hints(self, wallets: Sequence[str]) -> AsyncIterator[Hint]:
        while self.coming:
            yield self.coming.pop(0)
        raise VenueUnavailable("the socket died")


@dataclass(slots=True)
class Monitor:
    """One process: it dies with everything that it remembers."""

    roster: Roster
    watch: Watch
    chain: ChainSource
    activity: ActivitySource
    day: ActivitySource
    rtds: FirehoseSource
    announced: list[Copy]


class World:
    """A chain, a database, and one monitor after the other."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.stores = MemoryStores(self.clock.now)
        self.chain = Chain(self.clock)
        self.activity = Activity(self.chain, self.clock)
        self.firehose = Firehose()
        self.markets = MemoryMarkets(self.clock)
        self._transactions = 0

    async def follow(self, *follows: Follow) -> None:
        """Store follows, one of the leader by the account where none is named; what their leaders did until now has been read."""
        head, now = self.chain.head_number, self.clock.now()
        for follow in follows or (a_follow(),):
            await self.stores.follows.create(follow)
            await self.stores.leaders.start(Leader(follow.leader, head, now))

    async def start(self) -> Monitor:
        """A monitor that has read its follows."""
        announced: list[Copy] = []
        roster = Roster(self.stores, self.chain, self.clock)
        watch = Watch(
            self.chain, self.stores, self.markets, roster, self.clock, announced.append, chain_id=CHAIN_ID
        )  # fmt: skip
        source = ChainSource(self.chain, self.stores, roster, watch, self.clock, overlap_blocks=OVERLAP_BLOCKS)
        polled = ActivitySource(self.activity, roster, watch, self.clock, overlap=timedelta(minutes=2))
        day = ActivitySource(self.activity, roster, watch, self.clock, overlap=timedelta(days=1), source="day")
        await roster.refresh()
        return Monitor(roster, watch, source, polled, day, FirehoseSource(self.firehose, watch), announced)

    def mines(
        self,
        *fills: OrderFilled,
        ok: bool = True,
        in_s: float = 0,
        tx_hash: str = "",
        moves: Sequence[tuple[str, str, str, int]] = (),
        redeemed: Sequence[str] = (),
    ) -> str:
        """A transaction with these fills and movements (sender, receiver, token, shares), mined now or later; its hash."""
        self._transactions += 1
        tx_hash = tx_hash or f"0x{self._transactions:064x}"
        at = self.clock.now() + timedelta(seconds=in_s)
        block = block_of(at)
        transfers = tuple(
            Transfer(sender, receiver, token, shares * SHARE, tx_hash, block, 100 + place)
            for place, (sender, receiver, token, shares) in enumerate(moves)
        )
        self.chain.mine(Receipt(tx_hash, block, "0x" + "b" * 64, at, ok, fills, transfers, frozenset(redeemed)))
        return tx_hash

    def log(self, fill: OrderFilled, tx_hash: str, *, removed: bool = False) -> Sighting:
        """What the subscription says of a fill."""
        now = self.clock.now()
        return Sighting(fill.maker.lower(), tx_hash, block_of(now), now, removed)

    def hint(self, tx_hash: str, source: str = "chain", leader: str = LEADER) -> Hint:
        return Hint(tx_hash, leader, source, self.clock.now())

    async def copies(self, *accounts: str) -> list[Copy]:
        """Every copy, in the order in which they were stored."""
        wanted = accounts or {follow.account_id for follow in await self.stores.follows.all()}
        return [copy for account in sorted(wanted) for copy in self.stores.database.of_account(account)]

    async def cursor(self, leader: str = LEADER) -> Leader:
        found = await self.stores.leaders.get(leader)
        assert found is not None
        return found

    async def settle(self) -> None:
        await settle()
