"""The market channel: whole books on subscription, then changes of levels and trades; no wallets (venue.md 5.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from services.venue.clob import shapes
from services.venue.clock import Clock
from services.venue.exchange import Exchange
from services.venue.model import MICRO, BookEvent, BookView, Event, MinedEvent, TickEvent
from services.venue.sockets.connection import Connection, Frame


@dataclass(eq=False)
class Subscriber:
    """One client and the tokens that he wants."""

    connection: Connection
    tokens: set[str] = field(default_factory=set[str])


class MarketChannel:
    """`/ws/market`."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._subscribers: set[Subscriber] = set()
        exchange.subscribe(self._hear)

    def routes(self) -> list[WebSocketRoute]:
        return [WebSocketRoute("/ws/market", self.serve)]

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        subscriber = Subscriber(Connection(socket, self._clock))
        self._subscribers.add(subscriber)

        async def heard(frame: Frame) -> bool:
            self._asked(subscriber, frame)
            return True

        try:
            await subscriber.connection.serve(heard)
        finally:
            self._subscribers.discard(subscriber)

    def _asked(self, subscriber: Subscriber, frame: Frame) -> None:
        wanted = frame.get("assets_ids")
        named = [str(one) for one in cast(list[object], wanted)] if isinstance(wanted, list) else []
        if frame.get("operation") == "unsubscribe":
            subscriber.tokens.difference_update(named)
            return
        # A token that is subscribed already gives nothing.
        fresh = [token for token in dict.fromkeys(named) if token not in subscriber.tokens]
        subscriber.tokens.update(fresh)
        books = [self._book(view) for view in map(self._exchange.book, fresh) if view]
        if frame.get("type") == "market" and books:
            subscriber.connection.send(books)
            return
        for book in books:
            subscriber.connection.send(book)

    def _book(self, view: BookView) -> dict[str, Any]:
        book = shapes.book(view, self._clock.now_ms())
        del book["min_order_size"], book["neg_risk"]
        return {**book, "event_type": "book"}

    def _hear(self, event: Event) -> None:
        if not self._subscribers:
            return
        match event:
            case BookEvent():
                self._send(event.market.tokens, self._changes(event))
            case MinedEvent():
                self._send((event.trade.taker.order.posted.token_id,), _last_trade(event))
            case TickEvent():
                for token in event.market.tokens:
                    self._send((token,), _tick_change(event, token))
            case _:
                pass

    def _changes(self, event: BookEvent) -> dict[str, Any]:
        tops = {token: self._top(token, event.at_ms) for token in event.market.tokens}
        changes = [
            {
                "asset_id": change.token_id,
                "price": shapes.text(change.price_micros),
                "size": shapes.text(change.size_micros),
                "side": str(change.side),
                **tops[change.token_id],
            }
            for change in event.changes
        ]
        return {
            "market": event.market.condition_id,
            "price_changes": changes,
            "timestamp": str(event.at_ms),
            "event_type": "price_change",
        }

    def _top(self, token: str, at_ms: int) -> dict[str, str]:
        """The hash and the best prices of the book as the change has left it."""
        view = self._exchange.book(token)
        bid = view.bids[-1][0] if view and view.bids else 0
        ask = view.asks[-1][0] if view and view.asks else MICRO
        return {
            "hash": shapes.book(view, at_ms)["hash"] if view else "",
            "best_bid": shapes.text(bid),
            "best_ask": shapes.text(ask),
        }

    def _send(self, tokens: tuple[str, ...], frame: dict[str, Any]) -> None:
        for subscriber in self._subscribers:
            if not subscriber.tokens.isdisjoint(tokens):
                subscriber.connection.send(frame)


def _last_trade(event: MinedEvent) -> dict[str, Any]:
    taker = event.trade.taker
    return {
        "market": event.trade.market.condition_id,
        "asset_id": taker.order.posted.token_id,
        "price": shapes.text(taker.price_micros),
        "size": shapes.text(taker.shares_micros),
        "fee_rate_bps": "0",
        "side": str(taker.order.posted.side),
        "timestamp": str(event.at_ms),
        "event_type": "last_trade_price",
        "transaction_hash": event.trade.tx_hash,
    }


def _tick_change(event: TickEvent, token: str) -> dict[str, Any]:
    return {
        "market": event.market.condition_id,
        "asset_id": token,
        "old_tick_size": shapes.text(event.old_micros),
        "new_tick_size": shapes.text(event.market.tick_micros),
        "timestamp": str(event.at_ms),
        "event_type": "tick_size_change",
    }
