"""`/admin/routes`: every path and method that this venue answers, read off the application itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute


def directory(routes: Sequence[BaseRoute]) -> Route:
    """The route that lists these and itself."""

    async def show(_: Request) -> Response:
        return JSONResponse({"routes": [*_walk(routes, ""), {"path": "/admin/routes", "methods": ["GET"]}]})

    return Route("/admin/routes", show)


def _walk(routes: Sequence[BaseRoute], prefix: str) -> Iterator[dict[str, Any]]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _walk(route.routes, prefix + route.path)
        elif isinstance(route, Route):
            yield {"path": prefix + route.path, "methods": sorted((route.methods or set[str]()) - {"HEAD"})}
        elif isinstance(route, WebSocketRoute):
            yield {"path": prefix + route.path, "methods": ["WEBSOCKET"]}
