"""The matching engine: takes orders, matches them by price and time, and lets every match settle on chain."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import count

import structlog

from services.venue import refusals
from services.venue.book import Book
from services.venue.clearing import Clearing
from services.venue.fees import taker_fee_micros
from services.venue.matching import Take, fills_whole, marketable_by_dollars, takes
from services.venue.model import (
    MICRO,
    BookEvent,
    BookView,
    Event,
    Fill,
    LevelChange,
    Market,
    MinedEvent,
    Order,
    OrderEvent,
    OrderStatus,
    OrderType,
    Part,
    Placement,
    PostedOrder,
    Role,
    Side,
    TickEvent,
    Trade,
    TradeEvent,
    TradeStatus,
)
from services.venue.refusals import Refusal
from services.venue.settlement import MAX_MAKERS, Settled, Settlement
from services.venue.wallets import Wallets, reserved

log = structlog.get_logger(__name__)

Listener = Callable[[Event], None]


class Exchange:
    """Everything of one venue. `place` and `cancel` answer at once; settlement follows by itself, in the order of matches."""

    def __init__(
        self, markets: Iterable[Market], wallets: Wallets, settlement: Settlement, now_ms: Callable[[], int]
    ) -> None:
        self.markets = {market.condition_id: market for market in markets}
        self.fills: list[Fill] = []
        self.orders: dict[str, Order] = {}
        self.trades: dict[str, Trade] = {}
        self.wallets = wallets
        self._of_token = {token: market for market in self.markets.values() for token in market.tokens}
        self._books = {condition: Book(market) for condition, market in self.markets.items()}
        self._last: dict[str, Trade] = {}
        self._resting: defaultdict[str, dict[str, Order]] = defaultdict(dict)
        self._clearing = Clearing(settlement)
        self._reading: set[asyncio.Task[None]] = set()
        self._now_ms = now_ms
        self._listeners: list[Listener] = []
        self._numbers = count(1)
        settlement.on_mined(self._mined)
        settlement.on_confirmed(self._confirmed)

    def subscribe(self, listener: Listener) -> None:
        """Call this with every event from now on."""
        self._listeners.append(listener)

    def market_of(self, token_id: str) -> Market | None:
        return self._of_token.get(token_id)

    def place(self, posted: PostedOrder) -> Placement:
        """Take an order, or refuse it with the venue's text. What it matches is final here and settles later."""
        try:
            return self._place(posted)
        except Refusal as refusal:
            return Placement(posted.order_hash, error=refusal.text, http_status=refusal.status)

    def cancel(self, order_hash: str) -> str:
        """Cancel a resting order; empty, or why it was not cancelled."""
        order = self.orders.get(order_hash)
        if order is None:
            return "Order not found"
        if order.status is not OrderStatus.LIVE:
            return "already canceled or matched"
        self._end(order, OrderStatus.CANCELED)
        self._tell_book(order.market, [order])
        return ""

    def book(self, token_id: str) -> BookView | None:
        """The token's book; None for a token that is not traded here, or no more."""
        market = self._of_token.get(token_id)
        if market is None or market.closed:
            return None
        book = self._books[market.condition_id]
        bids, asks = book.levels(token_id, Side.BUY), book.levels(token_id, Side.SELL)
        last = self._last.get(market.condition_id)
        return BookView(
            market,
            token_id,
            tuple(sorted(bids.items())),
            tuple(sorted(asks.items(), reverse=True)),
            _yes_price(last) if last else MICRO // 2,
            last.taker.order.posted.side if last else None,
        )

    def open_orders(self, wallet: str) -> list[Order]:
        """The wallet's resting orders, oldest first."""
        return list(self._resting[wallet.lower()].values())

    def change_tick(self, market: Market, tick_micros: int) -> None:
        """Give a market another grid of prices; what rests stays where it is."""
        old, market.tick_micros = market.tick_micros, tick_micros
        self._tell(TickEvent(market, old, self._now_ms()))

    async def settle(self) -> None:
        """Send matches to the chain, one after the other, until cancelled."""
        await self._clearing.run(self._undo)

    def expire(self) -> None:
        """Cancel resting orders whose time is over."""
        now = self._now_ms() // 1000
        resting = [order for orders in self._resting.values() for order in orders.values()]
        for order in resting:
            if order.posted.order_type is OrderType.GTD and order.posted.expiration <= now + refusals.GTD_AHEAD_S:
                self.cancel(order.order_hash)

    def _place(self, posted: PostedOrder) -> Placement:
        market = self._of_token.get(posted.token_id)
        if posted.order_hash in self.orders:
            raise refusals.duplicated(posted.order_hash)
        if market is None:
            raise refusals.no_book()
        order = Order(posted, market, refusals.checked_price(posted, market), self._now_ms() // 1000)
        refusals.check(posted, market, order, now_s=self._now_ms() // 1000)
        by_dollars = marketable_by_dollars(order)
        facing = self._books[market.condition_id].facing(order.yes_side, order.yes_price_micros)
        found = takes(order, facing, by_dollars=by_dollars)
        self._check_funds(order, found)
        if posted.post_only and found:
            raise refusals.crosses()
        # From here on the id is known, whatever comes of the order.
        self.orders[posted.order_hash] = order
        if not posted.order_type.rests:
            self._kill_or_go(order, found, by_dollars=by_dollars)
        return self._execute(order, found)

    def _kill_or_go(self, order: Order, found: Sequence[Take], *, by_dollars: bool) -> None:
        kind = order.posted.order_type
        if not found or (kind is OrderType.FOK and not fills_whole(order, found, by_dollars=by_dollars)):
            order.status = OrderStatus.CANCELED
            self._tell(OrderEvent("CANCELLATION", order, self._now_ms()))
            raise refusals.killed(kind)

    def _execute(self, order: Order, found: Sequence[Take]) -> Placement:
        trades = [
            self._trade(order, found[start : start + MAX_MAKERS], start // MAX_MAKERS)
            for start in range(0, len(found), MAX_MAKERS)
        ]
        shares, usdc = _totals(found)
        rests = order.posted.order_type.rests and order.remaining_micros > 0
        if rests:
            self._books[order.market.condition_id].add(order)
            self._resting[order.posted.wallet][order.order_hash] = order
        else:
            order.status = OrderStatus.MATCHED
        self._tell(OrderEvent("PLACEMENT", order, self._now_ms()))
        for trade in trades:
            self._tell(TradeEvent(trade, trade.matched_at_ms))
        self._tell_book(order.market, [order, *(take.maker for take in found)] if rests else [t.maker for t in found])
        making, taking = (usdc, shares) if order.posted.side is Side.BUY else (shares, usdc)
        status = "matched" if found else "live"
        return Placement(order.order_hash, status, making, taking, tuple(trade.trade_id for trade in trades))

    def _trade(self, taker: Order, found: Sequence[Take], bucket: int) -> Trade:
        shares, usdc = _totals(found)
        fee = taker_fee_micros(taker.market.fee_rate, shares, usdc)
        makers = tuple(Part(take.maker, Role.MAKER, take.shares_micros, take.maker_usdc_micros) for take in found)
        now_ms, name = self._now_ms(), f"{next(self._numbers)}|{taker.order_hash}"
        trade = Trade(
            _uuid(name), taker.market, Part(taker, Role.TAKER, shares, usdc, fee), makers, bucket, now_ms, now_ms
        )
        self.trades[trade.trade_id] = trade
        for part in trade.parts:
            self._apply(part, trade)
        self._last[taker.market.condition_id] = trade
        self.wallets.matched(trade)
        self._clearing.add(trade)
        return trade

    def _apply(self, part: Part, trade: Trade) -> None:
        order = part.order
        order.matched_micros += part.shares_micros
        order.spent_micros += part.usdc_micros
        order.trade_ids.append(trade.trade_id)
        if part.role is Role.MAKER:
            if order.remaining_micros <= 0:
                self._end(order, OrderStatus.MATCHED)
            else:
                self._tell(OrderEvent("UPDATE", order, self._now_ms()))

    def _end(self, order: Order, status: OrderStatus) -> None:
        order.status = status
        self._books[order.market.condition_id].remove(order)
        self._resting[order.posted.wallet].pop(order.order_hash, None)
        self._tell(OrderEvent("CANCELLATION" if status is OrderStatus.CANCELED else "UPDATE", order, self._now_ms()))

    def _check_funds(self, order: Order, found: Sequence[Take]) -> None:
        wallet, resting = self.wallets.get(order.posted.wallet), self.open_orders(order.posted.wallet)
        if order.posted.side is Side.BUY:
            shares, usdc = _totals(found)
            needed = order.posted.usdc_micros + taker_fee_micros(order.market.fee_rate, shares, usdc)
            free = min(wallet.cash_micros, wallet.allowance_micros) - reserved(resting, Side.BUY)
            if free < needed:
                raise refusals.not_enough(free, needed)
            return
        same = [one for one in resting if one.posted.token_id == order.posted.token_id]
        free = wallet.tokens.get(order.posted.token_id, 0) - reserved(same, Side.SELL)
        if free < order.posted.shares_micros or not wallet.approved:
            raise refusals.not_enough(free if wallet.approved else 0, order.posted.shares_micros)

    def _mined(self, settled: Settled) -> None:
        trade = self.trades[settled.match_id]
        trade.tx_hash = settled.tx_hash
        if not settled.ok:
            self._undo(trade, settled.reason)
            return
        self.wallets.mined(trade, settled.block_number)
        now_ms = self._now_ms()
        fills = tuple(_fill(trade, part, settled, now_ms) for part in trade.parts)
        self.fills.extend(fills)
        self._move(trade, TradeStatus.MINED)
        self._tell(MinedEvent(trade, fills, now_ms))

    def _confirmed(self, settled: Settled) -> None:
        if settled.ok:
            self._move(self.trades[settled.match_id], TradeStatus.CONFIRMED)

    def _undo(self, trade: Trade, reason: str) -> None:
        log.warning("a match has failed", trade=trade.trade_id, reason=reason)
        trade.failure = reason
        for part in trade.parts:
            self._give_back(part)
        self.wallets.failed(trade)
        self._tell_book(trade.market, [part.order for part in trade.parts])
        self._move(trade, TradeStatus.FAILED)
        reading = asyncio.ensure_future(self.wallets.reread(trade))
        self._reading.add(reading)
        reading.add_done_callback(self._was_read)

    def _give_back(self, part: Part) -> None:
        # Whose fault it was is not known, so nothing of a failed match goes on resting.
        order = part.order
        order.matched_micros -= part.shares_micros
        order.spent_micros -= part.usdc_micros
        if order.status is OrderStatus.LIVE or (order.status is OrderStatus.MATCHED and not order.matched_micros):
            self._end(order, OrderStatus.CANCELED)

    def _was_read(self, reading: asyncio.Task[None]) -> None:
        self._reading.discard(reading)
        if not reading.cancelled() and (error := reading.exception()):
            log.warning("wallets of a failed match could not be read", error=repr(error))

    def _move(self, trade: Trade, status: TradeStatus) -> None:
        trade.status, trade.updated_at_ms = status, self._now_ms()
        self._tell(TradeEvent(trade, trade.updated_at_ms))

    def _tell_book(self, market: Market, touched: Sequence[Order]) -> None:
        book = self._books[market.condition_id]
        changes: list[LevelChange] = []
        for side, price in dict.fromkeys((order.yes_side, order.yes_price_micros) for order in touched):
            size = book.size_at(side, price)
            changes.append(LevelChange(market.tokens[0], side, price, size))
            changes.append(LevelChange(market.tokens[1], side.other, MICRO - price, size))
        if changes:
            self._tell(BookEvent(market, tuple(changes), self._now_ms()))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _totals(found: Sequence[Take]) -> tuple[int, int]:
    return sum(take.shares_micros for take in found), sum(take.taker_usdc_micros for take in found)


def _yes_price(trade: Trade) -> int:
    price = trade.taker.price_micros
    return price if trade.taker.order.posted.token_id == trade.market.tokens[0] else MICRO - price


def _fill(trade: Trade, part: Part, settled: Settled, now_ms: int) -> Fill:
    posted = part.order.posted
    return Fill(
        wallet=posted.wallet,
        role=part.role,
        token_id=posted.token_id,
        condition_id=trade.market.condition_id,
        side=posted.side,
        size_micros=part.shares_micros,
        usdc_micros=part.usdc_micros,
        fee_micros=part.fee_micros,
        tx_hash=settled.tx_hash,
        block_number=settled.block_number,
        block_timestamp=settled.block_timestamp,
        order_hash=posted.order_hash,
        trade_id=trade.trade_id,
        mined_at_ms=now_ms,
    )


def _uuid(name: str) -> str:
    digits = hashlib.sha256(name.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
