"""True answers made wrong: their bodies and what is said of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import orjson
from starlette.types import Message, Send

from services.venue.faults.fault import Fault

DROPS = 20
PAGE = b"<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head><body><h1>The server is on a break</h1></body></html>\n"
JSON: Mapping[str, bytes] = {"object": b"{}", "list": b"[]", "null": b"null", "text": b'"ok"', "number": b"0"}

Header = tuple[bytes, bytes]


@dataclass(slots=True)
class Held:
    """A whole answer that was not sent yet."""

    status: int
    headers: list[Header]
    body: bytes

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Held:
        start = messages[0]
        return cls(start["status"], list(start["headers"]), b"".join(one.get("body", b"") for one in messages[1:]))

    async def send(self, send: Send) -> None:
        await self.begin(send)
        await send({"type": "http.response.body", "body": self.body})

    async def begin(self, send: Send) -> None:
        """Status and headers, with the length of the whole body."""
        length = (b"content-length", str(len(self.body)).encode())
        headers = [one for one in self.headers if one[0].lower() != b"content-length"]
        await send({"type": "http.response.start", "status": self.status, "headers": [*headers, length]})

    async def half(self, send: Send) -> None:
        """Everything but the second half of the body."""
        await self.begin(send)
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})

    async def drip(self, send: Send, lasts_s: float) -> None:
        """The body in drops."""
        await self.begin(send)
        size = -(-len(self.body) // DROPS) or 1
        for start in range(0, len(self.body), size):
            await asyncio.sleep(lasts_s / DROPS)  # clock: a client reads in the machine's time
            await send({"type": "http.response.body", "body": self.body[start : start + size], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def typed(self, content_type: str) -> None:
        """Say that the body is of another type."""
        self.headers = [one for one in self.headers if one[0].lower() != b"content-type"]
        self.headers.append((b"content-type", content_type.encode()))


def error(fault: Fault) -> Held:
    """The venue's own error, or a proxy's page."""
    html = fault.kind.startswith("html")
    body = PAGE if html else orjson.dumps({"error": "Internal server error"})
    more = cast(Mapping[str, str], fault.values["headers"])
    headers = [(name.lower().encode(), value.encode()) for name, value in more.items()]
    held = Held(fault.whole("status"), headers, body)
    if not any(name == b"content-type" for name, _ in headers):
        held.typed("text/html" if html else "application/json")
    return held


def mangled(held: Held, fault: Fault) -> Held:
    """The answer with another body, or another name for it."""
    match fault.kind:
        case "wrong_type":
            held.typed(fault.text("content_type"))
        case "empty_body":
            held.body = b""
        case _:
            held.body = JSON.get(fault.text("form"), held.body[: len(held.body) // 2])
    return held
