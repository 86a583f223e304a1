"""A world for the engine in memory: a scripted venue and chain, a clock that only tests move, and the engine's real parts between."""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from services.common.domain.account import Account, ExposureChange, Holding, Limits
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.fill import ReconciliationResult, TradeStatus
from services.common.domain.follow import Policy
from services.common.domain.intent import Intent, OrderFields, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Book, Fee, Level, Market, Side, Token, TokenProtocol
from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.order import order_body, order_hash
from services.common.ports.chain import ChainUnavailable, FillLog, Head, OrderStatus, Receipt, Transfer, Witnesses
from services.common.ports.signer import SignerRefused, SignerStanding
from services.common.ports.venue import Answer, Feed, OpenOrder, Permission, VenueTrade, VenueUnavailable, Wallet
from services.common.signing.key_file import KeyFileSigner
from services.common.store.memory import MemoryStores
from services.engine.assembly import Ports, assemble
from services.engine.timing import Timing
from services.engine.worker import Worker
from tests.builders import CONDITION, NOON, SEAL, TOKEN, a_copy, a_follow, a_trade, an_account

KEY = bytes.fromhex("11" * 32)
SIGNER = KeyFileSigner(KEY, 137)
WALLET = SIGNER.address
ACCOUNT = WALLET.lower()
OTHER_TOKEN = "8" * 70
SHARE = 1_000_000
EXCHANGE = "0x" + "e" * 40
NOTHING_DONE = {
    "lost_before": Answer(Outcome.UNKNOWN, code="timeout"),
    "not_sent": Answer(Outcome.NOT_SENT, code="connection refused"),
    "reject": Answer(Outcome.REJECTED, 400, code="not enough balance / allowance"),
    "refuse": Answer(Outcome.REJECTED, 400, code="Invalid order payload"),
    "restarting": Answer(Outcome.UNKNOWN, 425, code="the matching engine is restarting"),
    "cancel_only": Answer(Outcome.REJECTED, 503, code="Trading is currently cancel-only. New orders are not accepted"),
    "closed_only": Answer(Outcome.REJECTED, 400, code="'0xabc' address in closed only mode"),
    "unmatched": Answer(Outcome.ACKED, 200, "unmatched", shares_micros=0, usdc_micros=0),
}
"""Answers after which no order of ours has matched."""


class TestClock:
    """Time that stands still until a test moves it."""

    __test__ = False

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = count()
        self._salt = count(1)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def salt(self) -> int:
        return next(self._salt)

    async def sleep(self, duration: timedelta) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + duration.total_seconds(), next(self._count), future))
        await future

    def jump(self, seconds: float) -> None:
        """Move time without waking anyone: a frozen process."""
        self._elapsed += seconds

    async def run(self, seconds: float) -> None:
        """Let everything happen that happens within so many seconds."""
        until = self._elapsed + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, future = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, due)
            if not future.done():
                future.set_result(None)
                await settle()
        self._elapsed = max(self._elapsed, until)
        await settle()


async def settle(turns: int = 150) -> None:
    """Let every task go as far as it can without time passing."""
    for _ in range(turns):
        await asyncio.sleep(0)


@dataclass
class Venue:
    """`Clob` and `Markets` of one account. `script` holds what becomes of the next posts; afterwards each fills whole at its limit."""

    clock: TestClock
    script: list[str] = field(default_factory=list)
    posts: list[bytes] = field(default_factory=list)
    leave_by: list[float] = field(default_factory=list)
    fills: dict[str, list[VenueTrade]] = field(default_factory=lambda: defaultdict(list))
    known: set[str] = field(default_factory=set)
    away: bool = False
    hidden: bool = False
    cash_micros: int = 1_000_000_000
    wallets_read: int = 0
    on_post: Callable[[], None] | None = None
    spread: tuple[int, int] = (490_000, 500_000)
    closed: bool = False
    permitted: Permission = field(default_factory=lambda: Permission(closed_only=False, blocked=False))

    async def post(self, intent: Intent, leave_by: float) -> Answer:
        self.leave_by.append(leave_by)
        self.posts.append(order_body(intent, "key"))
        await asyncio.sleep(0)
        if self.on_post:
            self.on_post()
        how = self.script.pop(0) if self.script else "fill"
        if how == "hang":
            await asyncio.Event().wait()
        if how == "unmatched":
            self.known.add(intent.order_hash)
        return NOTHING_DONE.get(how) or self._match(intent, how)

    def _match(self, intent: Intent, how: str) -> Answer:
        if intent.order_hash in self.known:
            return Answer(Outcome.DUPLICATED, 400, code="Duplicated")
        trade = self._fill(intent, 2 if how == "half" else 1)
        if how in {"lost_after", "5xx_after"}:
            return Answer(Outcome.UNKNOWN, 500 if how == "5xx_after" else None, code=how)
        if how == "delayed":
            return Answer(Outcome.ACKED, 200, "delayed")
        usdc = trade.shares_micros * trade.price_micros // 1_000_000
        if how == "no_amounts":
            return Answer(Outcome.ACKED, 200, "matched")
        if how == "wrong_units":
            return Answer(Outcome.ACKED, 200, "matched", shares_micros=10**15, usdc_micros=10**15)
        return Answer(Outcome.ACKED, 200, "matched", shares_micros=trade.shares_micros, usdc_micros=usdc)

    def _fill(self, intent: Intent, parts: int) -> VenueTrade:
        self.known.add(intent.order_hash)
        fields = intent.fields
        shares = intent.shares_micros // parts
        trade = VenueTrade(
            f"trade-{len(self.fills)}",
            intent.order_hash,
            CONDITION,
            fields.token_id,
            fields.side,
            shares,
            intent.limit_micros,
            TradeStatus.MATCHED,
            "0x" + "f" * 64,
            self.clock.now(),
            True,
        )
        self.fills[intent.order_hash].append(trade)
        return trade

    def _answers(self) -> None:
        if self.away:
            raise VenueUnavailable("away")

    async def order(self, order_hash: str) -> OpenOrder | None:
        self._answers()
        return None

    async def trades(self, order_hash: str, token_id: str, after: datetime) -> tuple[VenueTrade, ...]:
        self._answers()
        since = after - timedelta(minutes=1)
        return () if self.hidden else tuple(one for one in self.fills[order_hash] if one.matched_at >= since)

    async def wallet(self) -> Wallet:
        self._answers()
        self.wallets_read += 1
        return Wallet(self.cash_micros, 10**15, self.clock.now())

    async def server_time(self) -> datetime:
        self._answers()
        return self.clock.now()

    async def permission(self) -> Permission:
        self._answers()
        return self.permitted

    async def by_token(self, token_id: str) -> Market | None:
        self._answers()
        return Market(
            condition_id=CONDITION,
            event_id="7",
            slug="rain",
            title="Rain?",
            tokens=(Token(TOKEN, "Yes"), Token(OTHER_TOKEN, "No")),
            tick_micros=10_000,
            min_size_micros=5 * SHARE,
            fee=Fee(0),
            protocol=TokenProtocol.CTF,
            neg_risk=False,
            active=True,
            closed=self.closed,
            archived=False,
            accepting_orders=True,
            has_book=True,
            uma_status="",
            ends_at=NOON + timedelta(days=2),
            read_at=self.clock.now(),
        )

    async def book(self, token_id: str) -> Book | None:
        self._answers()
        bid, ask = self.spread
        deep = 1_000_000 * SHARE
        return Book(
            token_id, (Level(bid, deep),), (Level(ask, deep),), self.clock.now(), mid_then_micros=(bid + ask) // 2
        )

    def bought(self, token_id: str = TOKEN) -> int:
        """Shares that really changed hands, sales subtracted."""
        trades = [trade for fills in self.fills.values() for trade in fills if trade.token_id == token_id]
        return sum(t.shares_micros if t.side is Side.BUY else -t.shares_micros for t in trades)


@dataclass
class ScriptedChain:
    """`Chain` where receipts and balances are what tests say; of blocks before `keeps_from` it has no state."""

    clock: TestClock
    receipts: dict[str, Receipt] = field(default_factory=dict)
    balances: dict[tuple[str, str, int | None], int] = field(default_factory=dict)
    moves: list[Transfer] = field(default_factory=list)
    hashes: dict[str, str | None] = field(default_factory=dict)
    away: bool = False
    keeps_from: int = 0
    finalized: int = 990

    def _answers(self) -> None:
        if self.away:
            raise ChainUnavailable("away")

    async def head(self) -> Head:
        self._answers()
        return Head(1_000, self.clock.now(), self.finalized, 137)

    async def receipt(self, tx_hash: str) -> Receipt | None:
        self._answers()
        return self.receipts.get(tx_hash)

    async def fills_of_order(self, order_hash: str, first_block: int) -> tuple[FillLog, ...]:
        self._answers()
        return ()

    async def order_status(self, exchange: str, order_hash: str) -> OrderStatus:
        self._answers()
        return OrderStatus(False, 0)

    async def order_hash(self, fields: OrderFields) -> str | None:
        self._answers()
        return self.hashes.get(fields.exchange, order_hash(fields))

    async def token_balance(self, wallet: str, token_id: str, block: int | None = None) -> int:
        self._answers()
        if block is not None and block < self.keeps_from:
            raise ChainUnavailable("missing trie node")
        return self.balances.get((wallet.lower(), token_id, block), 0)

    async def transfers(self, wallet: str, token_id: str, first_block: int, last_block: int) -> tuple[Transfer, ...]:
        self._answers()
        mine = (move for move in self.moves if move.token_id == token_id and wallet in {move.sender, move.receiver})
        return tuple(move for move in mine if first_block <= move.block_number <= last_block)

    def sells(self, copy: Copy, before_micros: int) -> None:
        """The leader's sale: he gives the copy's shares out of `before_micros`."""
        trade = copy.trade
        move = Transfer(
            trade.leader, EXCHANGE, trade.token_id, trade.shares_micros, trade.tx_hash, trade.block_number, 1
        )
        self.moves.append(move)
        self.balances[trade.leader, trade.token_id, trade.block_number - 1] = before_micros
        self.receipts[trade.tx_hash] = Receipt(
            trade.tx_hash, trade.block_number, "0xb", trade.traded_at, True, (), (move,)
        )


class Pen:
    """A signer that can be told to refuse."""

    def __init__(self) -> None:
        self.refusing = False
        self.stands = SignerStanding.READY

    @property
    def address(self) -> str:
        return WALLET

    @property
    def at_hand(self) -> bool:
        return True

    async def standing(self) -> SignerStanding:
        return self.stands

    async def sign_intent(self, copy_id: str, intent: Intent) -> str:
        if self.refusing:
            raise SignerRefused("away")
        return await SIGNER.sign_intent(copy_id, intent)

    async def sign_auth(self, timestamp: int, nonce: int) -> str:
        return await SIGNER.sign_auth(timestamp, nonce)


POLICY = Policy(ratio_bps=10_000)


class World:
    """One account that follows one leader share for share, and as many engine processes as a test starts."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.clock = TestClock()
        self.stores = MemoryStores(self.clock.now)
        self.venue = Venue(self.clock)
        self.chain = ScriptedChain(self.clock)
        self.witnesses: Witnesses | None = None
        self.pen = Pen()
        self.seal = SEAL
        self.workers: list[tuple[Worker, asyncio.Task[None]]] = []
        self._account = an_account(
            ACCOUNT, wallet=WALLET, signer=WALLET, owner=ACCOUNT, limits=limits or Limits(max_order_micros=10**12)
        )
        self._results = count()

    async def open(self) -> "World":
        """Store the account and its follow, and let the reconciler have looked."""
        await self.stores.accounts.create(self._account)
        await self.stores.follows.create(a_follow(ACCOUNT, policy=POLICY))
        await self.reconciled()
        return self

    async def reconciled(self) -> None:
        """The reconciler has compared the account just now."""
        now, number = self.clock.now(), next(self._results)
        await self.stores.results.add(ReconciliationResult(f"r{number}", ACCOUNT, now, now, 0, (), 0, True))

    def start(self, name: str = "engine", feed: Feed | None = None, *, compared: bool = True) -> Worker:
        """Start an engine process. It asks for a comparison, and unless nobody does the reconciler makes it."""
        own = (self.pen, self.clock, self.seal, feed, self.witnesses)
        ports = Ports(self.stores, self.venue, self.venue, self.chain, *own)
        engine = assemble(
            ports,
            ACCOUNT,
            PRODUCTION.contract,
            exchanges=PRODUCTION.contracts,
            chain_id=137,
            version="test",
            timing=Timing(),
            name=name,
        )
        self.workers.append((engine, asyncio.create_task(engine.run())))
        if compared:
            self._comparing = asyncio.create_task(self.reconciled())
        return engine

    def kill(self) -> None:
        """Every engine process dies where it stands."""
        for worker, task in self.workers:
            task.cancel()
            for one in worker.tasks:
                one.cancel()
        self.workers.clear()

    async def run(self, seconds: float) -> None:
        """Let time pass; the reconciler looks every so often."""
        left = seconds
        while left > 0:
            await self.clock.run(min(left, 20.0))
            await self.reconciled()
            left -= 20.0

    async def account(self) -> Account:
        account = await self.stores.accounts.get(ACCOUNT)
        assert account is not None
        return account

    async def buys(self, number: int = 1, shares: int = 10, **changes: object) -> Copy:
        """The leader buys: the monitor stores a copy."""
        traded = changes.pop("traded_at", self.clock.now())
        trade = a_trade(number, shares_micros=shares * SHARE, usdc_micros=shares * 500_000, traded_at=traded, **changes)
        copy = a_copy(number, account=ACCOUNT, trade=trade, policy=POLICY, now=self.clock.now())
        await self.stores.copies.insert([copy])
        return copy

    async def sells(self, number: int, shares: int, of: int, **changes: object) -> Copy:
        """The leader sells `shares` of the `of` that he has: the monitor stores a debt."""
        sale = {"shares_micros": shares * SHARE, "usdc_micros": shares * 490_000, "traded_at": self.clock.now()}
        trade = a_trade(number, side=Side.SELL, **{**sale, **changes})
        copy = a_copy(number, account=ACCOUNT, kind=CopyKind.DEBT, trade=trade, policy=POLICY, now=self.clock.now())
        self.chain.sells(copy, of * SHARE)
        await self.stores.copies.insert([copy])
        return copy

    async def gives_away(self, number: int, shares: int, of: int, **changes: object) -> Copy:
        """The leader merges or transfers away `shares` of the `of` that he has: no sale, and no price."""
        return await self.sells(number, shares, of, order_hash="", usdc_micros=0, **changes)

    async def settles(self) -> None:
        """The reconciler books everything that is executed."""
        for copy in await self.stores.copies.unsettled(ACCOUNT, 1_000):
            if copy.state is not CopyState.EXECUTED:
                continue
            sign = 1 if copy.side is Side.BUY else -1
            held = Holding(
                copy.trade.token_id, CONDITION, "7", sign * copy.filled_micros, sign * copy.filled_micros // 2
            )
            change = ExposureChange(self.clock.now(), drop=copy.copy_id, held=held)
            await self.stores.copies.settle(
                copy.copy_id,
                copy.fence,
                CopyState.RECONCILED,
                (),
                (),
                (),
                copy.filled_micros,
                copy.paid_micros,
                copy.fee_micros,
                change,
                False,
                self.clock.now(),
            )
            key = (ACCOUNT, copy.trade.token_id, None)
            self.chain.balances[key] = self.chain.balances.get(key, 0) + sign * copy.filled_micros

    async def copy(self, copy: Copy | str) -> Copy:
        found = await self.stores.copies.get(copy if isinstance(copy, str) else copy.copy_id)
        assert found is not None
        return found

    async def attempts(self) -> list[Copy]:
        """Exit attempts, eldest first."""
        page = await self.stores.copies.page([ACCOUNT], 1_000, 0)
        return sorted((c for c in page.items if c.kind is CopyKind.EXIT), key=lambda copy: copy.attempt_number)
