"""Answers that come late, wrong or never, as told: per endpoint, seeded, and every one of them a line in the journal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.venue.journal import Journal

WHOLE_BPS = 10_000
STATUSES = (400, 599)

# What a trader calls, by name: method and path; a path that ends in a slash goes on.
ENDPOINTS = {
    "clob.create_key": ("POST", "/clob/auth/api-key"),
    "clob.derive_key": ("GET", "/clob/auth/derive-api-key"),
    "clob.post_order": ("POST", "/clob/order"),
    "clob.post_orders": ("POST", "/clob/orders"),
    "clob.cancel_order": ("DELETE", "/clob/order"),
    "clob.cancel_orders": ("DELETE", "/clob/orders"),
    "clob.order": ("GET", "/clob/data/order/"),
    "clob.orders": ("GET", "/clob/data/orders"),
    "clob.trades": ("GET", "/clob/data/trades"),
    "clob.balance": ("GET", "/clob/balance-allowance"),
    "clob.book": ("GET", "/clob/book"),
    "clob.books": ("POST", "/clob/books"),
    "clob.market": ("GET", "/clob/clob-markets/"),
    "data.activity": ("GET", "/data/v2/activity"),
    "data.trades": ("GET", "/data/v2/trades"),
    "data.positions": ("GET", "/data/v2/positions"),
    "gamma.markets": ("GET", "/gamma/markets/keyset"),
}


class Kind(StrEnum):
    """`delay`: the answer waits. `drop_before`: the connection is cut, nothing was done. `drop_after`: done, and cut.
    `error_before`, `error_after`: a 5xx without and with the effect."""

    DELAY = "delay"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"


class BadFault(ValueError):
    """A fault that makes no sense; the text names the field and the expectation."""


@dataclass(slots=True)
class Fault:
    """Strikes one `endpoint` by its name, or everything whose `method` and `path` begin so; `times` 0 is for ever, `rate_bps` how
    often it strikes."""

    kind: Kind
    path: str
    endpoint: str = ""
    method: str = ""
    ms: int = 0
    status: int = 502
    rate_bps: int = WHOLE_BPS
    times: int = 1
    struck: int = 0

    @classmethod
    def read(cls, body: dict[str, Any]) -> Fault:
        """A fault as `/admin/faults` takes it. Raises `BadFault`."""
        try:
            kind = Kind(str(body.get("kind")))
        except ValueError as error:
            raise BadFault(f"kind: expected one of {', '.join(Kind)}") from error
        endpoint = body.get("endpoint", "")
        if endpoint and endpoint not in ENDPOINTS:
            raise BadFault(f"endpoint: expected one of {', '.join(ENDPOINTS)}")
        method, path = ENDPOINTS.get(endpoint, (str(body.get("method", "")).upper(), body.get("path")))
        if not isinstance(path, str) or not path.startswith("/"):
            raise BadFault("path: expected the beginning of a path, such as /clob/order, or the name of an endpoint")
        numbers = {name: body.get(name, default) for name, default in _NUMBERS.items()}
        for name, value in numbers.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise BadFault(f"{name}: expected a whole number, 0 or more")
        if not STATUSES[0] <= numbers["status"] <= STATUSES[1]:
            raise BadFault(f"status: expected {STATUSES[0]} to {STATUSES[1]}")
        return cls(kind, path, endpoint, method, **numbers)

    def strikes(self, method: str, path: str, random: Random) -> bool:
        """Whether this request is hit."""
        whole = self.endpoint and not self.path.endswith("/")
        here = path == self.path if whole else path.startswith(self.path)
        named = here and self.method in ("", method)
        left = not self.times or self.struck < self.times
        return named and left and random.randrange(WHOLE_BPS) < self.rate_bps


_NUMBERS = {"ms": 0, "status": 502, "rate_bps": WHOLE_BPS, "times": 1}


class Faults:
    """The faults of one venue, around its whole application."""

    def __init__(self, app: ASGIApp, journal: Journal, seed: int) -> None:
        self._app = app
        self._journal = journal
        self._random = Random(f"faults {seed}")
        self.active: list[Fault] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._struck(scope)
        if fault is None:
            await self._app(scope, receive, send)
            return
        fault.struck += 1
        self._journal.note(
            "fault", fault=str(fault.kind), endpoint=fault.endpoint, method=scope["method"], path=scope["path"]
        )
        match fault.kind:
            case Kind.DELAY:
                held = await self._hold(scope, receive)
                await asyncio.sleep(fault.ms / 1000)
                for message in held:
                    await send(message)
            case Kind.DROP_BEFORE:
                _cut(send)
            case Kind.DROP_AFTER:
                await self._hold(scope, receive)
                _cut(send)
            case Kind.ERROR_BEFORE:
                await _error(send, fault.status)
            case Kind.ERROR_AFTER:
                await self._hold(scope, receive)
                await _error(send, fault.status)

    def _struck(self, scope: Scope) -> Fault | None:
        if scope["type"] != "http" or scope["path"].startswith("/admin"):
            return None
        return next((f for f in self.active if f.strikes(scope["method"], scope["path"], self._random)), None)

    async def _hold(self, scope: Scope, receive: Receive) -> list[Message]:
        """Let the request have its effect, and keep the answer."""
        held: list[Message] = []

        async def keep(message: Message) -> None:
            held.append(message)

        await self._app(scope, receive, keep)
        return held


def _cut(send: Send) -> None:
    # The server offers no way to answer nothing, so its connection is closed underneath it.
    cycle: Any = getattr(send, "__self__", None)
    cycle.transport.abort()


async def _error(send: Send, status: int) -> None:
    body = orjson.dumps({"error": "Internal server error"})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
