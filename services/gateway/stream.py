"""The WebSocket `/ws`: one client, one feed, frames `{event, data, token}`."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.gateway.credentials import credentials
from services.gateway.envelope import failure, http_status, public_text
from services.gateway.feed import Feed
from services.gateway.origin import same_or_allowed
from services.gateway.rest import client, refusal
from services.gateway.sessions import Sessions
from services.gateway.upstream import Refused

GOING_AWAY, TOO_MUCH, BROKEN, TOO_SLOW, TOKEN_OVER = 1001, 1008, 1011, 1013, 4401
PATIENCE_S = 10.0
MOST_SAID, SAID_WITHIN_S = 60, 60.0

OpenFeed = Callable[[str, str, str], Feed]


class Sockets:
    """The endpoint, and its drain: a gateway that stops tells its clients to go elsewhere. `open_feed(token, remote, resume)`."""

    path = "/ws"

    def __init__(self, open_feed: OpenFeed, sessions: Sessions, origins: tuple[str, ...]) -> None:
        self._open_feed = open_feed
        self._sessions = sessions
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if not same_or_allowed(socket.headers, self._origins):
            return await socket.send_denial_response(failure(403, "this origin may not connect"))
        token, subprotocol = credentials(socket.query_params, socket.headers)
        try:
            async with self._sessions.hold(token):
                await self._serve(socket, token, subprotocol)
        except Refused as error:
            await socket.send_denial_response(refusal(error))

    async def _serve(self, socket: WebSocket, token: str, subprotocol: str | None) -> None:
        """One client. Whoever is not let in gets an HTTP answer instead of a socket."""
        feed = self._open_feed(token, client(socket), socket.query_params.get("resume", ""))
        try:
            await feed.admitted()
            await socket.accept(subprotocol)
            await self._pump(socket, feed, token)
        finally:
            feed.close()

    async def _pump(self, socket: WebSocket, feed: Feed, token: str) -> None:
        ends = {
            asyncio.create_task(_send(socket, feed)),
            asyncio.create_task(_until_left(socket)),
            asyncio.create_task(_after(self._sessions.until_over(token), socket, TOKEN_OVER)),
            asyncio.create_task(_after(self._sessions.stopping.wait(), socket, GOING_AWAY)),
        }
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        for task in done:
            task.result()


async def _send(socket: WebSocket, feed: Feed) -> None:
    try:
        while frame := await feed.next():
            async with asyncio.timeout(PATIENCE_S):
                await socket.send_text(frame.json())
        await socket.close(GOING_AWAY)
    except Refused as error:
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            await socket.close(TOKEN_OVER)
            return
        await socket.send_text(feed.frame("error", broken(error)).json())
        await socket.close(BROKEN)
    except TimeoutError:
        await socket.close(TOO_SLOW)
    except (WebSocketDisconnect, RuntimeError):
        return


async def _after(over: Any, socket: WebSocket, code: int) -> None:
    await over
    await _close(socket, code)


async def _close(socket: WebSocket, code: int) -> None:
    # A client that has left, or is being told to go already, needs no word.
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code)


async def _until_left(socket: WebSocket) -> None:
    # What a client says is read and dropped: the socket speaks one way.
    now = asyncio.get_running_loop().time
    said: deque[float] = deque(maxlen=MOST_SAID)
    while (await socket.receive())["type"] != "websocket.disconnect":
        if len(said) == MOST_SAID and now() - said[0] < SAID_WITHIN_S:
            await _close(socket, TOO_MUCH)
            return
        said.append(now())


def broken(error: Refused) -> dict[str, Any]:
    """What a client is told when its stream fails."""
    return {"error": public_text(error.code, error.text), "status": http_status(error.code)}
