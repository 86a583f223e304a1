"""The user channel: what happens to the orders and trades of one API key's owner (venue.md 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import cast

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from services.venue.accounts import account_of
from services.venue.clob import shapes
from services.venue.credentials import Credentials
from services.venue.events import Event, OrderEvent, TradeEvent
from services.venue.exchange import Exchange
from services.venue.sockets.connection import Connection, Frame, Manners, kept, named, read_frame

SILENT_MS = 125_000
MOST_MARKETS = 10_000


@dataclass(eq=False)
class Owner:
    """One client: his wallets once he has named his key, and the markets that he wants (none: all)."""

    connection: Connection
    wallets: frozenset[str] = frozenset()
    markets: set[str] = field(default_factory=set[str])

    def wants(self, wallets: Collection[str], condition_id: str) -> bool:
        return not self.wallets.isdisjoint(wallets) and (not self.markets or condition_id in self.markets)


class UserChannel:
    """`/ws/user`."""

    def __init__(self, exchange: Exchange, credentials: Credentials) -> None:
        self.manners = Manners(SILENT_MS)
        self._credentials = credentials
        self._owners: set[Owner] = set()
        exchange.subscribe(self._hear)

    def routes(self) -> list[WebSocketRoute]:
        return [WebSocketRoute("/ws/user", self.serve)]

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        owner = Owner(Connection(socket, self.manners))
        self._owners.add(owner)

        def heard(text: str) -> bool:
            return self._asked(owner, read_frame(text))

        try:
            await owner.connection.serve(heard)
        finally:
            self._owners.discard(owner)

    def _asked(self, owner: Owner, frame: Frame) -> bool:
        markets = {one.lower() for one in named(frame, "markets")}
        if frame.get("operation") == "unsubscribe":
            owner.markets -= markets
            return True
        owner.markets = kept(owner.markets, markets, MOST_MARKETS, "markets")
        auth = frame.get("auth")
        if not isinstance(auth, dict):
            return bool(owner.wallets)
        key = self._credentials.plain(cast(dict[str, object], auth))
        owner.wallets = account_of(key.address).lower if key else frozenset()
        return key is not None

    def _hear(self, event: Event) -> None:
        if not self._owners:
            return
        if isinstance(event, OrderEvent):
            wallets = (event.order.posted.wallet,)
            self._send(wallets, event.order.market.condition_id, lambda _: shapes.order_event(event))
        elif isinstance(event, TradeEvent):
            wallets = tuple(part.order.posted.wallet for part in event.trade.parts)
            self._send(wallets, event.trade.market.condition_id, lambda mine: shapes.trade_event(event, mine))

    def _send(self, wallets: Collection[str], condition_id: str, frame: Callable[[frozenset[str]], Frame]) -> None:
        for owner in self._owners:
            if owner.wants(wallets, condition_id):
                owner.connection.send(frame(owner.wallets))
