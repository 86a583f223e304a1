"""How both versions of the Data API answer: bodies, headers, and what is said of a failure (venue.md 1.1 and 1.2)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import Response

from services.venue.answer import answer
from services.venue.data.cache import UrlCache
from services.venue.data.query import Arguments, BadQuery, joined
from services.venue.faults.registry import Note
from services.venue.node.errors import RpcError

WITHIN_S = 10.0

Handler = Callable[[Arguments], Awaitable[Any]]
Endpoint = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger(__name__)

# By code: the status, whether trying again can help, and after how many seconds.
CODES: dict[str, tuple[int, bool, int | None]] = {
    "invalid_request": (400, False, None),
    "not_found": (404, False, None),
    "method_not_allowed": (405, False, None),
    "rate_limited": (429, True, 10),
    "internal": (500, True, None),
    "request_timeout": (503, True, 1),
    "dependency_unavailable": (503, True, 1),
}
_TEXTS = {
    "not_found": "not found",
    "method_not_allowed": "method not allowed",
    "rate_limited": "rate limit exceeded",
    "internal": "internal error",
    "request_timeout": "request timed out",
    "dependency_unavailable": "a dependency is unavailable",
}


class Failed(Exception):
    """A request that fails with one of `CODES`, whatever it asked for."""

    def __init__(self, code: str) -> None:
        super().__init__(_TEXTS[code])
        self.code = code


@dataclass(slots=True)
class Refusals:
    """Answers `code` to the next `times` requests whose path begins with `path`: failures that cannot be had otherwise."""

    code: str = ""
    path: str = ""
    times: int = 0

    def strike(self, path: str) -> bool:
        """Whether it is this request's turn."""
        if self.times > 0 and path.startswith(self.path):
            self.times -= 1
            return True
        return False


class Answers:
    """Makes endpoints of handlers. `retired` says that version 1 is no more."""

    def __init__(self, cache: UrlCache, note: Note) -> None:
        self.cache = cache
        self._note = note
        self.refusals = Refusals()
        self.retired = False

    def one(self, handler: Handler, *, stays: bool = False) -> Endpoint:
        """Version 1: the handler's value alone, or `{"error"}`. What `stays` outlives the version's end."""

        async def answered(request: Request) -> Response:
            try:
                if not stays:
                    self._check_retired()
                body = await self._handled(handler, request)
                return Response(body, media_type="application/zip") if isinstance(body, bytes) else answer(body)
            except BadQuery as refused:
                return answer({"error": str(refused)}, 400)
            except Failed as failed:
                status, _, wait = CODES[failed.code]
                return answer({"error": str(failed)}, status, _later(wait))

        return self._kept(answered)

    def two(self, handler: Handler, max_age_s: int) -> Endpoint:
        """Version 2: the handler's value with a trace, or the whole body of a failure."""

        async def answered(request: Request) -> Response:
            trace = uuid.uuid4().hex  # chance: a name, nothing is decided by it
            try:
                body = await self._handled(handler, request)
                return answer(body, headers={"x-trace-id": trace, "cache-control": f"max-age={max_age_s}"})
            except BadQuery as refused:
                return _fault("invalid_request", str(refused), trace, refused.parameter)
            except Failed as failed:
                return _fault(failed.code, str(failed), trace)

        return self._kept(answered)

    def nowhere(self, known: frozenset[str]) -> Endpoint:
        """Whatever no other route has taken: a known path was called by a wrong method."""

        async def endpoint(request: Request) -> Response:
            path = request.path_params["rest"]
            gone = self.retired and not path.startswith("v2/")
            code = "method_not_allowed" if f"/{path}" in known and not gone else "not_found"
            if path.startswith("v2/"):
                return _fault(code, _TEXTS[code], uuid.uuid4().hex)  # chance: a name
            return answer({"error": _TEXTS[code]}, CODES[code][0])

        return endpoint

    def _check_retired(self) -> None:
        if self.retired:
            raise Failed("not_found")

    def _refuse(self, path: str) -> None:
        if self.refusals.strike(path):
            self._note("fault", fault="data_refuse", path=path, code=self.refusals.code)
            raise Failed(self.refusals.code)

    async def _handled(self, handler: Handler, request: Request) -> Any:
        self._refuse(request.url.path.removeprefix(request.scope.get("root_path", "")))
        arguments = Arguments(joined(request.query_params.multi_items()))
        try:
            async with asyncio.timeout(WITHIN_S):
                body = await handler(arguments)
        except TimeoutError as error:
            raise Failed("request_timeout") from error
        except (httpx.HTTPError, RpcError) as error:
            log.warning("the chain does not answer", path=request.url.path, error=repr(error))
            raise Failed("dependency_unavailable") from error
        arguments.finish()
        return body

    def _kept(self, answered: Endpoint) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            if kept := self.cache.get(request):
                return kept
            response = await answered(request)
            self.cache.put(request, response)
            return response

        return endpoint


def rate_limited(after_s: int) -> Response:
    """What version 2 says to whoever asks too much."""
    return _fault("rate_limited", _TEXTS["rate_limited"], uuid.uuid4().hex, after_s=after_s)  # chance: a name


def _fault(code: str, text: str, trace: str, parameter: str = "", after_s: int | None = None) -> Response:
    status, retryable, wait = CODES[code]
    fault = {"error": text, "code": code, "retryable": retryable, "trace_id": trace}
    named = {"parameter": parameter} if parameter else {}
    return answer(fault | named, status, {"x-trace-id": trace, **_later(wait if after_s is None else after_s)})


def _later(wait_s: int | None) -> dict[str, str]:
    return {} if wait_s is None else {"retry-after": str(wait_s)}
