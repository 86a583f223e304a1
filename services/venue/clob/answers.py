"""How routes of the CLOB answer: JSON by orjson, refusals in the venue's own shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response

from services.venue.credentials import Unauthorized
from services.venue.node.errors import RpcError
from services.venue.refusals import Refusal

AWAY = "Trading is currently disabled. Check polymarket.com for updates"

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Any]]
Endpoint = Callable[[Request], Awaitable[Response]]


def answer(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def endpoint(handler: Handler) -> Endpoint:
    """The handler's value as JSON; what it refuses with the venue's text and status; 503 while the chain is away."""

    async def serve(request: Request) -> Response:
        try:
            return answer(await handler(request))
        except Refusal as refusal:
            return answer({"error": refusal.text}, refusal.status)
        except Unauthorized as error:
            return answer({"error": str(error)}, 401)
        except (httpx.HTTPError, RpcError, TimeoutError) as error:
            log.warning("the chain does not answer", path=request.url.path, error=repr(error))
            return answer({"error": AWAY}, 503)

    return serve
