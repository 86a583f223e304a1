"""HTTP and WebSocket on one port."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.venue.node.methods import Methods
from services.venue.node.miner import Miner
from services.venue.node.rpc import respond
from services.venue.node.subscriptions import Subscriptions

# Geth's limit of one HTTP request, and the code of a connection that its policy ends.
MAX_BODY = 5 * 1024 * 1024
TOO_SLOW = 1008

log = structlog.get_logger(__name__)


def application(miner: Miner, finality: int) -> Starlette:
    """The node as an ASGI application; it mines from start-up to shutdown."""
    methods = Methods(miner, finality)

    async def post(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return Response("request entity too large\n", 413)
        return Response(await respond(body, methods.answer), media_type="application/json")

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await _converse(websocket, Subscriptions(miner, methods))

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

    routes = [Route("/", post, methods=["POST"]), WebSocketRoute("/", socket)]
    return Starlette(routes=routes, lifespan=lifespan)


def _stop_without_mining(mining: asyncio.Task[None]) -> None:
    # A node that answers but never mines would look healthy to everyone.
    if not mining.cancelled() and (error := mining.exception()):
        log.error("mining failed", exc_info=error)
        signal.raise_signal(signal.SIGTERM)


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
        await asyncio.gather(*tasks, return_exceptions=True)
    if overflowed.is_set():
        log.warning("client does not read", client=websocket.client)
        with suppress(WebSocketDisconnect, RuntimeError):
            await websocket.close(TOO_SLOW, "too slow: notifications were not read")


async def _answer_calls(websocket: WebSocket, subscriptions: Subscriptions) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            reply = await respond(await _receive(websocket), subscriptions.answer)
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
