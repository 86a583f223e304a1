"""What anyone may read: health, metrics, the token keys, the API's document."""

import time
from collections.abc import Callable
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from services.common.tokens import Keys
from services.gateway.contract import openapi
from services.gateway.docs_page import CONTENT_POLICY, page
from services.gateway.envelope import failure, success
from services.gateway.health import Readiness
from services.gateway.jwks import jwks


class Pages:
    """Their routes. `documented` serves the document and its page too."""

    def __init__(self, readiness: Readiness, keys: Keys, version: str, *, documented: bool) -> None:
        self._readiness = readiness
        self._version = version
        self._began = time.monotonic()
        self._keys = orjson.dumps(jwks(keys))
        self._documented = documented
        self._document = openapi(version) if documented else {}

    def routes(self) -> list[Route]:
        """All of them, none of which asks for a token."""
        found: list[tuple[str, Callable[[Request], Any]]] = [
            ("/health", self._health),
            ("/health/live", self._live),
            ("/health/ready", self._ready),
            ("/metrics", self._metrics),
            ("/.well-known/jwks.json", self._jwks),
        ]
        if self._documented:
            found += [("/openapi.json", self._openapi), ("/api/docs", self._docs)]
        return [Route(path, answer, methods=["GET"]) for path, answer in found]

    async def _health(self, request: Request) -> Response:
        return success({**self._state("degraded"), "version": self._version, "uptimeMs": self._uptime_ms()})

    async def _live(self, request: Request) -> Response:
        return success({"status": "alive"})

    async def _ready(self, request: Request) -> Response:
        state = self._state("not ready")
        if away := self._readiness.away:
            return failure(503, f"{', '.join(away)} away", data=state)
        return success(state)

    async def _metrics(self, request: Request) -> Response:
        return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})

    async def _jwks(self, request: Request) -> Response:
        return Response(self._keys, media_type="application/json", headers={"cache-control": "max-age=60"})

    async def _openapi(self, request: Request) -> Response:
        return Response(orjson.dumps(self._document), media_type="application/json")

    async def _docs(self, request: Request) -> Response:
        return HTMLResponse(page(self._document), headers={"content-security-policy": CONTENT_POLICY})

    def _state(self, otherwise: str) -> dict[str, Any]:
        return {
            "status": otherwise if self._readiness.away else "healthy",
            "dependencies": dict(self._readiness.dependencies),
        }

    def _uptime_ms(self) -> int:
        return int((time.monotonic() - self._began) * 1000)
