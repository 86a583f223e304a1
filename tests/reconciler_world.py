"""A world for the reconciler in memory: what the venue and the chain say of our orders, as tests script it, and the real parts between."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.fill import Position, TradeStatus
from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Book, Level, Side, Token
from services.common.polymarket.memory import MemoryMarkets
from services.common.ports.chain import ChainUnavailable, FillLog, Head, OrderFilled, Receipt, Transfer
from services.common.ports.venue import PublicPosition, VenueTrade, VenueUnavailable
from services.common.store.memory import MemoryStores
from services.reconciler.compare import Comparison
from services.reconciler.loop import Reconciliation
from services.reconciler.resolutions import Resolutions
from services.reconciler.settle import Settler
from tests.builders import (
    ACCOUNT,
    CONDITION,
    NOON,
    TOKEN,
    a_copy,
    a_decision,
    a_trade,
    an_account,
    an_exposure,
    an_intent,
)
from tests.builders_case import a_market
from tests.still_clock import TestClock

SHARE = 1_000_000
EXCHANGE = "0x" + "e" * 40
OTHER_TOKEN = "8" * 70
LEASE = timedelta(seconds=60)
API_LAG = timedelta(seconds=60)
EVERY = timedelta(seconds=15)


class Venue:
    """`Clob.trades` by order hash; `away` answers nothing, `broken` nothing about these orders."""

    def __init__(self) -> None:
        self.by_order: defaultdict[str, list[VenueTrade]] = defaultdict(list)
        self.away = False
        self.broken: set[str] = set()
        self.asked: list[str] = []

    async def trades(self, order_hash: str, token_id: str, after: datetime) -> tuple[VenueTrade, ...]:
        self.asked.append(order_hash)
        if self.away or order_hash in self.broken:
            raise VenueUnavailable("away")
        since = after - timedelta(minutes=1)
        return tuple(trade for trade in self.by_order[order_hash] if trade.matched_at >= since)

    def becomes(self, copy: Copy, status: TradeStatus, only: str = "") -> None:
        """Its trades, or the one that is named, have this status now."""
        order = copy.order_hashes[-1]
        self.by_order[order] = [
            replace(trade, status=status) if only in {"", trade.trade_id} else trade for trade in self.by_order[order]
        ]


class Chain:
    """Logs by order and balances by token; blocks up to `finalized` are final, and what they know nothing of is `unfinal_micros`."""

    def __init__(self, clock: TestClock) -> None:
        self._clock = clock
        self.finalized = 1_000
        self.logs: defaultdict[str, list[FillLog]] = defaultdict(list)
        self.shares: defaultdict[str, int] = defaultdict(int)
        self.receipts: dict[str, Receipt] = {}
        self.looked_from: list[int] = []
        self.cash_micros = 0
        self.unfinal_micros = 0
        self.away = False

    def _answers(self) -> None:
        if self.away:
            raise ChainUnavailable("away")

    async def head(self) -> Head:
        self._answers()
        return Head(self.finalized + 10, self._clock.now(), self.finalized, 137)

    async def fills_of_order(self, order_hash: str, first_block: int) -> tuple[FillLog, ...]:
        self._answers()
        return tuple(log for log in self.logs[order_hash] if log.block_number >= first_block)

    async def receipt(self, tx_hash: str) -> Receipt | None:
        self._answers()
        return self.receipts.get(tx_hash)

    async def transfers(self, wallet: str, token_id: str, first_block: int, last_block: int) -> tuple[Transfer, ...]:
        self._answers()
        self.looked_from.append(first_block)
        return tuple(
            move
            for receipt in self.receipts.values()
            for move in receipt.transfers
            if first_block <= move.block_number <= last_block
            and move.token_id == token_id
            and wallet in {move.sender, move.receiver}
        )

    async def token_balance(self, wallet: str, token_id: str, block: int | None = None) -> int:
        self._answers()
        return self.shares[token_id]

    async def collateral_balance(self, wallet: str, block: int | None = None) -> int:
        self._answers()
        return self.cash_micros + (self.unfinal_micros if block is None else 0)


class Activity:
    """The Data API's positions."""

    def __init__(self) -> None:
        self.shares: dict[str, int] = {}
        self.away = False

    async def positions(self, wallet: str) -> tuple[PublicPosition, ...]:
        if self.away:
            raise VenueUnavailable("away")
        return tuple(PublicPosition(token, shares) for token, shares in self.shares.items())


@dataclass
class Sums:
    """What a trade moves: shares, USDC and the fee, in micros."""

    shares: int
    usdc: int
    fee: int = 0


BUY = Sums(10 * SHARE, 5 * SHARE, 100_000)
"""Ten shares at 50 cents, with a fee of ten cents."""


class World:
    """One account whose orders have matched, and as many reconcilers as a test starts."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.stores = MemoryStores(self.clock.now)
        self.venue, self.chain, self.activity = Venue(), Chain(self.clock), Activity()
        self.markets = MemoryMarkets(self.clock)
        self.account = an_account()
        self._numbers = count(1)
        tokens = (Token(TOKEN, "Yes"), Token(OTHER_TOKEN, "No"))
        self.markets.list(a_market(tokens=tokens, condition_id=CONDITION, event_id="7", event_slug="weather"))

    async def open(self) -> "World":
        await self.stores.accounts.create(self.account)
        return self

    def start(self, holder: str = "one") -> Reconciliation:
        """A reconciler process."""
        parts = (self.account, self.stores, self.venue, self.chain, self.markets, self.clock)
        settler = Settler(*parts)  # type: ignore[arg-type]
        comparison = Comparison(
            self.account, self.stores, self.chain, self.activity, self.markets, self.clock, api_lag=API_LAG
        )  # type: ignore[arg-type]
        resolutions = Resolutions(self.account, self.stores, self.chain, self.markets, self.clock)  # type: ignore[arg-type]
        return Reconciliation(
            self.account, settler, resolutions, comparison, self.stores, self.clock, holder=holder, every=EVERY
        )

    async def sent(
        self, side: Side = Side.BUY, shares: int = 10 * SHARE, token: str = TOKEN, detected_at: datetime | None = None
    ) -> Copy:
        """A copy whose order is at the venue, and whose answer nobody has."""
        number, kind = next(self._numbers), CopyKind.ENTRY if side is Side.BUY else CopyKind.EXIT
        made = a_trade(number, side=side, token_id=token)
        exit_id = "" if side is Side.BUY else f"exit:{token}"
        detected = a_copy(number, kind=kind, trade=made, exit_id=exit_id, now=self.clock.now())
        await self.stores.copies.insert([replace(detected, detected_at=detected_at or detected.detected_at)])
        copy = await self.stores.copies.claim(ACCOUNT, "engine", LEASE, fresh=True)
        account = await self.stores.accounts.get(ACCOUNT)
        assert copy is not None
        assert account is not None
        intent = an_intent(number, self.clock.now(), shares_micros=shares, usdc_micros=shares // 2)
        intent = replace(intent, fields=replace(intent.fields, side=side, token_id=token))
        change = an_exposure(copy, intent, self.clock.now())
        await self.stores.copies.begin(copy, account.seq, intent, a_decision(), change, (), self.clock.now())
        return await self.copy(copy)

    async def turn(self) -> None:
        """One turn of a reconciler that has just been started."""
        await self.start().turn()

    async def matched(
        self, side: Side = Side.BUY, shares: int = 10 * SHARE, token: str = TOKEN, detected_at: datetime | None = None
    ) -> Copy:
        """A copy that is executed: the engine has evidence of a match at 0.50."""
        copy = await self.sent(side, shares, token, detected_at)
        assert copy.intent is not None
        attempt = replace(copy.intent.attempts[-1], outcome=Outcome.ACKED)
        open_ = (await self.exposure()).open[copy.copy_id]
        change = replace(an_exposure(copy, copy.intent), put=replace(open_, matched=True), spent_micros=0)
        now = self.clock.now()
        await self.stores.copies.execute(copy.ref, attempt, shares, shares // 2, 0, change, now)
        return await self.copy(copy)

    async def given_up(self) -> Copy:
        """A copy that is presumed dead, and watched for a day."""
        copy, now = await self.sent(), self.clock.now()
        until = now + timedelta(days=1)
        await self.stores.copies.fail(copy.ref, None, "presumed_dead", True, False, None, until, now)
        return await self.copy(copy)

    def trades(
        self,
        copy: Copy,
        sums: Sums,
        status: TradeStatus = TradeStatus.CONFIRMED,
        trade_id: str = "t1",
        block: int = 500,
    ) -> VenueTrade:
        """The venue tells of a trade of the copy's order."""
        assert copy.intent is not None
        order, fields = copy.order_hashes[-1], copy.intent.fields
        price = sums.usdc * SHARE // sums.shares
        tx = self.tx(order, block)
        now = self.clock.now()
        trade = VenueTrade(
            trade_id, order, CONDITION, fields.token_id, fields.side, sums.shares, price, status, tx, now, True
        )
        self.venue.by_order[order].append(trade)
        return trade

    def mines(self, copy: Copy, sums: Sums, block: int = 500, *, removed: bool = False) -> None:
        """The chain holds a log of the copy's order; the wallet has what it moved."""
        assert copy.intent is not None
        order, fields = copy.order_hashes[-1], copy.intent.fields
        buys = fields.side is Side.BUY
        amounts = (sums.usdc, sums.shares) if buys else (sums.shares, sums.usdc)
        fill = OrderFilled(order, ACCOUNT, EXCHANGE, EXCHANGE, fields.side, fields.token_id, *amounts, sums.fee, 1)
        self.chain.logs[order].append(FillLog(fill, self.tx(order, block), block, "0xb", NOON, removed))
        if not removed:
            self.chain.shares[fields.token_id] += sums.shares if buys else -sums.shares
            self.activity.shares[fields.token_id] = self.chain.shares[fields.token_id]

    def settles(self, copy: Copy, sums: Sums, trade_id: str = "t1", block: int = 500) -> None:
        """Venue and chain agree that this is what the copy's order did."""
        self.trades(copy, sums, TradeStatus.CONFIRMED, trade_id, block)
        self.mines(copy, sums, block)

    async def held(self, shares: int = 10 * SHARE, usdc: int = 5 * SHARE, fee: int = 0, token: str = TOKEN) -> Copy:
        """A settled BUY."""
        copy = await self.matched(shares=shares, token=token)
        self.settles(copy, Sums(shares, usdc, fee), trade_id=f"t-{copy.copy_id}")
        await self.start().turn()
        settled = await self.copy(copy)
        assert settled.state is CopyState.RECONCILED
        return settled

    def shows(self, bid: int, ask: int, token: str = TOKEN) -> None:
        """The token's book."""
        levels = ((Level(price, 100 * SHARE),) for price in (bid, ask))
        self.markets.show(Book(token, *levels, self.clock.now()))

    async def copy(self, copy: Copy) -> Copy:
        found = await self.stores.copies.get(copy.copy_id)
        assert found is not None
        return found

    async def position(self, token: str = TOKEN) -> Position | None:
        return await self.stores.positions.get(ACCOUNT, token)

    async def exposure(self):
        account = await self.stores.accounts.get(ACCOUNT)
        assert account is not None
        return account.exposure

    def tx(self, order_hash: str, block: int) -> str:
        return f"0x{int(order_hash, 16) * 10_000 + block:064x}"


def tokens(found: Sequence[object]) -> list[str]:
    """The tokens of discrepancies."""
    return [item.token_id for item in found]  # type: ignore[attr-defined]
