"""The same frames as server-sent events at `/api/events`, for programs without a WebSocket."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import grpc
import structlog
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from services.gateway.credentials import credentials
from services.gateway.feed import Feed
from services.gateway.rest import client, refusal
from services.gateway.sessions import Sessions
from services.gateway.stream import PATIENCE_S, OpenFeed, broken
from services.gateway.upstream import Refused

QUIET_S = 15.0

log = structlog.get_logger()


class Events:
    """The endpoint. `Last-Event-ID`, or `?resume=`, goes on after that frame."""

    path = "/api/events"

    def __init__(self, open_feed: OpenFeed, sessions: Sessions) -> None:
        self._open_feed = open_feed
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        token, _ = credentials(request.query_params, request.headers)
        resume = request.headers.get("last-event-id") or request.query_params.get("resume", "")
        async with AsyncExitStack() as held:
            try:
                await held.enter_async_context(self._sessions.hold(token))
                feed = self._open_feed(token, client(request), resume)
                held.callback(feed.close)
                await feed.admitted()
            except Refused as error:
                await refusal(error)(scope, receive, send)
                return
            headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
            answer = StreamingResponse(self._lines(feed, token), headers=headers, media_type="text/event-stream")
            try:
                await answer(scope, receive, _patient(send))
            except TimeoutError:
                log.info("event_stream_too_slow")

    async def _lines(self, feed: Feed, token: str) -> AsyncGenerator[str]:
        over = [
            asyncio.ensure_future(self._sessions.until_over(token)),
            asyncio.ensure_future(self._sessions.stopping.wait()),
        ]
        try:
            while line := await _line(feed, over):
                yield line
        except Refused as error:
            if error.code is not grpc.StatusCode.UNAUTHENTICATED:
                yield feed.frame("error", broken(error)).sse()
        finally:
            for one in over:
                one.cancel()


def _patient(send: Send) -> Send:
    """Sends to a client that reads; one that does not keeps nothing open. Raises TimeoutError."""

    async def patient(message: Message) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await send(message)

    return patient


async def _line(feed: Feed, over: "Sequence[asyncio.Future[Any]]") -> str:
    coming = asyncio.ensure_future(feed.next())
    try:
        done, _ = await asyncio.wait({coming, *over}, timeout=QUIET_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not coming.done():
            coming.cancel()
    if any(one in done for one in over):
        return ""
    if coming not in done:
        return ": still here\n\n"
    frame = coming.result()
    return frame.sse() if frame else ""
