"""Answers that come late, wrong or never: around the whole application."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.venue.faults.fault import Fault
from services.venue.faults.kinds import Family
from services.venue.faults.registry import Registry


class HttpFaults:
    """Strikes requests of everything but the venue's own controls."""

    def __init__(self, app: ASGIApp, registry: Registry) -> None:
        self._app = app
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._struck(scope)
        if fault is None:
            await self._app(scope, receive, send)
            return
        match fault.kind:
            case "delay":
                held = await self._hold(scope, receive)
                await asyncio.sleep(fault.whole("ms") / 1000)  # clock: a client waits in the machine's time
                for message in held:
                    await send(message)
            case "drop_before":
                _cut(send)
            case "drop_after":
                await self._hold(scope, receive)
                _cut(send)
            case "error_before":
                await _error(send, fault)
            case _:
                await self._hold(scope, receive)
                await _error(send, fault)

    def _struck(self, scope: Scope) -> Fault | None:
        if scope["type"] != "http" or scope["path"].startswith("/admin"):
            return None
        where = {"method": scope["method"], "path": scope["path"]}
        return self._registry.strike(Family.HTTP, where, **where)

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


async def _error(send: Send, fault: Fault) -> None:
    body = orjson.dumps({"error": "Internal server error"})
    more = cast(Mapping[str, str], fault.values["headers"])
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in more.items()]
    await send({"type": "http.response.start", "status": fault.whole("status"), "headers": headers})
    await send({"type": "http.response.body", "body": body})
