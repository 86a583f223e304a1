"""Answers that come late, wrong or never: around the whole application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.venue.faults import bodies
from services.venue.faults.bodies import Held
from services.venue.faults.fault import Fault
from services.venue.faults.kinds import KINDS, Family
from services.venue.faults.registry import Registry
from services.venue.faults.wire import cut, gone, reset, transport_of

STALE = frozenset({"stale"})
OTHERS = frozenset(name for name, kind in KINDS.items() if kind.family is Family.HTTP) - STALE
# Answers are kept for `stale` faults, the newest of them; no more than this.
MOST_KEPT = 10_000
MOST_KEPT_BYTES = 32 * 1024 * 1024
BEFORE = frozenset({"drop_before", "error_before", "html_before"})


class HttpFaults:
    """Strikes requests of everything but the venue's own controls. What waits, waits by the machine's clock: so do clients."""

    def __init__(self, app: ASGIApp, registry: Registry, now_ms: Callable[[], int]) -> None:
        self._app = app
        self._registry = registry
        self._now_ms = now_ms
        self._kept: dict[str, tuple[int, Held]] = {}
        self._bytes = 0
        registry.watch(self._forget)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/admin"):
            await self._app(scope, receive, send)
            return
        where = {"method": scope["method"], "path": scope["path"]}
        fault = self._registry.strike(Family.HTTP, where, OTHERS, **where)
        if fault is None:
            await self._pass(where, scope, receive, send)
        elif fault.kind in BEFORE:
            await self._instead(fault, receive, send)
        else:
            held = await self._hold(scope, receive)
            await self._after(fault, held, receive, send)

    async def _instead(self, fault: Fault, receive: Receive, send: Send) -> None:
        if fault.kind == "drop_before":
            cut(send)
            await gone(receive)
        else:
            await bodies.error(fault).send(send)

    async def _after(self, fault: Fault, held: Held, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "delay":
                await asyncio.sleep(fault.whole("ms") / 1000)  # clock: a client waits in the machine's time
                await held.send(send)
            case "drop_after":
                cut(send)
                await gone(receive)
            case "error_after" | "html_after":
                await bodies.error(fault).send(send)
            case "slow_body":
                await held.drip(send, fault.whole("ms") / 1000)
            case "truncated_body":
                await held.half(send)
                transport_of(send).close()
                await gone(receive)
            case "reset_body":
                await held.half(send)
                reset(send)
                await gone(receive)
            case _:
                await bodies.mangled(held, fault).send(send)

    async def _pass(self, where: dict[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        """Untouched; but where a stale answer may be given later, it is kept now, and what was kept is given again."""
        stale = self._registry.meeting(Family.HTTP, where, STALE) if scope["method"] == "GET" else []
        if not stale:
            await self._app(scope, receive, send)
            return
        url = f"{scope['path']}?{scope['query_string'].decode(errors='replace')}"
        at_ms, held = self._kept.get(url, (0, None))
        fresh = held is not None and self._now_ms() - at_ms <= stale[0].whole("ms")
        if held and fresh and self._registry.strike(Family.HTTP, where, STALE, **where):
            await held.send(send)
            return
        held = await self._hold(scope, receive)
        if not fresh:
            self._keep(url, held)
        await held.send(send)

    def _keep(self, url: str, held: Held) -> None:
        """As the newest; the oldest go where there are too many."""
        self._drop(url)
        self._kept[url] = (self._now_ms(), held)
        self._bytes += _size(url, held)
        while len(self._kept) > MOST_KEPT or self._bytes > MOST_KEPT_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, url: str) -> None:
        if kept := self._kept.pop(url, None):
            self._bytes -= _size(url, kept[1])

    def _forget(self) -> None:
        """Without a fault that gives it again nothing is kept."""
        if not any(fault.kind in STALE and fault.left for fault in self._registry.active):
            self._kept.clear()
            self._bytes = 0

    async def _hold(self, scope: Scope, receive: Receive) -> Held:
        """Let the request have its effect, and keep the answer."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        return Held.of(messages)


def _size(url: str, held: Held) -> int:
    return len(url) + len(held.body)
