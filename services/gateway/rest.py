"""The ASGI side of a route: request in, envelope out."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import grpc
import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route as HttpRoute

from services.gateway.credentials import bearer
from services.gateway.envelope import failure, http_status, public_text, success
from services.gateway.render import json_name, public
from services.gateway.routes import Route
from services.gateway.upstream import BadRequest, Refused, Upstreams, request_of

MAX_BODY = 256 * 1024
BODY_S = 10.0

_ADDRESS = re.compile(r"[0-9A-Za-z.:%_-]{1,64}")


class TooLarge(Exception):
    """The body is larger than any request needs."""


def http_routes(routes: tuple[Route, ...], upstreams: Upstreams) -> list[HttpRoute]:
    """One Starlette route per path, so that a wrong verb is a 405 that names the right ones."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.verb] = route
    return [HttpRoute(path, Endpoint(path, verbs, upstreams), methods=list(verbs)) for path, verbs in by_path.items()]


class Endpoint:
    """Serves one path."""

    def __init__(self, path: str, verbs: Mapping[str, Route], upstreams: Upstreams) -> None:
        self.path = path
        self._verbs = verbs
        self._upstreams = upstreams

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        response = await self._answer(request, self._verbs["GET" if request.method == "HEAD" else request.method])
        await response(scope, receive, send)

    async def _answer(self, request: Request, route: Route) -> Response:
        try:
            message = request_of(route, request.path_params, _query(request), await _body(request, route))
            answer = await self._upstreams.call(route, message, bearer(request.headers), client(request))
        except BadRequest as error:
            return failure(400, str(error), reason="INVALID_ARGUMENT")
        except TooLarge:
            return failure(413, f"the body is larger than {MAX_BODY} bytes")
        except Refused as error:
            return refusal(error)
        return success(data_of(route, public(answer)))


def data_of(route: Route, shown: dict[str, Any]) -> Any:
    """The envelope's `data`: the whole answer, or the field that stands for it."""
    if not route.access.data_field:
        return shown
    return shown[json_name(route.response.fields_by_name[route.access.data_field])]


def refusal(error: Refused) -> Response:
    """A failed call as an envelope, with its reason where it is one of ours."""
    more: dict[str, Any] = {"reason": error.reason, "metadata": error.metadata} if error.reason else {}
    headers = dict(error.headers)
    if error.code is grpc.StatusCode.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return failure(http_status(error.code), public_text(error.code, error.text), headers, **more)


def client(connection: HTTPConnection) -> str:
    """The address that the connection came from; empty where a proxy passes on something that is none."""
    host = connection.client.host if connection.client else ""
    return host if _ADDRESS.fullmatch(host) else ""


def _query(request: Request) -> dict[str, str]:
    return dict(once(request.query_params.multi_items()))


def once(pairs: "list[tuple[str, Any]]") -> dict[str, Any]:
    """The pairs by name. Raises `BadRequest` for a name that is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise BadRequest(f"{name}: given more than once")
    return found


async def _body(request: Request, route: Route) -> dict[str, Any]:
    raw = await _limited(request)
    if not route.body:
        if raw:
            raise BadRequest("this request takes no body")
        return {}
    if not raw.strip():
        return {}
    try:
        body: Any = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    _without_repeats(raw)
    return cast(dict[str, Any], body)


def _without_repeats(raw: bytes) -> None:
    # The strict and fast reader keeps the last of two equal names, where other readers keep the first.
    try:
        json.loads(raw, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not JSON") from error


async def _limited(request: Request) -> bytes:
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > MAX_BODY:
                    raise TooLarge
    except TimeoutError as error:
        raise BadRequest("the body did not come") from error
    return bytes(raw)
