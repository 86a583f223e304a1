"""RTDS: a WebSocket that tells everybody of every mined fill, of comments and of prices (venue.md 5.3)."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from services.venue.data.rows import Row, rtds_payload
from services.venue.model import Fill, Market
from services.venue.rtds_topics import (
    ACTIVITY,
    ANY,
    ORDERS_MATCHED,
    SNAPSHOT,
    TRADES,
    TYPES,
    UPDATE,
    filters_of,
    passes,
    prices,
    snapshots,
)
from services.venue.sockets.connection import Connection, Manners, written

SILENT_MS = 360_000
PRICES_EVERY_S = 1.0
MOST_SUBSCRIPTIONS = 2_000
LONGEST_FILTERS = 1_000


@dataclass(frozen=True, slots=True)
class Subscription:
    """One wanted type of a topic, narrowed by filters."""

    topic: str
    kind: str
    filters: tuple[tuple[str, str], ...] = ()

    def wants(self, topic: str, kind: str, payload: Mapping[str, Any]) -> bool:
        return self.topic == topic and self.kind in (kind, ANY) and passes(dict(self.filters), payload)


class Refused(Exception):
    """A subscription frame with a topic, type or filter that RTDS does not know, or one too many: nothing of it takes effect."""


@dataclass(eq=False)
class Listener:
    """One connection, and what it wants."""

    connection: Connection
    connection_id: str
    wanted: set[Subscription] = field(default_factory=set[Subscription])

    def wanted_after(self, action: str, named: set[Subscription]) -> set[Subscription]:
        """What is wanted once these are taken on, or given up. Raises Refused."""
        if action == "unsubscribe":
            return self.wanted - named
        both = self.wanted | named
        if len(both) > MOST_SUBSCRIPTIONS:
            raise Refused(f"too many subscriptions: at most {MOST_SUBSCRIPTIONS} in one connection")
        return both

    def offer(self, topic: str, kind: str, payload: Row, now_ms: int) -> None:
        """Send a frame, if it is wanted and the listener still pings."""
        if not self.connection.silent and any(one.wants(topic, kind, payload) for one in self.wanted):
            self.tell(topic, kind, payload, now_ms)

    def tell(self, topic: str, kind: str, payload: Row, now_ms: int) -> None:
        frame = {"payload": payload, "timestamp": now_ms, "topic": topic, "type": kind}
        self.connection.send({"connection_id": self.connection_id, **frame})


class Rtds:
    """Hand `publish` every mined fill once, in chain order."""

    def __init__(
        self,
        markets: Mapping[str, Market],
        name: Callable[[str], str],
        checksum: Callable[[str], str],
        now_ms: Callable[[], int],
    ) -> None:
        self.manners = Manners(SILENT_MS, pong="", resets=False)
        self._markets = markets
        self._name = name
        self._checksum = checksum
        self._now_ms = now_ms
        self._listeners: set[Listener] = set()

    def routes(self) -> list[WebSocketRoute]:
        return [WebSocketRoute("/rtds", self.serve)]

    def publish(self, fill: Fill) -> None:
        """One frame for each subscription that wants it: `trades` has both roles, `orders_matched` takers only."""
        if not self._listeners:
            return
        wallet = self._checksum(fill.wallet)
        payload = rtds_payload(
            fill, self._markets[fill.condition_id], self._name(fill.wallet), wallet, fill.block_timestamp - 1
        )
        for kind in (TRADES, ORDERS_MATCHED) if str(fill.role) == "TAKER" else (TRADES,):
            self.say(ACTIVITY, kind, payload)

    def say(self, topic: str, kind: str, payload: Row) -> None:
        """A frame for everyone who wants it."""
        now_ms = self._now_ms()
        for listener in self._listeners:
            listener.offer(topic, kind, payload, now_ms)

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        name = base64.b64encode(secrets.token_bytes(12)).decode()  # chance: a name
        listener = Listener(Connection(socket, self.manners), name)
        self._listeners.add(listener)

        def heard(text: str) -> bool:
            self._obey(listener, text)
            return True

        try:
            await listener.connection.serve(heard, self._price(listener))
        finally:
            self._listeners.discard(listener)

    async def _price(self, listener: Listener) -> None:
        while True:
            await asyncio.sleep(PRICES_EVERY_S)  # clock: a pace for readers, who live in the machine's time
            now_ms = self._now_ms()
            for topic in {one.topic for one in listener.wanted}:
                for payload in prices(topic, now_ms):
                    listener.offer(topic, UPDATE, payload, now_ms)

    def _obey(self, listener: Listener, text: str) -> None:
        try:
            action, subscriptions = read_subscriptions(text)
            wanted = listener.wanted_after(action, subscriptions)
        except Refused as refused:
            message = {"message": str(refused), "connectionId": listener.connection_id, "statusCode": 400}
            listener.connection.send_text(written({"body": message, "statusCode": 400}))
            return
        fresh, now_ms = wanted - listener.wanted, self._now_ms()
        listener.wanted = wanted
        for topic in {one.topic for one in fresh}:
            for payload in snapshots(topic, now_ms):
                listener.tell(topic, SNAPSHOT, payload, now_ms)


def read_subscriptions(text: str) -> tuple[str, set[Subscription]]:
    """A frame's action and what it names; raises Refused for the whole of it when one part is wrong."""
    try:
        frame = cast(object, orjson.loads(text))
    except ValueError as error:
        raise Refused("Invalid request body") from error
    fields = cast(dict[str, Any], frame) if isinstance(frame, dict) else {}
    action, wanted = fields.get("action"), fields.get("subscriptions")
    if action not in ("subscribe", "unsubscribe") or not isinstance(wanted, list):
        raise Refused("Invalid request body")
    return str(action), {_subscription(one) for one in cast(list[Any], wanted)}


def _subscription(one: Any) -> Subscription:
    fields = cast(dict[str, Any], one) if isinstance(one, dict) else {}
    topic, kind = fields.get("topic"), fields.get("type")
    if not isinstance(topic, str) or topic not in TYPES or kind not in (*TYPES[topic], ANY):
        raise Refused("invalid topic or type")
    return Subscription(topic, str(kind), _filters(topic, fields.get("filters") or "{}"))


def _filters(topic: str, text: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(text, str) or " " in text or len(text) > LONGEST_FILTERS:
        raise Refused("filters validation failed")
    try:
        found = cast(object, orjson.loads(text))
    except ValueError as error:
        raise Refused("filters validation failed") from error
    pairs = cast(dict[str, object], found) if isinstance(found, dict) else {"": found}
    if not set(pairs) <= filters_of(topic) or not all(isinstance(value, str | int) for value in pairs.values()):
        raise Refused("filters validation failed")
    return tuple(sorted((name, str(value)) for name, value in pairs.items()))
