"""The venue of one account as a test says: what becomes of each order that is sent, and what is told of it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.common.domain.fill import TradeStatus
from services.common.domain.intent import Intent, Outcome
from services.common.domain.market import Book, Fee, Level, Market, Side, Token, TokenProtocol
from services.common.polymarket.order import order_body
from services.common.ports.venue import Answer, OpenOrder, Permission, VenueTrade, VenueUnavailable, Wallet
from tests.builders import CONDITION, NOON, TOKEN
from tests.still_clock import TestClock

OTHER_TOKEN = "8" * 70
SHARE = 1_000_000
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
