"""One client of a WebSocket: frames in, frames out, PING answered, a slow reader closed, one that never pings cut off (venue.md 5).

Silence is measured in the machine's time, also where the venue's is virtual: that is the time in which clients ping.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

QUEUED_FRAMES = 5_000
DONE = 1000
TOO_SLOW = 1013
RESET = "venue.reset"

Frame = dict[str, Any]
Heard = Callable[[str], bool]


@dataclass(slots=True)
class Manners:
    """What a channel expects and does: how it answers a PING, how long it waits for one, and how many frames it keeps for a reader.

    They may change while it serves; whoever is connected already is measured by the new ones from his next PING on.
    """

    silent_ms: int
    pong: str = "PONG"
    resets: bool = True
    queued: int = QUEUED_FRAMES


class Connection:
    """Queued frames of one client, who is `silent` once he has sent no PING for too long."""

    def __init__(self, socket: WebSocket, manners: Manners) -> None:
        self._socket = socket
        self._manners = manners
        self._queue: asyncio.Queue[str] = asyncio.Queue(manners.queued)
        self._overrun = asyncio.Event()
        self._pinged = asyncio.Event()
        self.silent = False

    def send(self, frame: Any) -> None:
        """Queue a frame as JSON."""
        self.send_text(written(frame))

    def send_text(self, text: str) -> None:
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self._overrun.set()

    async def serve(self, heard: Heard) -> None:
        """Until the client leaves, is silent for too long, reads too slowly, or `heard` says no to a text of his."""
        parts: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._hear(heard)),
            asyncio.create_task(self._speak()),
            asyncio.create_task(self._overrun.wait()),
            asyncio.create_task(self._listen_for_pings()),
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        if self._socket.client_state is WebSocketState.CONNECTED:
            await self._end()

    async def _end(self) -> None:
        if self.silent and RESET in self._socket.scope:
            self._socket.scope[RESET]()
            return
        with suppress(RuntimeError):
            await self._socket.close(TOO_SLOW if self._overrun.is_set() else DONE)

    async def _hear(self, heard: Heard) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] != "websocket.receive":
                return
            # Bytes are no text of this protocol, but they are no reason to stop either.
            text = message.get("text") or (message.get("bytes") or b"").decode(errors="replace")
            if text.upper() == "PING":
                self._pinged.set()
                self.send_text(self._manners.pong)
            elif not heard(text):
                return

    async def _listen_for_pings(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._manners.silent_ms / 1000):
                    await self._pinged.wait()
                self.silent = False
            except TimeoutError:
                self.silent = True
                if self._manners.resets:
                    return
                await self._pinged.wait()
                self.silent = False
            self._pinged.clear()

    async def _speak(self) -> None:
        # Starlette says RuntimeError when the peer has gone between two frames.
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._socket.send_text(await self._queue.get())


def written(frame: Any) -> str:
    """A frame as its JSON text."""
    return orjson.dumps(frame).decode()


def read_frame(text: str) -> Frame:
    """A client's frame; what is no JSON object says nothing."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return cast(Frame, found) if isinstance(found, dict) else {}


def named(frame: Frame, name: str) -> list[str]:
    """The texts of a list in a frame, each once; what is no text is passed over."""
    wanted = frame.get(name)
    listed = cast(list[object], wanted) if isinstance(wanted, list) else []
    return list(dict.fromkeys(one for one in listed if isinstance(one, str)))
