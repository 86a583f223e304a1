"""One client of a WebSocket: frames in, frames out, PING answered with PONG, a slow reader closed (venue.md 5.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from services.venue.clock import Clock

QUEUED_FRAMES = 5_000
SILENT_AFTER_S = 125.0
TOO_SLOW = 1013

Frame = dict[str, Any]


class Connection:
    """Queued frames of one client."""

    def __init__(self, socket: WebSocket, clock: Clock) -> None:
        self._socket = socket
        self._clock = clock
        self._queue: asyncio.Queue[str] = asyncio.Queue(QUEUED_FRAMES)
        self._overrun = asyncio.Event()

    def send(self, frame: Any) -> None:
        """Queue a frame as JSON."""
        self.send_text(orjson.dumps(frame).decode())

    def send_text(self, text: str) -> None:
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self._overrun.set()

    async def serve(self, heard: Callable[[Frame], Awaitable[bool]]) -> None:
        """Until the client leaves, is silent for too long, reads too slowly, or `heard` says no."""
        parts: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._hear(heard)),
            asyncio.create_task(self._speak()),
            asyncio.create_task(self._overrun.wait()),
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        if self._socket.client_state is WebSocketState.CONNECTED:
            with suppress(RuntimeError):
                await self._socket.close(TOO_SLOW if self._overrun.is_set() else 1000)

    async def _hear(self, heard: Callable[[Frame], Awaitable[bool]]) -> None:
        with suppress(WebSocketDisconnect, TimeoutError):
            while True:
                async with self._clock.timeout(SILENT_AFTER_S):
                    text = await self._socket.receive_text()
                if text == "PING":
                    self.send_text("PONG")
                elif not await heard(_object(text)):
                    return

    async def _speak(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._socket.send_text(await self._queue.get())


def _object(text: str) -> Frame:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return cast(Frame, found) if isinstance(found, dict) else {}
