"""What every HTTP request passes first: its id, its line in the log, the headers of every answer, and the last handler."""

import re
import secrets
import time
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.envelope import failure

REQUESTS = Counter("polycopy_http_requests_total", "HTTP requests answered", ["path", "status"])
SECONDS = Histogram(
    "polycopy_http_seconds",
    "Time to answer an HTTP request",
    ["path"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
REQUEST_ID = "x-request-id"
BROKEN = 1011
HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}

_GOOD_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

log = structlog.get_logger()


class Door:
    """Wraps the whole application. A query, which may hold a token, is never written."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            return await self._app(scope, receive, send)
        given = Headers(scope=scope).get(REQUEST_ID, "")
        scope["request_id"] = request_id = given if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            return await self._pass(scope, receive, _Answer(send, request_id))

    async def _pass(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        began = time.perf_counter()
        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            log.debug("client_left", path=scope["path"])
        except Exception:
            # Raised further it would be written once more by the server, whose log blanks no secrets.
            log.exception("request_failed", path=scope["path"])
            if not answer.status:
                await failure(500, "Internal server error")(scope, receive, answer)
            elif answer.status == 101:
                await answer({"type": "websocket.close", "code": BROKEN})
        finally:
            _note(scope, answer.status, time.perf_counter() - began)


class _Answer:
    """The way out: adds the headers, remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self._id
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        elif message["type"] == "websocket.accept":
            self.status = 101
        await self._send(message)


def _note(scope: Scope, status: int, seconds: float) -> None:
    endpoint: Any = scope.get("endpoint")
    path = str(getattr(endpoint, "path", "other"))
    REQUESTS.labels(path, status).inc()
    if scope["type"] == "http":
        SECONDS.labels(path).observe(seconds)
    method = scope.get("method", "WEBSOCKET")
    log.debug("http", method=method, path=scope["path"], status=status, ms=round(seconds * 1000, 1))
