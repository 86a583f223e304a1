"""The user channel: what happens to the orders and trades of one API key's wallet (venue.md 5.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from services.venue.clob import shapes
from services.venue.credentials import Credentials
from services.venue.exchange import Exchange
from services.venue.model import Event, OrderEvent, TradeEvent
from services.venue.sockets.connection import Connection, Frame


@dataclass(eq=False)
class Owner:
    """One client: his wallet once he has named his key, and the markets that he wants (none: all)."""

    connection: Connection
    wallet: str = ""
    markets: set[str] = field(default_factory=set[str])

    def wants(self, wallet: str, condition_id: str) -> bool:
        return self.wallet == wallet and (not self.markets or condition_id in self.markets)


class UserChannel:
    """`/ws/user`."""

    def __init__(self, exchange: Exchange, credentials: Credentials) -> None:
        self._credentials = credentials
        self._owners: set[Owner] = set()
        exchange.subscribe(self._hear)

    def routes(self) -> list[WebSocketRoute]:
        return [WebSocketRoute("/ws/user", self.serve)]

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        owner = Owner(Connection(socket))
        self._owners.add(owner)

        async def heard(frame: Frame) -> bool:
            return self._asked(owner, frame)

        try:
            await owner.connection.serve(heard)
        finally:
            self._owners.discard(owner)

    def _asked(self, owner: Owner, frame: Frame) -> bool:
        wanted = frame.get("markets")
        named = {str(one) for one in cast(list[object], wanted)} if isinstance(wanted, list) else set[str]()
        if frame.get("operation") == "unsubscribe":
            owner.markets -= named
            return True
        owner.markets |= named
        auth = frame.get("auth")
        if not isinstance(auth, dict):
            return bool(owner.wallet)
        key = self._credentials.plain(cast(dict[str, object], auth))
        owner.wallet = key.address.lower() if key else ""
        return key is not None

    def _hear(self, event: Event) -> None:
        if not self._owners:
            return
        if isinstance(event, OrderEvent):
            posted = event.order.posted
            self._send(posted.wallet, event.order.market.condition_id, lambda: shapes.order_event(event))
        elif isinstance(event, TradeEvent):
            for wallet in {part.order.posted.wallet for part in event.trade.parts}:
                self._tell_trade(event, wallet)

    def _tell_trade(self, event: TradeEvent, wallet: str) -> None:
        self._send(wallet, event.trade.market.condition_id, lambda: shapes.trade_event(event, wallet))

    def _send(self, wallet: str, condition_id: str, frame: Callable[[], Frame]) -> None:
        for owner in self._owners:
            if owner.wants(wallet, condition_id):
                owner.connection.send(frame())
