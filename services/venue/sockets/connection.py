"""One client of a WebSocket: frames in, frames out, PING answered, a slow reader closed, one that never pings cut off (venue.md 5).

Silence is measured in the machine's time, also where the venue's is virtual: that is the time in which clients ping.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

QUEUED_FRAMES = 5_000
LONGEST_ID = 100
DONE = 1000
TOO_SLOW = 1013
TOO_MUCH = 1008
RESET = "venue.reset"

Frame = dict[str, Any]
Heard = Callable[[str], bool]


class TooMuch(Exception):
    """A client who wants more than is kept for one; he is told so with the end of his connection (1008)."""


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
        self._refused = ""
        self.silent = False

    def send(self, frame: Any) -> None:
        """Queue a frame as JSON."""
        self.send_text(written(frame))

    def send_text(self, text: str) -> None:
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self._overrun.set()

    async def serve(self, heard: Heard, *beside: Coroutine[Any, Any, None]) -> None:
        """Until the client leaves, is silent for too long, reads too slowly, or `heard` says no to a text of his, or `TooMuch`.

        What goes on `beside` ends with it. Raises whatever else ended one of its parts: that is an error of ours.
        """
        parts = [
            asyncio.ensure_future(part)
            for part in (self._hear(heard), self._speak(), self._overrun.wait(), self._listen_for_pings(), *beside)
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            ended = await asyncio.gather(*parts, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        if self._socket.client_state is WebSocketState.CONNECTED:
            await self._end()

    async def _end(self) -> None:
        if self.silent and RESET in self._socket.scope:
            self._socket.scope[RESET]()
            return
        code = TOO_MUCH if self._refused else TOO_SLOW if self._overrun.is_set() else DONE
        # The client may have gone in the meantime.
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._socket.close(code, self._refused)

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
            elif not self._pleases(heard, text):
                return

    def _pleases(self, heard: Heard, text: str) -> bool:
        try:
            return heard(text)
        except TooMuch as refused:
            self._refused = str(refused)
            return False

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


def kept(wanted: set[str], fresh: set[str], most: int, what: str) -> set[str]:
    """Both, as long as that is no more than is kept for one client. Raises `TooMuch`."""
    both = wanted | fresh
    if len(both) > most:
        raise TooMuch(f"too many {what}: at most {most} in one connection")
    return both


def named(frame: Frame, name: str) -> list[str]:
    """The texts of a list in a frame, each once; what is no text, or longer than any id, is passed over."""
    wanted = frame.get(name)
    listed = cast(list[object], wanted) if isinstance(wanted, list) else []
    return list(dict.fromkeys(one for one in listed if isinstance(one, str) and len(one) <= LONGEST_ID))
