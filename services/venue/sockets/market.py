"""The market channel: whole books on subscription and after trades, changes of levels, trades; no wallets (venue.md 5.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from services.venue.clock import Clock
from services.venue.events import BookEvent, Event, MarketEvent, MarketNews, SentEvent, TickEvent, TradeEvent
from services.venue.exchange import Exchange
from services.venue.model import TradeStatus
from services.venue.sockets import market_frames
from services.venue.sockets.connection import Connection, Frame, Manners, kept, named, read_frame, written

SILENT_MS = 125_000
# Names of tokens that one client may have subscribed to, also those of none: far more than the venue has.
MOST_TOKENS = 20_000


@dataclass(eq=False)
class Subscriber:
    """One client, the tokens that he wants, and whether he wants the events that must be asked for."""

    connection: Connection
    tokens: set[str] = field(default_factory=set[str])
    custom: bool = False


class MarketChannel:
    """`/ws/market`."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self.manners = Manners(SILENT_MS)
        self._exchange = exchange
        self._clock = clock
        self._subscribers: set[Subscriber] = set()
        self._of_token: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self._tops: dict[str, market_frames.Top] = {}
        self._traded: set[str] = set()
        exchange.subscribe(self._hear)

    def routes(self) -> list[WebSocketRoute]:
        return [WebSocketRoute("/ws/market", self.serve)]

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        subscriber = Subscriber(Connection(socket, self.manners))
        self._subscribers.add(subscriber)

        def heard(text: str) -> bool:
            self._asked(subscriber, read_frame(text))
            return True

        try:
            await subscriber.connection.serve(heard)
        finally:
            self._leave(subscriber, list(subscriber.tokens))
            self._subscribers.discard(subscriber)

    def _asked(self, subscriber: Subscriber, frame: Frame) -> None:
        tokens = named(frame, "assets_ids")
        if frame.get("operation") == "unsubscribe":
            self._leave(subscriber, tokens)
            return
        # The flag is taken also from a frame that names nothing new: so clients change it.
        if isinstance(frame.get("custom_feature_enabled"), bool):
            subscriber.custom = frame["custom_feature_enabled"]
        kept(subscriber.tokens, set(tokens), MOST_TOKENS, "tokens")
        fresh = [token for token in tokens if token not in subscriber.tokens]
        books = self._join(subscriber, fresh)
        if frame.get("type") == "market" and books:
            subscriber.connection.send(books)
            return
        for book in books:
            subscriber.connection.send(book)

    def _join(self, subscriber: Subscriber, tokens: Iterable[str]) -> list[Frame]:
        """The books of the tokens that have one; a token without is subscribed all the same."""
        books: list[Frame] = []
        for token in tokens:
            view = self._exchange.book(token)
            if not self._of_token[token]:
                self._tops[token] = market_frames.top(view)
            self._of_token[token].add(subscriber)
            subscriber.tokens.add(token)
            books += [market_frames.book(view, self._clock.now_ms())] if view else []
        return books

    def _leave(self, subscriber: Subscriber, tokens: Iterable[str]) -> None:
        for token in tokens:
            subscriber.tokens.discard(token)
            self._of_token[token].discard(subscriber)
            if not self._of_token[token]:
                del self._of_token[token]
                self._tops.pop(token, None)

    def _hear(self, event: Event) -> None:
        if not self._subscribers:
            return
        match event:
            case BookEvent():
                self._levels(event)
            case TradeEvent():
                if event.trade.status is TradeStatus.MATCHED:
                    self._traded.add(event.trade.market.condition_id)
            case SentEvent() if not event.trade.reverts:
                tokens = (event.trade.taker.order.posted.token_id,)
                self._tell(self._listening(tokens), market_frames.last_trade_price(event))
            case TickEvent():
                for token in event.market.tokens:
                    self._tell(self._listening((token,)), market_frames.tick_size_change(event, token))
            case MarketEvent():
                self._news(event)
            case _:
                pass

    def _levels(self, event: BookEvent) -> None:
        """Changed levels; after a trade the whole books too, and whoever asked for it hears of new best prices."""
        market = event.market
        traded = market.condition_id in self._traded
        self._traded.discard(market.condition_id)
        listening = self._listening(market.tokens)
        if not listening:
            return
        views = {token: self._exchange.book(token) for token in market.tokens}
        self._tell(listening, market_frames.price_change(event, views))
        for token, view in views.items():
            wanting = self._listening((token,))
            if traded and view:
                self._tell(wanting, market_frames.book(view, event.at_ms))
            best = market_frames.top(view)
            if wanting and self._tops.get(token) != best:
                self._tops[token] = best
                self._tell(_custom(wanting), market_frames.best_bid_ask(market, token, best, event.at_ms))

    def _news(self, event: MarketEvent) -> None:
        if event.news is MarketNews.LISTED:
            self._tell(_custom(self._subscribers), market_frames.new_market(event))
        elif event.news is MarketNews.RESOLVED:
            self._tell(_custom(self._listening(event.market.tokens)), market_frames.market_resolved(event))

    def _listening(self, tokens: Sequence[str]) -> set[Subscriber]:
        found: set[Subscriber] = set()
        for token in tokens:
            # `get`: asking must not make an entry.
            found |= self._of_token.get(token, set())
        return found

    def _tell(self, subscribers: Iterable[Subscriber], frame: dict[str, Any]) -> None:
        wanting = list(subscribers)
        if not wanting:
            return
        text = written(frame)
        for subscriber in wanting:
            subscriber.connection.send_text(text)


def _custom(subscribers: Iterable[Subscriber]) -> list[Subscriber]:
    return [subscriber for subscriber in subscribers if subscriber.custom]
