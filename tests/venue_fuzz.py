"""Requests that nobody sends on purpose, drawn from a seed: the same seed draws the same requests, in the same order.

A generator of our own, because what is wanted of it no tool has: the venue has no schema that a schema-driven tester
could start from, its routes are read off the running application, and half of what hurts lies below a schema: headers
that are no text, digits that are none, bodies cut short.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote, unquote

import websockets

from services.common.polymarket.auth import Credentials, l2_headers
from tests.patience import PATIENT_S

HOSTILE_TEXTS = (
    "", " ", "0", "-1", "1", "²", "٣", "1e999999", "NaN", "Infinity", "-0", "0x", "0xzz", "true", "null", "[]", "{}", "%00", "..",
    "../../admin/health", "'; DROP TABLE orders; --", "é" * 40, "\u202e\ud7ff\uffff", "9" * 80, "9" * 5_000, "a" * 3_000,
    "1.0000000000000000000000001", ",,,", "MA==", "LTE=", "eyJ0Ijoic2lnIn0", "é.é", "BUY", "SELL", "0x" + "f" * 64, "0x" + "f" * 40,
)  # fmt: skip
HOSTILE_VALUES = (
    None, True, False, 0, -1, 1, 2**53, 2**63, 2**256, -(2**256), 1e308, -0.0, 0.1, "", "0", "NaN", "9" * 5_000, "²", [], {}, [[]], [None],
    {"": {}}, ["a"] * 600, "\x00", "é" * 300, "0x" + "0" * 64,
)  # fmt: skip
BODIES = (
    b"", b"{", b"[", b"null", b"0", b'"', b"\xff\xfe\x00", b"{}", b"[]", b"[{}]", b"[null]", b'{"a":1e400}', b"NaN", b"[" * 2_000,
    b'{"a":' * 900 + b"1" + b"}" * 900, b'{"order":{}}', b"-", b'{"a":"\\ud800"}', b" " * 1_000, b"9" * 5_000, b'"' + b"x" * 200_000 + b'"',
)  # fmt: skip
PARAMETERS = (
    "user", "market", "eventId", "event_id", "type", "start", "end", "side", "sortBy", "sort_by", "sortDirection", "limit", "offset", "cursor",
    "takerOnly", "filterType", "filterAmount", "filter_amount", "condition", "condition_id", "status", "token_id", "asset_id", "id", "slug",
    "closed", "active", "condition_ids", "clob_token_ids", "after_cursor", "next_cursor", "asset_type", "signature_type", "hash", "after",
    "before", "maker_address", "interval", "fidelity", "startTs", "endTs", "order", "ascending", "q", "title", "sizeThreshold", "redeemable",
    "mergeable", "period", "nonce", "geoblock_token", "address", "_", "é",
)  # fmt: skip
FIELDS = (
    "order", "owner", "orderType", "deferExec", "postOnly", "salt", "maker", "signer", "tokenId", "makerAmount", "takerAmount", "side",
    "expiration", "signatureType", "timestamp", "metadata", "builder", "signature", "orderID", "market", "asset_id", "token_id", "heartbeat_id",
    "condition_id", "tick_micros", "address", "usdc_micros", "trader", "outcome", "shares_micros", "price", "fraction_bps", "levels", "orders",
    "name", "speed", "delay_s", "lag_ms", "cache_ms", "from", "to", "data", "nonce", "type", "mode", "kind", "rate_bps", "times", "ms", "status",
)  # fmt: skip
# What an owner of the venue may do to it on purpose is no accident: it would hide all that comes after.
SPARED = ("/admin/faults", "/admin/clock", "/admin/script")
# Whoever ends his own key is a stranger ever after, and everything behind the door is left in peace.
SPARED_CALLS = (("DELETE", "/clob/auth/api-key"),)
# What is signed for otherwise than by the headers that are drawn here.
OTHER_KEYS = ("/clob/auth/",)


@dataclass(slots=True)
class Known:
    """Values that mean something here, so that not everything ends at the first check."""

    texts: list[str]
    bodies: list[bytes]
    credentials: Credentials
    address: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it goes over the wire; `signed` where its headers are good, so that only what it asks can be refused."""

    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes
    signed: bool = False

    def wire(self) -> bytes:
        lines = [
            f"{self.method} {self.target} HTTP/1.1".encode(),
            b"host: venue",
            b"content-length: %d" % len(self.body),
        ]
        lines += [name.encode() + b": " + value for name, value in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


@dataclass(slots=True)
class Fuzz:
    """Draws requests for the routes of a venue (`/admin/routes`). `now_s` is asked for each: what is signed is good for minutes alone."""

    seed: int
    routes: list[dict[str, Any]]
    known: Known
    now_s: Callable[[], int]
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(f"fuzz {self.seed}")
        self.routes = [route for route in self.routes if _drawn(route)]

    def request(self) -> Request:
        """The next one."""
        route = self.random.choice(self.routes)
        method = (
            self.random.choice(route["methods"])
            if self.random.random() < 0.93
            else self.random.choice(["PUT", "PATCH", "HEAD", "OPTIONS", "X"])
        )
        path, body = self._path(route["path"]), b""
        if method not in ("GET", "HEAD") or self.random.random() < 0.02:
            body = self._body()
        query = "&".join(f"{name}={value}" for name, value in self._query())
        headers, signed = self._headers(method, path, body)
        # Some ask for a signature of another kind: of the wallet itself, or of a builder's key.
        signed = signed and method in route["methods"] and not path.startswith(OTHER_KEYS)
        return Request(method, path + ("?" + query if query else ""), headers, body, signed)

    def value(self) -> str:
        """Half of them mean something."""
        return self.random.choice(self.known.texts if self.random.random() < 0.5 else HOSTILE_TEXTS)

    def json(self, depth: int = 0) -> Any:
        """A value of any shape."""
        kind = self.random.random()
        if depth > 3 or kind < 0.3:
            return self.random.choice(HOSTILE_VALUES)
        if kind < 0.55:
            return self.random.choice(self.known.texts)
        if kind < 0.7:
            return [self.json(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.random.choice(FIELDS): self.json(depth + 1) for _ in range(self.random.randrange(1, 8))}

    def frame(self) -> str | bytes:
        """A client's frame to a socket; now and then the key is good, so that the frames behind it are heard."""
        kind = self.random.random()
        if kind < 0.2:
            return self.random.choice(BODIES)[:60_000]
        if kind < 0.3:
            return self.value()
        named: dict[str, Any] = {
            "assets_ids": self._names(),
            "type": self.random.choice(("market", "user", None, 7)),
            "operation": self.random.choice(("subscribe", "unsubscribe", [], "x")),
            "auth": self._auth(),
            "markets": self._names(),
            "action": self.random.choice(("subscribe", "unsubscribe", 1)),
            "subscriptions": self._subscriptions(),
            "custom_feature_enabled": self.json(3),
        }
        names = self.random.sample(list(named), self.random.randrange(1, len(named)))
        return json.dumps({name: named[name] for name in names})

    def _names(self) -> Any:
        return [self.value() for _ in range(3)] if self.random.random() < 0.5 else self.json(2)

    def _auth(self) -> Any:
        key = self.known.credentials
        good = {"apiKey": key.key, "secret": key.secret, "passphrase": key.passphrase}
        return good if self.random.random() < 0.7 else self.json(2)

    def _subscriptions(self) -> Any:
        if self.random.random() < 0.3:
            return self.json(1)
        topic = self.random.choice(("activity", "comments", "crypto_prices", "equity_prices", self.value()))
        kind = self.random.choice(("*", "trades", "update", "orders_matched", self.value()))
        filters = self.random.choice(('{"symbol":"btcusdt"}', '{"event_slug":1}', "", self.value(), self.json(3)))
        return [{"topic": topic, "type": kind, "filters": filters}]

    def _path(self, template: str) -> str:
        parts = template.split("/")
        return "/".join(quote(self.value() or "-", safe="") if part.startswith("{") else part for part in parts)

    def _query(self) -> list[tuple[str, str]]:
        count = self.random.choice((0, 1, 1, 2, 3, 5))
        return [(quote(self.random.choice(PARAMETERS)), quote(self.value()[:6_000])) for _ in range(count)]

    def _body(self) -> bytes:
        kind = self.random.random()
        if kind < 0.25:
            return self.random.choice(BODIES)
        if kind < 0.6:
            return self._changed(self.random.choice(self.known.bodies))
        return json.dumps(self.json()).encode()

    def _changed(self, body: bytes) -> bytes:
        """A good body with something wrong: a field of another kind, one missing, one too many, or bytes lost."""
        if self.random.random() < 0.15:
            return body[: self.random.randrange(len(body))]
        found = json.loads(body)
        target = self.random.choice(list(_objects(found)) or [{}])
        if target:
            name = self.random.choice(list(target))
            if self.random.random() < 0.2:
                del target[name]
            else:
                target[name] = self.random.choice(HOSTILE_VALUES) if self.random.random() < 0.7 else self.value()
        return json.dumps(found).encode()

    def _headers(self, method: str, path: str, body: bytes) -> tuple[tuple[tuple[str, bytes], ...], bool]:
        """What is sent of them, and whether they prove who sends it."""
        kind = self.random.random()
        if not path.startswith(("/clob", "/relayer")) or kind < 0.2:
            return (), False
        bare = unquote(path).removeprefix("/clob")
        headers = {
            name: value.encode()
            for name, value in l2_headers(
                self.known.credentials, self.known.address, self.now_s(), method, bare, body
            ).items()
        }
        if kind < 0.4:
            name = self.random.choice(list(headers))
            headers[name] = self.random.choice(
                (b"", b"\xe9", "²".encode(), b"9" * 5_000, b"0x", b"NaN", b"a b", b"-1", b"=" * 88)
            )
        if kind > 0.9:
            headers["content-type"] = self.random.choice(
                (b"text/plain", b"application/json; charset=utf-16", b"\xff", b"multipart/form-data")
            )
        return tuple(headers.items()), kind >= 0.4 and path.startswith("/clob")


def _drawn(route: dict[str, Any]) -> bool:
    called = [(method, route["path"]) for method in route["methods"]]
    return (
        not route["path"].startswith(SPARED)
        and called != [("WEBSOCKET", route["path"])]
        and not set(called) & set(SPARED_CALLS)
    )


def _objects(found: Any) -> Any:
    if isinstance(found, dict):
        yield found
        for value in found.values():
            yield from _objects(value)
    if isinstance(found, list):
        for value in found:
            yield from _objects(value)


class Wire:
    """Sends requests as bytes, on a connection that is made anew wherever the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Request) -> tuple[int, bytes, bytes]:
        """Status, head and body of the answer; a connection that is cut without one is an error."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request.wire())
        async with asyncio.timeout(PATIENT_S):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await self._body(reader, head, request.method)
        if b"connection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), head, body

    async def _body(self, reader: asyncio.StreamReader, head: bytes, method: str) -> bytes:
        if method == "HEAD":
            return b""
        if b"content-length: " in head:
            return await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        if b"transfer-encoding: chunked" in head:
            return await _chunks(reader)
        return b""

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


@dataclass(slots=True)
class RpcFuzz:
    """Draws bodies for the node: real methods with parameters of any kind, batches, and what is no JSON at all."""

    seed: int
    methods: list[str]
    fuzz: Fuzz
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(f"rpc {self.seed}")

    def body(self) -> bytes:
        kind = self.random.random()
        if kind < 0.1:
            return self.random.choice(BODIES)
        if kind < 0.2:
            return json.dumps([self._call() for _ in range(self.random.randrange(5))]).encode()
        return json.dumps(self._call()).encode()

    def _call(self) -> Any:
        call: dict[str, Any] = {"jsonrpc": "2.0", "id": self.random.choice((1, "a", None, 2**70, []))}
        method = self.random.choice(self.methods) if self.random.random() < 0.95 else self.fuzz.value()
        call |= {"method": method, "params": self._params()}
        if self.random.random() < 0.03:
            del call[self.random.choice(list(call))]
        return call

    def _params(self) -> Any:
        if self.random.random() < 0.05:
            return self.fuzz.json()
        return [self._parameter() for _ in range(self.random.randrange(4))]

    def _parameter(self) -> Any:
        kind = self.random.random()
        address, number = (
            "0x" + "11" * 20,
            hex(2 ** self.random.choice((0, 8, 40, 64, 255, 256)) - self.random.randrange(2)),
        )
        if kind < 0.15:
            return address
        if kind < 0.35:
            return self.random.choice((number, "latest", "pending", "finalized", "0x", "0x00", "-0x1", "0x0"))
        if kind < 0.65:
            names = (
                "from",
                "to",
                "data",
                "input",
                "value",
                "gas",
                "gasPrice",
                "nonce",
                "maxFeePerGas",
                "fromBlock",
                "toBlock",
                "topics",
                "address",
                "blockHash",
            )
            values = (address, number, "0x", "0x" + "ab" * 200, None, [], [[None]], self.fuzz.json(3))
            return {name: self.random.choice(values) for name in self.random.sample(names, self.random.randrange(1, 6))}
        return self.fuzz.json(2)


async def shout(url: str, fuzz: Fuzz, frames: int) -> None:
    """Frames of all kinds to a WebSocket; it may show us out, and then we come again."""
    left = frames
    while left:
        async with websockets.connect(url, compression=None) as socket:
            try:
                while left:
                    left -= 1
                    await socket.send(fuzz.frame())
            except websockets.ConnectionClosed:
                continue
