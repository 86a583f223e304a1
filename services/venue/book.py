"""One market's resting orders in price-time order. The two outcomes share one book: buying the one is selling the other."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator

from services.venue.model import MICRO, Market, Order, Side

Levels = dict[int, int]


class Book:
    """Orders by their side and price in terms of the first outcome; within a price, first come is first served."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._queues: dict[Side, dict[int, list[Order]]] = {Side.BUY: {}, Side.SELL: {}}
        self._prices: dict[Side, list[int]] = {Side.BUY: [], Side.SELL: []}

    def add(self, order: Order) -> None:
        """Rest an order at the end of its queue."""
        side, price = order.yes_side, order.yes_price_micros
        if price not in self._queues[side]:
            self._queues[side][price] = []
            insort(self._prices[side], price)
        self._queues[side][price].append(order)

    def remove(self, order: Order) -> None:
        """Take an order out, filled or cancelled."""
        side, price = order.yes_side, order.yes_price_micros
        queue = self._queues[side].get(price, [])
        if order in queue:
            queue.remove(order)
        if not queue and price in self._queues[side]:
            del self._queues[side][price]
            self._prices[side].remove(price)

    def facing(self, side: Side, limit_micros: int) -> Iterator[Order]:
        """Resting orders that one of this side (first outcome) would meet, best price first, no further than its limit."""
        opposite = side.other
        prices = list(self._prices[opposite])
        for price in prices if opposite is Side.SELL else reversed(prices):
            beyond = price > limit_micros if side is Side.BUY else price < limit_micros
            if beyond:
                return
            yield from list(self._queues[opposite][price])

    def levels(self, token_id: str, side: Side) -> Levels:
        """Total sizes by price of one side of one token."""
        first = token_id == self.market.tokens[0]
        totals: Levels = defaultdict(int)
        for price, queue in self._queues[side if first else side.other].items():
            totals[price if first else MICRO - price] += sum(order.remaining_micros for order in queue)
        return dict(totals)

    def size_at(self, yes_side: Side, yes_price_micros: int) -> int:
        """The total that rests at one price of the first outcome."""
        return sum(order.remaining_micros for order in self._queues[yes_side].get(yes_price_micros, []))

    def best(self, side: Side) -> int | None:
        """The best price of the first outcome on this side."""
        prices = self._prices[side]
        return (prices[-1] if side is Side.BUY else prices[0]) if prices else None
