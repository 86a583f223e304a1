"""How much of a request is read: nobody has to prove who he is before his body is in memory, so that it is small."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.venue.answer import answer

MOST_BYTES = 4 * 1024 * 1024
TOO_LARGE = {"error": "request entity too large"}


class Bounded:
    """Around the application: 413 in place of whatever would be said to a body beyond `most` bytes, whether its length is told or not."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length, streamed = _told(scope["headers"])
        read = await _read(receive, self._most) if streamed else None
        # What is told is kept to: the server takes no byte more than that as this request's.
        if length > self._most or (streamed and read is None):
            await answer(TOO_LARGE, 413)(scope, receive, send)
            return
        await self._app(scope, _again(read, receive) if read else receive, send)


def _told(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, bool]:
    """The length that a request says it has, 0 where it says none, and whether it comes in pieces instead."""
    found = dict(headers)
    streamed, length = b"transfer-encoding" in found, found.get(b"content-length", b"0")
    return 0 if streamed or not length.isdigit() else int(length), streamed


async def _read(receive: Receive, most: int) -> list[Message] | None:
    """The whole of a body in its pieces; None as soon as it is too much."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > most:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return messages


def _again(read: list[Message], receive: Receive) -> Receive:
    """What was read, and then whatever comes."""

    async def replayed() -> Message:
        return read.pop(0) if read else await receive()

    return replayed
