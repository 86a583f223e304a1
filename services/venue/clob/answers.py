"""How routes of the CLOB answer: JSON by orjson, refusals in the venue's own shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.venue.answer import answer
from services.venue.credentials import Unauthorized
from services.venue.node.errors import RpcError
from services.venue.refusals import Refusal

_TOLD = "headers_told"
AWAY = "Trading is currently disabled. Check polymarket.com for updates"

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Any]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Told(Exception):
    """An answer of another status whose body is more than an error's text."""

    def __init__(self, body: Any, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.body = body
        self.status = status
        self.headers = headers or {}


def endpoint(handler: Handler) -> Endpoint:
    """The handler's value as JSON; what it refuses with the venue's text and status; 503 while the chain is away."""

    async def serve(request: Request) -> Response:
        response = await _answered(handler, request)
        response.headers.update(getattr(request.state, _TOLD, {}))
        return response

    return serve


def tell(request: Request, headers: Mapping[str, str]) -> None:
    """Send these with the answer to this request, whatever that will be."""
    setattr(request.state, _TOLD, getattr(request.state, _TOLD, {}) | dict(headers))


async def _answered(handler: Handler, request: Request) -> Response:
    try:
        return answer(await handler(request))
    except Refusal as refusal:
        return answer(refusal.body, refusal.status, refusal.headers)
    except Told as told:
        return answer(told.body, told.status, told.headers)
    except Unauthorized as error:
        return answer({"error": str(error)}, 401)
    except (httpx.HTTPError, RpcError, TimeoutError) as error:
        log.warning("the chain does not answer", path=request.url.path, error=repr(error))
        return answer({"error": AWAY}, 503)


async def unknown(_: Request, error: Exception) -> Response:
    """What is asked of a path that is not there, or by another method than it has; a handler of `HTTPException`."""
    assert isinstance(error, HTTPException)
    return answer({"error": error.detail}, error.status_code, error.headers)
