"""The matching engine: takes orders, matches them by price and time, and lets every match settle on chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from services.venue import refusals
from services.venue.contracts import STANDARD, Contract
from services.venue.engine.bulletin import Bulletin, Listener
from services.venue.engine.commits import Commits
from services.venue.engine.funds import Funds
from services.venue.engine.life import Life
from services.venue.engine.orders import Orders
from services.venue.matching import Take, fills_whole, marketable_by_dollars, takes, totals
from services.venue.model import (
    MICRO,
    BookView,
    Fill,
    Market,
    MarketNews,
    Order,
    OrderStatus,
    OrderType,
    Placement,
    PostedOrder,
    Side,
    Trade,
    TradeEvent,
)
from services.venue.refusals import Refusal
from services.venue.settlement import Settlement
from services.venue.wallets import Wallets


class Exchange:
    """Everything of one venue. `place` and `cancel` answer at once; settlement follows by itself, in the order of matches."""

    def __init__(
        self, markets: Iterable[Market], wallets: Wallets, settlement: Settlement, now_ms: Callable[[], int]
    ) -> None:
        self.markets = {market.condition_id: market for market in markets}
        self.wallets = wallets
        self._of_token = {token: market for market in self.markets.values() for token in market.tokens}
        self._bulletin = Bulletin(now_ms)
        self._orders = Orders(self.markets.values(), self._bulletin)
        self._funds = Funds(wallets, self._orders)
        self._commits = Commits(self._orders, wallets, settlement, self._bulletin)
        self._life = Life(self._orders, self._bulletin)

    @property
    def orders(self) -> dict[str, Order]:
        """Every order that was taken, by its hash."""
        return self._orders.known

    @property
    def trades(self) -> dict[str, Trade]:
        return self._commits.trades

    @property
    def fills(self) -> list[Fill]:
        """What was mined, in chain order; only ever longer."""
        return self._commits.fills

    def subscribe(self, listener: Listener) -> None:
        """Call this with every event from now on."""
        self._bulletin.subscribe(listener)

    def market_of(self, token_id: str) -> Market | None:
        return self._of_token.get(token_id)

    def contract_of(self, token_id: str) -> Contract:
        """What orders for a token are signed for; a token that is not traded here counts as an ordinary one."""
        market = self._of_token.get(token_id)
        return market.contract if market else STANDARD

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
        self._orders.cancel(order)
        return ""

    def book(self, token_id: str) -> BookView | None:
        """The token's book; None for a token that is not traded here, or no more."""
        market = self._of_token.get(token_id)
        if market is None or market.closed:
            return None
        book = self._orders.book(market)
        bids, asks = book.levels(token_id, Side.BUY), book.levels(token_id, Side.SELL)
        last = self._commits.last(market.condition_id)
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
        return self._orders.resting_of(wallet)

    def change_tick(self, market: Market, tick_micros: int) -> None:
        """Give a market another grid of prices; what rests stays where it is."""
        self._life.change_tick(market, tick_micros)

    def announce(self, market: Market, news: MarketNews, winner: int = -1) -> None:
        """Tell everyone of a market that was listed, or resolved for the outcome at place `winner`."""
        self._life.announce(market, news, winner)

    async def settle(self) -> None:
        """Send matches to the chain, one after the other, until cancelled."""
        await self._commits.run()

    def expire(self) -> None:
        """Cancel resting orders whose time is over."""
        self._life.expire()

    def _place(self, posted: PostedOrder) -> Placement:
        market = self._of_token.get(posted.token_id)
        if posted.order_hash in self.orders:
            raise refusals.duplicated(posted.order_hash)
        if market is None:
            raise refusals.no_book()
        now_s = self._bulletin.now_ms() // 1000
        order = Order(posted, market, refusals.checked_price(posted, market), now_s)
        refusals.check(posted, market, order, now_s=now_s)
        by_dollars = marketable_by_dollars(order)
        found = takes(order, self._orders.facing(order), by_dollars=by_dollars)
        self._funds.check(order, found)
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
            self._orders.tell("CANCELLATION", order)
            raise refusals.killed(kind)

    def _execute(self, order: Order, found: Sequence[Take]) -> Placement:
        trades = self._commits.match(order, found)
        shares, usdc = totals(found)
        rests = order.posted.order_type.rests and order.remaining_micros > 0
        if rests:
            self._orders.rest(order)
        else:
            order.status = OrderStatus.MATCHED
        self._orders.tell("PLACEMENT", order)
        for trade in trades:
            self._bulletin.tell(TradeEvent(trade, trade.matched_at_ms))
        makers = [take.maker for take in found]
        self._orders.tell_book(order.market, [order, *makers] if rests else makers)
        making, taking = (usdc, shares) if order.posted.side is Side.BUY else (shares, usdc)
        status = "matched" if found else "live"
        return Placement(order.order_hash, status, making, taking, tuple(trade.trade_id for trade in trades))


def _yes_price(trade: Trade) -> int:
    price = trade.taker.price_micros
    return price if trade.taker.order.posted.token_id == trade.market.tokens[0] else MICRO - price
