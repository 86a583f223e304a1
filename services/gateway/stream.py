"""The WebSocket: every stream of the contract that is marked for it, merged into frames `{event, data, token}`."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

import grpc
import orjson
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from grpc import aio
from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.gateway.envelope import http_status, public_text
from services.gateway.render import public
from services.gateway.rest import bearer, refusal
from services.gateway.routes import event_of
from services.gateway.upstream import Refused, Upstreams, refused

QUEUED = 256
GOING_AWAY, TOO_SLOW, BROKEN = 1001, 1013, 1011
PROTOCOL_PREFIX = "bearer."


class Feed:
    """The merged streams of one socket. `resume` is the token of its last frame, which names a place in every stream."""

    def __init__(
        self, methods: Sequence[MethodDescriptor], upstreams: Upstreams, token: str, remote: str, resume: str
    ) -> None:
        places = places_of(resume)
        self._calls = {
            method.full_name: _open(upstreams, method, token, remote, places.get(method.full_name, ""))
            for method in methods
        }
        self._places: dict[str, str] = {name: place for name, place in places.items() if name in self._calls}

    async def admitted(self) -> None:
        """Wait until every stream has let us in. Raises `Refused`."""
        for call in self._calls.values():
            await call.initial_metadata()
            if call.done() and (code := await call.code()) is not grpc.StatusCode.OK:
                raise refused(
                    aio.AioRpcError(
                        code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
                    )
                )

    async def frames(self) -> AsyncIterator[bytes]:
        """Frames as they come, until a stream ends or fails; a failure is raised as `Refused`."""
        queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue(QUEUED)
        readers = [asyncio.create_task(_read(name, call, queue)) for name, call in self._calls.items()]
        try:
            while True:
                name, message = await queue.get()
                if isinstance(message, aio.AioRpcError):
                    raise refused(message) from message
                if message is None:
                    return
                self._places[name] = message.resume_token
                yield self._frame(message)
        finally:
            for reader in readers:
                reader.cancel()

    def _frame(self, message: Any) -> bytes:
        event = event_of(message)
        data = public(getattr(message, event)) if event else {}
        return orjson.dumps({"event": event, "data": data, "token": token_of(self._places)})

    def close(self) -> None:
        """End the streams."""
        for call in self._calls.values():
            call.cancel()


async def _read(name: str, call: Any, queue: "asyncio.Queue[tuple[str, Any]]") -> None:
    try:
        async for message in call:
            await queue.put((name, message))
        await queue.put((name, None))
    except aio.AioRpcError as error:
        await queue.put((name, error))


def _open(upstreams: Upstreams, method: MethodDescriptor, token: str, remote: str, place: str) -> Any:
    request: Any = message_factory.GetMessageClass(method.input_type)(resume_token=place)
    service = method.containing_service.full_name
    return upstreams.stream(
        service,
        f"/{service}/{method.name}",
        request,
        message_factory.GetMessageClass(method.output_type),
        token,
        remote,
    )


def token_of(places: Mapping[str, str]) -> str:
    """One opaque token for the places in all streams."""
    return base64.urlsafe_b64encode(orjson.dumps(dict(places), option=orjson.OPT_SORT_KEYS)).decode()


def places_of(token: str) -> dict[str, str]:
    """The places in a token; one that is not ours starts now."""
    try:
        found: Any = orjson.loads(base64.urlsafe_b64decode(token)) if token else {}
    except (ValueError, orjson.JSONDecodeError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): str(place) for name, place in cast(dict[Any, Any], found).items()}


class Sockets:
    """The `/ws` endpoint, and its drain: a gateway that stops tells its clients to go elsewhere."""

    def __init__(self, methods: Sequence[MethodDescriptor], upstreams: Upstreams) -> None:
        self._methods = methods
        self._upstreams = upstreams
        self._open: set[WebSocket] = set()

    async def serve(self, socket: WebSocket) -> None:
        """One client. Whoever is not let in gets an HTTP answer instead of a socket."""
        token, subprotocol = credentials(socket.query_params, socket.headers)
        remote = socket.client.host if socket.client else ""
        feed = Feed(self._methods, self._upstreams, token, remote, socket.query_params.get("resume", ""))
        try:
            await feed.admitted()
        except Refused as error:
            feed.close()
            await socket.send_denial_response(refusal(error))
            return
        await socket.accept(subprotocol)
        self._open.add(socket)
        try:
            await _pump(socket, feed)
        finally:
            self._open.discard(socket)
            feed.close()

    async def close(self) -> None:
        """Close every socket with 1001."""
        for socket in tuple(self._open):
            await socket.close(GOING_AWAY)


async def _pump(socket: WebSocket, feed: Feed) -> None:
    sending = asyncio.create_task(_send(socket, feed))
    leaving = asyncio.create_task(_until_left(socket))
    _, pending = await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


async def _send(socket: WebSocket, feed: Feed) -> None:
    try:
        async for frame in feed.frames():
            await asyncio.wait_for(socket.send_text(frame.decode()), 10)
        await socket.close(GOING_AWAY)
    except Refused as error:
        text = public_text(error.code, error.text)
        await socket.send_text(
            orjson.dumps({"event": "error", "data": {"error": text, "status": http_status(error.code)}}).decode()
        )
        await socket.close(BROKEN)
    except TimeoutError:
        await socket.close(TOO_SLOW)
    except (WebSocketDisconnect, RuntimeError):
        return


async def _until_left(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, RuntimeError, KeyError):
        return


def credentials(query: QueryParams, headers: Mapping[str, str]) -> tuple[str, str | None]:
    """The token (header, subprotocol `bearer.<jwt>`, or `?token=`) and the subprotocol to answer with."""
    if token := bearer(headers.get("authorization", "")):
        return token, None
    for offered in (part.strip() for part in headers.get("sec-websocket-protocol", "").split(",")):
        if offered.startswith(PROTOCOL_PREFIX):
            return offered.removeprefix(PROTOCOL_PREFIX), offered
    return query.get("token", ""), None
