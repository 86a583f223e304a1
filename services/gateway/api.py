"""The whole HTTP surface in one ASGI application."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from services.gateway.contract import SERVICES
from services.gateway.door import REQUEST_ID, Door
from services.gateway.envelope import failure
from services.gateway.events import Events
from services.gateway.feed import Feed
from services.gateway.pages import Pages
from services.gateway.rest import http_routes
from services.gateway.routes import routes, streams
from services.gateway.sessions import Sessions
from services.gateway.stream import Sockets
from services.gateway.upstream import Upstreams

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_TEXTS: Mapping[int, str] = {404: "no such path", 405: "this path has no such verb"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of."""

    upstreams: Upstreams
    sessions: Sessions
    pages: Pages
    origins: tuple[str, ...]


def application(parts: Parts) -> Door:
    """Routes of the contract, streams and pages; every answer, also one to a path that is not there, wears the envelope."""
    methods = streams(SERVICES)

    def open_feed(token: str, remote: str, resume: str) -> Feed:
        return Feed(methods, parts.upstreams, token, remote, resume)

    events, sockets = Events(open_feed, parts.sessions), Sockets(open_feed, parts.sessions, parts.origins)
    found: list[BaseRoute] = [
        *http_routes(routes(SERVICES), parts.upstreams),
        Route(events.path, events, methods=["GET"]),
        WebSocketRoute(sockets.path, sockets),
        *parts.pages.routes(),
    ]
    handlers: dict[Any, Any] = {HTTPException: _no_route, Exception: _broken}
    app = Starlette(routes=found, middleware=_middleware(parts.origins), exception_handlers=handlers)
    # A path with a slash too many is no path: the redirect would name whatever host the caller wrote.
    app.router.redirect_slashes = False
    return Door(app)


def _middleware(origins: tuple[str, ...]) -> list[Middleware]:
    if not origins:
        return []
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=VERBS,
        allow_headers=["authorization", "content-type", REQUEST_ID, "last-event-id"],
        expose_headers=["retry-after", REQUEST_ID],
        max_age=600,
    )
    return [cors]


def _no_route(request: Request, error: Any) -> Response:
    return failure(error.status_code, _TEXTS.get(error.status_code, str(error.detail)), error.headers)


def _broken(request: Request, error: Exception) -> Response:
    return failure(500, "Internal server error")
