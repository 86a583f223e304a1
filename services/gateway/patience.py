"""How long the server waits for a client: one that does not finish asking, or does not read, costs no place for long."""

import asyncio
from asyncio.transports import BaseTransport
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

HEADERS_S = 10.0
UNREAD_S = 15.0


class _Unread(asyncio.Protocol):
    """Cuts off a client that lets a full buffer lie: closing politely would wait for it to be read."""

    _cut: asyncio.TimerHandle | None = None
    transport: asyncio.Transport

    def pause_writing(self) -> None:
        self._cut = asyncio.get_running_loop().call_later(UNREAD_S, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._spare()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._spare()
        super().connection_lost(exc)

    def _spare(self) -> None:
        if self._cut is not None:
            self._cut.cancel()


class Socket(_Unread, WebSocketsSansIOProtocol):
    """A WebSocket's connection."""

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # An answer in place of a socket completes the handshake too: it is no error to be written for every bad token.
            self.handshake_complete = True


class Connection(_Unread, H11Protocol):
    """An HTTP connection, whose client has to come to the end of a request's headers."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:  # type: ignore[override]
        super().connection_made(transport)  # type: ignore[arg-type]
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._asked()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if not self._asking():
            self._asked()
        elif self._late is None:
            self._late = asyncio.get_running_loop().call_later(HEADERS_S, self._give_up)

    def _asking(self) -> bool:
        # A connection that became a WebSocket has another protocol.
        cycle: Any = self.cycle
        return self.transport.get_protocol() is self and (cycle is None or cycle.response_complete)

    def _asked(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self._asking():
            self.transport.close()
