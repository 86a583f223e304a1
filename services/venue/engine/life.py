"""How markets change while they are traded: another grid of prices, orders whose time is over."""

from __future__ import annotations

from services.venue import refusals
from services.venue.engine.bulletin import Bulletin
from services.venue.engine.orders import Orders
from services.venue.model import Market, MarketEvent, MarketNews, OrderType, TickEvent


class Life:
    """What happens to markets and their resting orders without a trader asking."""

    def __init__(self, orders: Orders, bulletin: Bulletin) -> None:
        self._orders = orders
        self._bulletin = bulletin

    def change_tick(self, market: Market, tick_micros: int) -> None:
        """Give a market another grid of prices; what rests stays where it is."""
        old, market.tick_micros = market.tick_micros, tick_micros
        self._bulletin.tell(TickEvent(market, old, self._bulletin.now_ms()))

    def announce(self, market: Market, news: MarketNews, winner: int = -1) -> None:
        """Tell everyone of a market that was listed, or resolved for the outcome at place `winner`."""
        self._bulletin.tell(MarketEvent(market, news, self._bulletin.now_ms(), winner))

    def expire(self) -> None:
        """Cancel resting orders whose time is over."""
        ends_by = self._bulletin.now_ms() // 1000 + refusals.GTD_AHEAD_S
        for order in self._orders.resting():
            if order.posted.order_type is OrderType.GTD and order.posted.expiration <= ends_by:
                self._orders.cancel(order)
