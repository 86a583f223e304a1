"""The matching engine: takes orders, matches them by price and time, and lets every match settle on chain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from services.venue import refusals
from services.venue.clock import Clock
from services.venue.contracts import STANDARD, Contract
from services.venue.engine.agenda import Agenda
from services.venue.engine.bulletin import Bulletin, Listener
from services.venue.engine.commits import MOST_WAITING, Commits
from services.venue.engine.funds import Funds
from services.venue.engine.life import Life
from services.venue.engine.modes import Mode, Modes
from services.venue.engine.orders import Orders
from services.venue.engine.restrictions import Restrictions
from services.venue.engine.trades import Trades
from services.venue.engine.undoing import Undoing
from services.venue.events import MarketNews, TradeEvent
from services.venue.faults.commit import CommitFaults
from services.venue.matching import Take, fills_whole, marketable_by_dollars, takes, totals
from services.venue.model import (
    MICRO,
    BookView,
    Market,
    Order,
    OrderStatus,
    OrderType,
    Placement,
    PostedOrder,
    Side,
    Trade,
)
from services.venue.refusals import Refusal
from services.venue.settlement import Settlement
from services.venue.wallets import Wallets


class Exchange:
    """Everything of one venue. `place` and `cancel` answer at once; settlement follows by itself, in the order of matches."""

    def __init__(
        self,
        markets: Iterable[Market],
        wallets: Wallets,
        settlement: Settlement,
        faults: CommitFaults,
        clock: Clock,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.markets = {market.condition_id: market for market in markets}
        self.wallets = wallets
        self.restrictions = Restrictions()
        self._of_token = {token: market for market in self.markets.values() for token in market.tokens}
        self._bulletin = Bulletin(clock.now_ms)
        self._orders = Orders(self.markets.values(), self._bulletin)
        self._funds = Funds(wallets, self._orders)
        undoing = Undoing(self._orders, self._funds, wallets)
        self._commits = Commits(self._orders, wallets, settlement, undoing, faults, clock, self._bulletin, most_waiting)
        self._agenda = Agenda(clock)
        self._taken = 0
        self.modes = Modes(self._agenda, self._bulletin)
        self.life = Life(self._orders, self._agenda, self._bulletin)
        for market in self.markets.values():
            self.life.enlist(market, announced=False)
        wallets.on_read(self._funds.drop_unpaid)

    @property
    def orders(self) -> dict[str, Order]:
        """The orders that were taken, by their hash, but for those that ended long ago."""
        return self._orders.known

    @property
    def taken(self) -> int:
        """How many orders were taken so far."""
        return self._taken

    @property
    def trades(self) -> Trades:
        """All but those that ended long ago."""
        return self._commits.trades

    @property
    def waiting(self) -> int:
        """Matches that are not mined yet."""
        return self._commits.waiting

    def subscribe(self, listener: Listener) -> None:
        """Call this with every event from now on."""
        self._bulletin.subscribe(listener)

    def market_of(self, token_id: str) -> Market | None:
        return self._of_token.get(token_id)

    def contract_of(self, token_id: str) -> Contract:
        """What orders for a token are signed for; a token that is not traded here counts as an ordinary one."""
        market = self._of_token.get(token_id)
        return market.contract if market else STANDARD

    def add_market(self, market: Market) -> None:
        """List a market that the chain has prepared."""
        self.markets[market.condition_id] = market
        self._of_token |= dict.fromkeys(market.tokens, market)
        self.wallets.learn(market.tokens)
        self._orders.enlist(market)
        self.life.enlist(market, announced=True)

    def place(self, posted: PostedOrder, seen: int | None = None) -> Placement:
        """Take an order, or refuse it with the venue's text. What it matches is final here and settles later. `seen` is how many
        orders had been taken when it came in: now, where it is not told."""
        try:
            return self._place(posted, self._taken if seen is None else seen)
        except Refusal as refusal:
            return Placement(
                posted.order_hash,
                error=refusal.text,
                http_status=refusal.status,
                code=refusal.code,
                retry_after_s=refusal.retry_after_s,
                killed=isinstance(refusal, refusals.KilledOrder),
            )

    def cancel(self, order_hash: str) -> str:
        """Cancel an open order, one that is delayed too; empty, or why it was not cancelled."""
        order = self.orders.get(order_hash)
        if order is None:
            return "Order not found"
        if not order.status.open:
            return "already canceled or matched"
        self._orders.cancel(order)
        return ""

    def book(self, token_id: str) -> BookView | None:
        """The token's book; None for a token that is not traded here, or not now."""
        market = self._of_token.get(token_id)
        if market is None or not market.has_book:
            return None
        book = self._orders.book(market)
        bids, asks = book.levels(token_id, Side.BUY), book.levels(token_id, Side.SELL)
        last = self._commits.last(market.condition_id)
        return BookView(
            market,
            token_id,
            tuple(sorted(bids.items())),
            tuple(sorted(asks.items(), reverse=True)),
            last.yes_price_micros if last else MICRO // 2,
            last.taker.order.posted.side if last else None,
        )

    def open_orders(self, wallet: str) -> list[Order]:
        """The wallet's open orders, oldest first."""
        return self._orders.open_of(wallet)

    def change_tick(self, market: Market, tick_micros: int) -> None:
        """Give a market another grid of prices; what rests stays where it is."""
        self.life.change_tick(market, tick_micros)

    def announce(self, market: Market, news: MarketNews, winner: int = -1) -> None:
        """Tell everyone of a market that was listed, or resolved for the outcome at place `winner`."""
        self.life.announce(market, news, winner)

    async def settle(self) -> None:
        """Send matches to the chain, and do what is due by the clock, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._commits.run())
            group.create_task(self._agenda.run())

    def expire(self) -> None:
        """Cancel resting orders whose time is over."""
        self.life.expire()

    def _place(self, posted: PostedOrder, seen: int) -> Placement:
        self.modes.check_order(posted)
        market = self._of_token.get(posted.token_id)
        if self._orders.has_had(posted.order_hash):
            raise refusals.duplicated(posted.order_hash)
        if market is None:
            raise refusals.no_book()
        self.restrictions.check(posted)
        now_s = self._bulletin.now_ms() // 1000
        order = Order(posted, market, refusals.checked_price(posted, market), now_s)
        refusals.check(posted, market, order, now_s=now_s)
        found = self._takes(order)
        self._funds.check(order, found)
        if posted.post_only:
            self._check_crossing(order, seen)
        if found and self._commits.full:
            raise refusals.busy()
        # From here on the id is known, whatever comes of the order.
        self._taken += 1
        order.number = self._taken
        self.orders[posted.order_hash] = order
        if self._killed(order, found):
            refusal = refusals.killed(posted.order_type)
            self._orders.end(order, OrderStatus.CANCELED, refusal.text)
            raise refusal
        if found and market.delay_ms:
            return self._delay(order)
        return self._execute(order, found, "PLACEMENT")

    def _check_crossing(self, order: Order, seen: int) -> None:
        """Whatever a post-only order would meet refuses it, its own wallet's orders too."""
        met = list(self._orders.facing(order))
        if met and all(one.number > seen for one in met):
            raise refusals.crosses_now(order.order_hash)
        if met:
            raise refusals.crosses()

    def _takes(self, order: Order) -> list[Take]:
        return takes(order, self._orders.facing(order), by_dollars=marketable_by_dollars(order))

    def _killed(self, order: Order, found: Sequence[Take]) -> bool:
        kind = order.posted.order_type
        if kind.rests:
            return False
        by_dollars = marketable_by_dollars(order)
        return not found or (kind is OrderType.FOK and not fills_whole(order, found, by_dollars=by_dollars))

    def _delay(self, order: Order) -> Placement:
        self._orders.delay(order)
        self._orders.tell("PLACEMENT", order)
        self._agenda.at(self._bulletin.now_ms() + order.market.delay_ms, lambda: self._decide(order))
        return Placement(order.order_hash, "delayed")

    def _decide(self, order: Order) -> None:
        """The wait of a delayed order is over: it is matched, or rests, or comes to nothing."""
        if order.status is not OrderStatus.DELAYED:
            return
        found = self._takes(order)
        if self.modes.mode is not Mode.NORMAL or self._commits.full or self._killed(order, found):
            self._orders.end(order, OrderStatus.UNMATCHED)
        else:
            self._execute(order, found, "UPDATE")

    def _execute(self, order: Order, found: Sequence[Take], kind: str) -> Placement:
        trades = self._commits.match(order, found)
        shares, usdc = totals(found)
        rests = order.posted.order_type.rests and order.remaining_micros > 0
        if rests:
            self._orders.rest(order)
        else:
            self._orders.leave(order)
            order.status = OrderStatus.MATCHED
        self._orders.tell(kind, order)
        for trade in trades:
            self._bulletin.tell(TradeEvent(trade, trade.matched_at_ms))
        makers = [take.maker for take in found]
        self._orders.tell_book(order.market, [order, *makers] if rests else makers)
        self._follow(order.market, trades)
        making, taking = (usdc, shares) if order.posted.side is Side.BUY else (shares, usdc)
        status = "matched" if found else "live"
        return Placement(order.order_hash, status, making, taking, tuple(trade.trade_id for trade in trades))

    def _follow(self, market: Market, trades: Sequence[Trade]) -> None:
        """What matches bring about: another grid, and orders elsewhere that can no longer be paid for."""
        self.life.follow_price(market)
        for wallet in {part.order.posted.wallet for trade in trades for part in trade.parts}:
            if self._funds.overdrawn(wallet):
                self._funds.drop_unpaid(wallet)
