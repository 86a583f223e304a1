"""Every order that was taken, and the books in which those that are not filled rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from services.venue.book import Book
from services.venue.engine.bulletin import Bulletin
from services.venue.engine.memory import KEPT_ORDERS, Hashes, Memory
from services.venue.events import BookEvent, LevelChange, OrderEvent
from services.venue.model import MICRO, Market, Order, OrderStatus, Side


class Orders:
    """Orders by their hash; open ones, resting or delayed, also by wallet, with what they keep aside."""

    def __init__(self, markets: Iterable[Market], bulletin: Bulletin) -> None:
        self.known: dict[str, Order] = {}
        self._memory = Memory(KEPT_ORDERS, self._forget)
        self._forgotten = Hashes()
        self._books = {market.condition_id: Book(market) for market in markets}
        self._open: defaultdict[str, dict[str, Order]] = defaultdict(dict)
        self._kept: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._bulletin = bulletin

    def enlist(self, market: Market) -> None:
        """Give a market an empty book."""
        self._books[market.condition_id] = Book(market)

    def book(self, market: Market) -> Book:
        return self._books[market.condition_id]

    def facing(self, order: Order) -> Iterator[Order]:
        """What this order would meet, best price first, no further than its limit."""
        return self.book(order.market).facing(order.yes_side, order.yes_price_micros)

    def open_of(self, wallet: str) -> list[Order]:
        """The wallet's open orders, oldest first."""
        return list(self._open.get(wallet.lower(), {}).values())

    def open(self) -> list[Order]:
        """Everybody's open orders."""
        return [order for orders in self._open.values() for order in orders.values()]

    def open_in(self, market: Market) -> list[Order]:
        """The open orders of a market."""
        return [order for order in self.open() if order.market is market]

    def has_had(self, order_hash: str) -> bool:
        """Whether an order of this hash was taken before."""
        return order_hash in self.known or order_hash in self._forgotten

    def rest(self, order: Order) -> None:
        """Put an order behind those of its price."""
        order.status = OrderStatus.LIVE
        self.book(order.market).add(order)
        self._keep(order)

    def delay(self, order: Order) -> None:
        """Keep an order open that has not met the book yet."""
        order.status = OrderStatus.DELAYED
        self._keep(order)

    def recount(self, order: Order) -> None:
        """Take note that an order is filled further, or less far."""
        self.book(order.market).recount(order)
        if order.status.open and order.order_hash in self._open.get(order.posted.wallet, {}):
            self._keep_aside(order, _promise(order))

    def kept(self, wallet: str, purpose: str) -> int:
        """What the wallet's open orders keep aside: dollars in a market (its condition), shares of a token, or, under "", all dollars."""
        return self._kept.get((wallet, purpose), 0)

    def leave(self, order: Order) -> None:
        """Take an order out of its book and of those that are open, without a word."""
        self.book(order.market).remove(order)
        mine = self._open[order.posted.wallet]
        mine.pop(order.order_hash, None)
        if not mine:
            del self._open[order.posted.wallet]
        self._keep_aside(order, 0)
        self._memory.ended(order.order_hash)

    def suspend(self, order: Order) -> None:
        """Nobody meets an open order for a while."""
        self.book(order.market).remove(order)

    def end(self, order: Order, status: OrderStatus, reason: str = "") -> None:
        """Take an order out of its book, and say so."""
        order.status, order.reason = status, reason
        self.leave(order)
        self.tell("UPDATE" if status is OrderStatus.MATCHED else "CANCELLATION", order)

    def cancel(self, order: Order, reason: str = "") -> None:
        """End an open order, its level of the book included; `reason` where its owner did not ask for it."""
        self.end(order, OrderStatus.CANCELED, reason)
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

    def _forget(self, order_hash: str) -> None:
        order = self.known.get(order_hash)
        if order is not None and not order.status.open:
            del self.known[order_hash]
            self._forgotten.add(order_hash)

    def _keep(self, order: Order) -> None:
        self._open[order.posted.wallet][order.order_hash] = order
        self._keep_aside(order, _promise(order))

    def _keep_aside(self, order: Order, micros: int) -> None:
        more, posted = micros - order.kept_micros, order.posted
        order.kept_micros = micros
        purposes = (order.market.condition_id, "") if posted.side is Side.BUY else (posted.token_id,)
        for purpose in purposes:
            self._kept[posted.wallet, purpose] += more
            if not self._kept[posted.wallet, purpose]:
                del self._kept[posted.wallet, purpose]


def _promise(order: Order) -> int:
    """Dollars that a purchase may still cost, shares that a sale may still take."""
    left = order.remaining_micros
    return left * order.price_micros // MICRO if order.posted.side is Side.BUY else left
