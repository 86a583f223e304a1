"""One market's resting orders in price-time order. The two outcomes share one book: buying the one is selling the other."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.venue.model import MICRO, Market, Order, Side

Levels = dict[int, int]


@dataclass(slots=True)
class Level:
    """The orders at one price, first come first, and their total."""

    total_micros: int = 0
    orders: dict[str, Order] = field(default_factory=dict[str, Order])


class Book:
    """Orders by their side and price in terms of the first outcome; within a price, first come is first served."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._levels: dict[Side, dict[int, Level]] = {Side.BUY: {}, Side.SELL: {}}
        self._prices: dict[Side, list[int]] = {Side.BUY: [], Side.SELL: []}

    def add(self, order: Order) -> None:
        """Rest an order at the end of its queue."""
        side, price = order.yes_side, order.yes_price_micros
        level = self._levels[side].get(price)
        if level is None:
            level = self._levels[side][price] = Level()
            insort(self._prices[side], price)
        level.orders[order.order_hash] = order
        self._count(level, order, order.remaining_micros)

    def remove(self, order: Order) -> None:
        """Take an order out, filled or cancelled."""
        side, price = order.yes_side, order.yes_price_micros
        level = self._levels[side].get(price)
        if level is None or level.orders.pop(order.order_hash, None) is None:
            return
        self._count(level, order, 0)
        if not level.orders:
            del self._levels[side][price]
            prices = self._prices[side]
            del prices[bisect_left(prices, price)]

    def recount(self, order: Order) -> None:
        """Take note that a resting order is filled further, or less far."""
        level = self._levels[order.yes_side].get(order.yes_price_micros)
        if level is not None and order.order_hash in level.orders:
            self._count(level, order, order.remaining_micros)

    def facing(self, side: Side, limit_micros: int) -> Iterator[Order]:
        """Resting orders that one of this side (first outcome) would meet, best price first, no further than its limit."""
        opposite = side.other
        prices = list(self._prices[opposite])
        for price in prices if opposite is Side.SELL else reversed(prices):
            beyond = price > limit_micros if side is Side.BUY else price < limit_micros
            if beyond:
                return
            yield from list(self._levels[opposite][price].orders.values())

    def levels(self, token_id: str, side: Side) -> Levels:
        """Total sizes by price of one side of one token."""
        first = token_id == self.market.tokens[0]
        found = self._levels[side if first else side.other].items()
        return {price if first else MICRO - price: level.total_micros for price, level in found}

    def size_at(self, yes_side: Side, yes_price_micros: int) -> int:
        """The total that rests at one price of the first outcome."""
        level = self._levels[yes_side].get(yes_price_micros)
        return level.total_micros if level else 0

    def best(self, side: Side) -> int | None:
        """The best price of the first outcome on this side."""
        prices = self._prices[side]
        return (prices[-1] if side is Side.BUY else prices[0]) if prices else None

    def _count(self, level: Level, order: Order, shown_micros: int) -> None:
        level.total_micros += shown_micros - order.shown_micros
        order.shown_micros = shown_micros
