"""RTDS: a WebSocket that tells everybody of every mined fill (venue.md 5.3)."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.venue.data.rows import Row, rtds_payload
from services.venue.model import Fill, Market

TOPIC = "activity"
TRADES, ORDERS_MATCHED = "trades", "orders_matched"
TYPES = frozenset({TRADES, ORDERS_MATCHED, "*"})
QUEUED_FRAMES = 5_000
SILENT_AFTER_MS = 360_000
TOO_SLOW = 1013


@dataclass(frozen=True, slots=True)
class Subscription:
    """One wanted type of the topic, of one event or market where the filter names it."""

    kind: str
    event_slug: str = ""
    market_slug: str = ""

    def wants(self, kind: str, payload: Mapping[str, Any]) -> bool:
        return (
            self.kind in (kind, "*")
            and self.event_slug in ("", payload["eventSlug"])
            and self.market_slug in ("", payload["slug"])
        )


class Refused(Exception):
    """A subscription frame with a topic, type or filter that RTDS does not know: nothing of it takes effect."""


@dataclass(eq=False)
class Listener:
    """One connection: what it wants, and what it has not been sent yet."""

    connection_id: str
    heard_at_ms: int
    wanted: set[Subscription] = field(default_factory=set[Subscription])
    queue: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue[str](QUEUED_FRAMES))
    too_slow: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, frame: str) -> None:
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.too_slow.set()


class Rtds:
    """Hand `publish` every mined fill once, in chain order."""

    def __init__(
        self,
        markets: Mapping[str, Market],
        name: Callable[[str], str],
        checksum: Callable[[str], str],
        now_ms: Callable[[], int],
    ) -> None:
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
        now_ms, wallet = self._now_ms(), self._checksum(fill.wallet)
        payload = rtds_payload(
            fill, self._markets[fill.condition_id], self._name(fill.wallet), wallet, fill.block_timestamp - 1
        )
        kinds = (TRADES, ORDERS_MATCHED) if str(fill.role) == "TAKER" else (TRADES,)
        for listener in self._listeners:
            if now_ms - listener.heard_at_ms < SILENT_AFTER_MS:
                _deliver(listener, kinds, payload, now_ms)

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        listener = Listener(base64.b64encode(secrets.token_bytes(12)).decode(), self._now_ms())  # chance: a name
        self._listeners.add(listener)
        parts = [
            asyncio.create_task(part)
            for part in (self._hear(socket, listener), _speak(socket, listener), _watch(listener))
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            if listener.too_slow.is_set():
                await socket.close(TOO_SLOW)
        finally:
            self._listeners.discard(listener)
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _hear(self, socket: WebSocket, listener: Listener) -> None:
        try:
            while True:
                text = await socket.receive_text()
                listener.heard_at_ms = self._now_ms()
                if text.upper() == "PING":
                    listener.send("")
                else:
                    _obey(listener, text)
        except WebSocketDisconnect:
            return


async def _speak(socket: WebSocket, listener: Listener) -> None:
    try:
        while True:
            await socket.send_text(await listener.queue.get())
    except (WebSocketDisconnect, RuntimeError):
        # Starlette says RuntimeError when the peer has gone between two frames.
        return


async def _watch(listener: Listener) -> None:
    await listener.too_slow.wait()


def _deliver(listener: Listener, kinds: tuple[str, ...], payload: Row, now_ms: int) -> None:
    for kind in kinds:
        if any(one.wants(kind, payload) for one in listener.wanted):
            frame = {
                "connection_id": listener.connection_id,
                "payload": payload,
                "timestamp": now_ms,
                "topic": TOPIC,
                "type": kind,
            }
            listener.send(orjson.dumps(frame).decode())


def _obey(listener: Listener, text: str) -> None:
    try:
        action, subscriptions = read_subscriptions(text)
    except Refused as refused:
        message = {"message": str(refused), "connectionId": listener.connection_id, "statusCode": 400}
        listener.send(orjson.dumps({"body": message, "statusCode": 400}).decode())
        return
    if action == "subscribe":
        listener.wanted |= subscriptions
    else:
        listener.wanted -= subscriptions


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
    if fields.get("topic") != TOPIC or fields.get("type") not in TYPES:
        raise Refused("invalid topic or type")
    filters = _filters(fields.get("filters") or "{}")
    return Subscription(str(fields["type"]), filters.get("event_slug", ""), filters.get("market_slug", ""))


def _filters(text: object) -> dict[str, str]:
    if not isinstance(text, str) or " " in text:
        raise Refused("filters validation failed")
    try:
        found = cast(object, orjson.loads(text))
    except ValueError as error:
        raise Refused("filters validation failed") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in cast(dict[str, Any], found).values()):
        raise Refused("filters validation failed")
    return cast(dict[str, str], found)
