"""HTTP and WebSocket on one port."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.venue.faults.sockets import SocketFaults
from services.venue.node.admin import Admin
from services.venue.node.door import Door
from services.venue.node.errors import ConnectionCut, TooManyRequests
from services.venue.node.faults import RpcFaults
from services.venue.node.forks import Forks
from services.venue.node.methods import Methods
from services.venue.node.miner import Miner
from services.venue.node.rpc import Answer, respond
from services.venue.node.subscriptions import Subscriptions

# Geth's limit of one HTTP request, and the code of a connection that its policy ends.
MAX_BODY = 5 * 1024 * 1024
TOO_SLOW = 1008
CUT = "polycopy.cut"
TOO_MANY = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"too many requests"}}'

log = structlog.get_logger(__name__)


def application(miner: Miner, finality: int, faults: RpcFaults | None = None) -> ASGIApp:
    """The node as an ASGI application; it mines from start-up to shutdown. `/` is for everyone, `/venue` is never struck by a fault."""
    struck = faults or RpcFaults()
    methods = Methods(miner, finality, admin=Admin(miner, struck))
    Forks(miner, struck)
    doors = {name: Door(name, miner, finality, methods, struck) for name in ("http", "ws")}

    async def post(request: Request) -> Response:
        return await _answer_post(request, doors["http"].answer)

    async def post_own(request: Request) -> Response:
        return await _answer_post(request, methods.answer)

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await _converse(websocket, Subscriptions(miner, doors["ws"], struck))

    async def socket_own(websocket: WebSocket) -> None:
        await websocket.accept()
        await _converse(websocket, Subscriptions(miner, methods, None))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        mining = asyncio.create_task(miner.run())
        mining.add_done_callback(_stop_without_mining)
        try:
            yield
        finally:
            mining.cancel()
            with suppress(asyncio.CancelledError):
                await mining
            miner.close()

    routes = [
        Route("/", post, methods=["POST"]),
        Route("/venue", post_own, methods=["POST"]),
        WebSocketRoute("/", socket),
        WebSocketRoute("/venue", socket_own),
    ]
    return _Cuttable(SocketFaults(Starlette(routes=routes, lifespan=lifespan), struck.registry))


def _stop_without_mining(mining: asyncio.Task[None]) -> None:
    # A node that answers but never mines would look healthy to everyone.
    if not mining.cancelled() and (error := mining.exception()):
        log.error("mining failed", exc_info=error)
        signal.raise_signal(signal.SIGTERM)


async def _answer_post(request: Request, answer: Answer) -> Response:
    body = await _body(request)
    if body is None:
        return Response("request entity too large\n", 413)
    try:
        return Response(await respond(body, answer), media_type="application/json")
    except TooManyRequests:
        return Response(TOO_MANY, 429, {"retry-after": "1"}, media_type="application/json")
    except ConnectionCut:
        return _Cut()


class _Cut(Response):
    """No answer: the server offers no way to give none, so the connection is closed underneath it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CUT]()


class _Cuttable:
    """An application whose responses can end the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle: Any = getattr(send, "__self__", None)

        def cut() -> None:
            cycle.transport.abort()

        scope[CUT] = cut
        await self._app(scope, receive, send)


async def _body(request: Request) -> bytes | None:
    """What was posted; None where it is too much."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


async def _converse(websocket: WebSocket, subscriptions: Subscriptions) -> None:
    """Until the client leaves, or is sent away because it does not read."""
    overflowed = subscriptions.outbox.overflowed
    parts = [_answer_calls(websocket, subscriptions), _send_frames(websocket, subscriptions), overflowed.wait()]
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        subscriptions.close()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
    if overflowed.is_set():
        log.warning("client does not read", client=websocket.client)
        with suppress(WebSocketDisconnect, RuntimeError):
            await websocket.close(TOO_SLOW, "too slow: notifications were not read")


async def _answer_calls(websocket: WebSocket, subscriptions: Subscriptions) -> None:
    with suppress(WebSocketDisconnect, ConnectionCut):
        while True:
            message = await _receive(websocket)
            try:
                reply = await respond(message, subscriptions.answer)
            except TooManyRequests:
                reply = TOO_MANY
            if reply:
                await subscriptions.outbox.reply(reply)


async def _receive(websocket: WebSocket) -> bytes | str:
    """The next message; clients send text or binary frames, web3.py the latter."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    return message.get("text") or message.get("bytes") or b""


async def _send_frames(websocket: WebSocket, subscriptions: Subscriptions) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await websocket.send_text((await subscriptions.outbox.take()).decode())
