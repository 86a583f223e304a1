"""Frames that are lost, doubled, late or broken, and sockets that fall silent or end: between the channels and their clients."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.venue.faults.fault import Fault
from services.venue.faults.kinds import Family
from services.venue.faults.registry import Registry
from services.venue.faults.wire import half_a_frame, reset, transport_of
from services.venue.sockets.connection import RESET

CHANNELS: Mapping[str, str] = {"/ws/market": "market", "/ws/user": "user", "/rtds": "rtds", "/": "node"}
HANDSHAKE = frozenset({"socket_refuse"})
FRAMES = frozenset(
    {
        "frame_drop",
        "frame_double",
        "frame_delay",
        "frame_reorder",
        "frame_garble",
        "socket_silent",
        "socket_close",
        "socket_cut",
    }
)
NOTED = 80


class SocketFaults:
    """Around an application whose WebSockets are named by `CHANNELS`; requests pass untouched."""

    def __init__(self, app: ASGIApp, registry: Registry) -> None:
        self._app = app
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        channel = CHANNELS.get(scope["path"], "")
        facts = {"channel": channel, "text": ""}
        refused = self._registry.strike(Family.SOCKET, facts, HANDSHAKE)
        if refused:
            await _refuse(send, refused.whole("status"))
            return
        wire = Wire(channel, self._registry, send)
        try:
            await self._app({**scope, RESET: lambda: reset(send)}, receive, wire.send)
        finally:
            wire.close()


class Wire:
    """One connection's way out."""

    def __init__(self, channel: str, registry: Registry, send: Send) -> None:
        self._channel = channel
        self._registry = registry
        self._send = send
        self._held: Message | None = None
        self._releasing: asyncio.Task[None] | None = None
        self._silent_until = 0.0
        self._over = False

    async def send(self, message: Message) -> None:
        """What the application sends, or what is made of it."""
        if self._over:
            return
        if message["type"] != "websocket.send":
            await self._pass(message)
            return
        if _now_s() < self._silent_until:
            return
        fault = self._struck(str(message.get("text") or ""))
        await (self._strike(fault, message) if fault else self._pass(message))

    def close(self) -> None:
        if self._releasing:
            self._releasing.cancel()

    def _struck(self, text: str) -> Fault | None:
        if not self._registry.any_of(Family.SOCKET):
            return None
        facts = {"channel": self._channel, "text": text}
        return self._registry.strike(Family.SOCKET, facts, FRAMES, frame=text[:NOTED])

    async def _pass(self, message: Message) -> None:
        held, self._held = self._held, None
        await self._send(message)
        if held:
            await self._send(held)

    async def _strike(self, fault: Fault, message: Message) -> None:
        match fault.kind:
            case "frame_double":
                await self._pass(message)
                await self._send(message)
            case "frame_delay":
                await asyncio.sleep(fault.whole("ms") / 1000)  # clock: clients wait in the machine's time
                await self._pass(message)
            case "frame_reorder":
                await self._hold(message, fault.whole("ms") / 1000)
            case "frame_garble":
                text = str(message.get("text") or "")
                await self._pass({"type": "websocket.send", "text": text[: len(text) // 2]})
            case "socket_silent":
                lasts_s = fault.whole("ms") / 1000 or float("inf")
                self._silent_until = _now_s() + lasts_s
            case "socket_close":
                self._over = True
                await self._send({"type": "websocket.close", "code": fault.whole("code"), "reason": ""})
            case "socket_cut":
                self._over = True
                transport = transport_of(self._send)
                transport.write(half_a_frame(str(message.get("text") or "")))
                transport.close()
            case _:
                # frame_drop: nothing is sent.
                return

    async def _hold(self, message: Message, at_most_s: float) -> None:
        """Until the next frame has overtaken it; without one it comes late."""
        earlier, self._held = self._held, message
        if earlier:
            await self._send(earlier)
        self._releasing = asyncio.create_task(self._release(message, at_most_s))

    async def _release(self, message: Message, after_s: float) -> None:
        await asyncio.sleep(after_s)  # clock: as above
        if self._held is message and not self._over:
            self._held = None
            await self._send(message)


def _now_s() -> float:
    return asyncio.get_running_loop().time()  # clock: clients wait in the machine's time


async def _refuse(send: Send, status: int) -> None:
    await send({"type": "websocket.http.response.start", "status": status, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})
