"""How markets change while they are traded: grids, games, oracles, orders whose time is over."""

from __future__ import annotations

from services.venue import refusals
from services.venue.engine.agenda import Agenda
from services.venue.engine.bulletin import Bulletin
from services.venue.engine.orders import Orders
from services.venue.events import MarketEvent, MarketNews, TickEvent
from services.venue.model import MICRO, Market, OrderType, Side, Uma

# Beyond 0.04 and 0.96 the grid of a cent becomes one of a tenth (venue.md 3.9); it does not become coarser again.
EDGE_MICROS = 40_000
COARSE_MICROS = 10_000
FINE_MICROS = 1_000

EXPIRED = "EXPIRED_ORDER"
RESOLVED = "MARKET_RESOLVED"


class Life:
    """What happens to markets and their resting orders without a trader asking."""

    def __init__(self, orders: Orders, agenda: Agenda, bulletin: Bulletin) -> None:
        self._orders = orders
        self._agenda = agenda
        self._bulletin = bulletin

    def enlist(self, market: Market, *, announced: bool) -> None:
        """Watch a market's game; say that it is new."""
        if market.game_start_at:
            self._await_game(market)
        if announced:
            self.announce(market, MarketNews.LISTED)

    def grow(self, market: Market, hydrate_ms: int, label_ms: int) -> None:
        """A market that was just made: the CLOB and Gamma know its tokens so much later, the Data API its labels."""
        market.hydrated, market.labelled = not hydrate_ms, not label_ms
        now_ms = self._bulletin.now_ms()

        def hydrate() -> None:
            market.hydrated = True

        def label() -> None:
            market.labelled = True

        for after_ms, grown in ((hydrate_ms, hydrate), (label_ms, label)):
            if after_ms:
                self._agenda.at(now_ms + after_ms, grown)

    def schedule(self, market: Market, start_at: int) -> None:
        """The game of a market starts at that second, and its book is emptied then."""
        market.game_start_at, market.clear_on_start = start_at, True
        self._await_game(market)

    def change_tick(self, market: Market, tick_micros: int) -> None:
        """Give a market another grid of prices; what rests stays where it is."""
        old, market.tick_micros = market.tick_micros, tick_micros
        self._bulletin.tell(TickEvent(market, old, self._bulletin.now_ms()))

    def follow_price(self, market: Market) -> None:
        """Make the grid of a market finer when its price nears an end of the scale."""
        if not market.auto_tick or market.tick_micros != COARSE_MICROS:
            return
        book = self._orders.book(market)
        bid, ask = book.best(Side.BUY), book.best(Side.SELL)
        if bid is not None and ask is not None and not EDGE_MICROS <= (bid + ask) // 2 <= MICRO - EDGE_MICROS:
            self.change_tick(market, FINE_MICROS)

    def propose(self, market: Market, uma: Uma) -> None:
        """A proposed or disputed resolution takes the book away, none gives an empty one back."""
        market.uma = uma
        if not market.has_book:
            self.clear(market, "")
        self.announce(market, MarketNews.PROPOSED)

    def resolve(self, market: Market, payouts: tuple[int, int]) -> int:
        """End a market for good; how many orders rested there."""
        market.accepting_orders = False
        gone = self.clear(market, RESOLVED)
        market.closed, market.uma, market.payouts = True, Uma.RESOLVED, payouts
        return gone

    def clear(self, market: Market, reason: str) -> int:
        """Cancel everything that rests or waits in a market."""
        orders = self._orders.open_in(market)
        for order in orders:
            self._orders.cancel(order, reason)
        return len(orders)

    def expire(self) -> None:
        """Cancel resting orders whose time is over."""
        now_s = self._bulletin.now_ms() // 1000
        for order in self._orders.open():
            if order.posted.order_type is OrderType.GTD and order.posted.expiration <= now_s + refusals.GTD_AHEAD_S:
                self._orders.cancel(order, EXPIRED)

    def _await_game(self, market: Market) -> None:
        start_at = market.game_start_at

        def start() -> None:
            # A game that was put off has a time of its own.
            if market.game_start_at == start_at and not market.closed:
                if market.clear_on_start:
                    self.clear(market, "")
                self.announce(market, MarketNews.STARTED)

        self._agenda.at(start_at * 1_000, start)

    def announce(self, market: Market, news: MarketNews, winner: int = -1) -> None:
        """Tell everyone of a market as a whole; `winner` is the place of the outcome that is paid whole."""
        self._bulletin.tell(MarketEvent(market, news, self._bulletin.now_ms(), winner))
