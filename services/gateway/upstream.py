"""Calling the method behind a route, and reading what it says."""

from collections.abc import Mapping
from typing import Any

import grpc
import structlog
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from grpc import aio

from services.common.rpc.caller import FORWARDED_HEADER, REQUEST_HEADER
from services.common.rpc.errors import error_info
from services.gateway.render import json_name
from services.gateway.routes import Route

FORWARDED = ("retry-after",)
AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})


class BadRequest(Exception):
    """The request does not fit the method's message; the text names the field."""


class Refused(Exception):
    """The method failed: its status, its text, our reason and metadata, and the headers that travel on."""

    def __init__(
        self,
        code: grpc.StatusCode,
        text: str = "",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.headers = dict(headers or {})


def request_of(
    route: Route, variables: Mapping[str, str], query: Mapping[str, str], body: Mapping[str, Any]
) -> Message:
    """The method's request out of path, query or body; unknown names and wrong types are refused by name."""
    if route.body and query:
        raise BadRequest(f"{next(iter(query))}: this request takes no query")
    known = {json_name(field): field.name for field in route.request.fields if field.name not in variables}
    given = {**query, **body}
    if unknown := sorted(given.keys() - known.keys()):
        raise BadRequest(f"{unknown[0]}: not a field of this request")
    fields = {known[name]: value for name, value in given.items()}
    message = message_factory.GetMessageClass(route.request)()
    try:
        return json_format.ParseDict({**fields, **variables}, message)
    except json_format.ParseError as error:
        raise BadRequest(_named(error, known)) from error


def _named(error: json_format.ParseError, known: Mapping[str, str]) -> str:
    # json_format says "Failed to parse account_id field: …": the name is what helps, the rest is the library's.
    for name, field in known.items():
        if f" {field} field" in str(error):
            return f"{name}: wrong type or out of range"
    return "the body does not fit this request"


class Upstreams:
    """The channels behind the gateway, by service."""

    def __init__(self, channels: Mapping[str, aio.Channel]) -> None:
        self._channels = channels

    async def call(self, route: Route, request: Message, token: str, remote: str) -> Message:
        """One unary call with the route's deadline. Raises `Refused`."""
        answer = message_factory.GetMessageClass(route.response)
        call: Any = self._channels[route.service].unary_unary(
            route.full_method, request_serializer=_serialize, response_deserializer=answer.FromString
        )
        try:
            return await call(
                request, timeout=(route.access.timeout_ms or 5_000) / 1000, metadata=_metadata(token, remote)
            )
        except aio.AioRpcError as error:
            raise refused(error) from error

    def stream(
        self, service: str, full_method: str, request: Message, response: type[Message], token: str, remote: str
    ) -> Any:
        """A server stream's call object."""
        call: Any = self._channels[service].unary_stream(
            full_method, request_serializer=_serialize, response_deserializer=response.FromString
        )
        return call(request, metadata=_metadata(token, remote))


def refused(error: aio.AioRpcError) -> Refused:
    """What a failed call says, for the envelope. What no method said, but the transport, is that it is away or that it broke."""
    trailing = {str(key): value for key, value in error.trailing_metadata() or ()}
    info = error_info(trailing)
    if info is None:
        return Refused(error.code() if error.code() in AWAY else grpc.StatusCode.INTERNAL)
    headers = {name: str(trailing[name]) for name in FORWARDED if name in trailing}
    return Refused(error.code(), error.details() or "", *info, headers)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _metadata(token: str, remote: str) -> tuple[tuple[str, str], ...]:
    who = (("authorization", f"Bearer {token}"),) if token else ()
    named = structlog.contextvars.get_contextvars().get("request_id")
    return (*who, (FORWARDED_HEADER, remote), *(((REQUEST_HEADER, str(named)),) if named else ()))
