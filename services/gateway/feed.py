"""The streams of the contract that are marked for it, merged into one row of frames `{event, data, token}`."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import grpc
import orjson
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from grpc import aio

from services.gateway.render import public
from services.gateway.routes import event_of
from services.gateway.upstream import Refused, Upstreams, refused

QUEUED = 256
ADMISSION_S = 5.0
LONGEST_TOKEN = 4096
NO_PLACE = "the resume token names no place in one of the streams"


@dataclass(frozen=True, slots=True)
class Frame:
    """One event; `token` resumes after it."""

    event: str
    data: Mapping[str, Any]
    token: str

    def json(self) -> str:
        """The frame as the WebSocket carries it."""
        return orjson.dumps({"event": self.event, "data": self.data, "token": self.token}).decode()

    def sse(self) -> str:
        """The frame as a server-sent event; its id is what a browser sends back when it reconnects."""
        return f"event: {self.event}\nid: {self.token}\ndata: {orjson.dumps(self.data).decode()}\n\n"


class Feed:
    """The merged streams of one client. `resume` is the token of its last frame, which names a place in every stream."""

    def __init__(
        self, methods: Sequence[MethodDescriptor], upstreams: Upstreams, token: str, remote: str, resume: str
    ) -> None:
        places = places_of(resume)
        self._calls = {
            method.full_name: _open(upstreams, method, token, remote, places.get(method.full_name, ""))
            for method in methods
        }
        self._places = {name: place for name, place in places.items() if name in self._calls}
        # A stream without a place begins now, and what it carried since the last frame is lost to whoever resumes.
        self._gap = bool(resume) and len(self._places) < len(self._calls)
        self._queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue(QUEUED)
        self._readers: list[asyncio.Task[None]] = []

    async def admitted(self) -> None:
        """Wait until every stream has let us in. Raises `Refused`."""
        try:
            async with asyncio.timeout(ADMISSION_S):
                for call in self._calls.values():
                    await _admitted(call)
        except TimeoutError as error:
            raise Refused(grpc.StatusCode.DEADLINE_EXCEEDED) from error
        self._readers = [asyncio.create_task(self._read(name, call)) for name, call in self._calls.items()]

    async def next(self) -> Frame | None:
        """The next frame; None when a stream has ended. Raises `Refused` when one failed."""
        if self._gap:
            self._gap = False
            return self.frame("resync", {"reason": NO_PLACE})
        while True:
            name, message = await self._queue.get()
            if isinstance(message, aio.AioRpcError):
                raise refused(message) from message
            if message is None:
                return None
            if message.resume_token:
                self._places[name] = message.resume_token
            if event := event_of(message):
                return self.frame(event, public(getattr(message, event)))

    def frame(self, event: str, data: Mapping[str, Any]) -> Frame:
        """A frame that resumes after the last one."""
        return Frame(event, data, token_of(self._places))

    async def _read(self, name: str, call: Any) -> None:
        try:
            async for message in call:
                await self._queue.put((name, message))
            await self._queue.put((name, None))
        except aio.AioRpcError as error:
            await self._queue.put((name, error))

    def close(self) -> None:
        """End the streams."""
        for reader in self._readers:
            reader.cancel()
        for call in self._calls.values():
            call.cancel()


async def _admitted(call: Any) -> None:
    # Services send initial metadata as soon as they let a stream in; a refusal ends the call instead.
    try:
        initial = await call.initial_metadata()
    except aio.AioRpcError as error:
        raise refused(error) from error
    if call.done() and (code := await call.code()) is not grpc.StatusCode.OK:
        raise refused(aio.AioRpcError(code, initial, await call.trailing_metadata(), await call.details()))


def _open(upstreams: Upstreams, method: MethodDescriptor, token: str, remote: str, place: str) -> Any:
    request: Any = message_factory.GetMessageClass(method.input_type)(resume_token=place)
    service = method.containing_service.full_name
    response = message_factory.GetMessageClass(method.output_type)
    return upstreams.stream(service, f"/{service}/{method.name}", request, response, token, remote)


def token_of(places: Mapping[str, str]) -> str:
    """One opaque token for the places in all streams."""
    return base64.urlsafe_b64encode(orjson.dumps(dict(places), option=orjson.OPT_SORT_KEYS)).decode()


def places_of(token: str) -> dict[str, str]:
    """The places in a token; none in one that is not ours."""
    if not token or len(token) > LONGEST_TOKEN:
        return {}
    try:
        found: Any = orjson.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: place for name, place in cast(dict[str, Any], found).items() if place and isinstance(place, str)}
