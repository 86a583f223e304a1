"""Every order that was taken, and the books in which those that are not filled rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from services.venue.book import Book
from services.venue.engine.bulletin import Bulletin
from services.venue.model import MICRO, BookEvent, LevelChange, Market, Order, OrderEvent, OrderStatus


class Orders:
    """Orders by their hash, resting ones also by market and by wallet."""

    def __init__(self, markets: Iterable[Market], bulletin: Bulletin) -> None:
        self.known: dict[str, Order] = {}
        self._books = {market.condition_id: Book(market) for market in markets}
        self._resting: defaultdict[str, dict[str, Order]] = defaultdict(dict)
        self._bulletin = bulletin

    def book(self, market: Market) -> Book:
        return self._books[market.condition_id]

    def facing(self, order: Order) -> Iterator[Order]:
        """What this order would meet, best price first, no further than its limit."""
        return self.book(order.market).facing(order.yes_side, order.yes_price_micros)

    def resting_of(self, wallet: str) -> list[Order]:
        """The wallet's resting orders, oldest first."""
        return list(self._resting[wallet.lower()].values())

    def resting(self) -> list[Order]:
        """Everybody's resting orders."""
        return [order for orders in self._resting.values() for order in orders.values()]

    def rest(self, order: Order) -> None:
        """Put an order behind those of its price."""
        self.book(order.market).add(order)
        self._resting[order.posted.wallet][order.order_hash] = order

    def end(self, order: Order, status: OrderStatus) -> None:
        """Take an order out of its book, and say so."""
        order.status = status
        self.book(order.market).remove(order)
        self._resting[order.posted.wallet].pop(order.order_hash, None)
        self.tell("CANCELLATION" if status is OrderStatus.CANCELED else "UPDATE", order)

    def cancel(self, order: Order) -> None:
        """End a resting order, its level of the book included."""
        self.end(order, OrderStatus.CANCELED)
        self.tell_book(order.market, [order])

    def tell(self, kind: str, order: Order) -> None:
        """PLACEMENT, UPDATE or CANCELLATION of an order."""
        self._bulletin.tell(OrderEvent(kind, order, self._bulletin.now_ms()))

    def tell_book(self, market: Market, touched: Sequence[Order]) -> None:
        """The levels of these orders, as they are now, in both tokens' books."""
        book = self.book(market)
        changes: list[LevelChange] = []
        for side, price in dict.fromkeys((order.yes_side, order.yes_price_micros) for order in touched):
            size = book.size_at(side, price)
            changes.append(LevelChange(market.tokens[0], side, price, size))
            changes.append(LevelChange(market.tokens[1], side.other, MICRO - price, size))
        if changes:
            self._bulletin.tell(BookEvent(market, tuple(changes), self._bulletin.now_ms()))
