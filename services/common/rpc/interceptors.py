"""What happens around every RPC: request log → error status → identity and access → deadline → servicer."""

import inspect
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NoReturn

import grpc
import structlog
from grpc import aio
from polycopy.options.v1 import access_pb2
from prometheus_client import Counter, Histogram

from services.common.ports.chain import ChainUnavailable
from services.common.ports.stores import StoreUnavailable
from services.common.ports.venue import VenueUnavailable
from services.common.rpc import access, deadline
from services.common.rpc.caller import CLAIMS, REQUEST_HEADER, Identity, calling
from services.common.rpc.errors import DETAILS, Away, PolyCopyError, RateLimited, Reason, Unauthenticated, details_of
from services.common.rpc.payer import payer
from services.common.rpc.standing import while_good

log = structlog.get_logger()

CALLS = Counter("polycopy_rpc_calls_total", "RPCs served", ["method", "code"])
SECONDS = Histogram(
    "polycopy_rpc_seconds", "Time to serve an RPC", ["method"], buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
)

Context = aio.ServicerContext[Any, Any]
Around = Callable[[str, Context], AbstractAsyncContextManager[None]]

_GOOD_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
_AWAY: Mapping[type[Exception], tuple[str, "Reason.ValueType"]] = {
    StoreUnavailable: ("store", Reason.Value("ERROR_REASON_STORE_UNAVAILABLE")),
    VenueUnavailable: ("venue", Reason.Value("ERROR_REASON_VENUE_UNAVAILABLE")),
    ChainUnavailable: ("chain", Reason.Value("ERROR_REASON_CHAIN_UNAVAILABLE")),
}


class Wrapping(aio.ServerInterceptor):
    """Puts one async context manager around every call, whatever its kind."""

    def __init__(self, around: Around) -> None:
        self._around = around

    async def intercept_service(
        self, continuation: Callable[..., Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(handler_call_details)
        for kind in _KINDS:
            if inner := getattr(handler, kind, None):
                return handler._replace(**{kind: _wrapped(inner, self._around, handler_call_details.method)})
        return handler


def _wrapped(inner: Callable[..., Any], around: Around, method: str) -> Callable[..., Any]:
    async def call(request: Any, context: Context) -> Any:
        async with around(method, context):
            return await inner(request, context)

    async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
        async with around(method, context):
            async for message in inner(request, context):
                yield message

    # A streaming handler is an async generator, or a coroutine that calls context.write(), as health's is.
    return stream if inspect.isasyncgenfunction(inner) else call


@asynccontextmanager
async def request_log(method: str, context: Context) -> AsyncGenerator[None]:
    """One line and one count per call; never a payload."""
    began = time.perf_counter()  # clock: measured for people, nothing is decided by it
    # A stream that its client has left ends after its call is freed, and asking that call for its peer ends the process.
    remote = context.peer()
    _name_in_the_log(context)
    try:
        yield
    finally:
        took = time.perf_counter() - began  # clock: as above
        code = _code(context)
        CALLS.labels(method, code).inc()
        SECONDS.labels(method).observe(took)
        log.debug("rpc", method=method, code=code, ms=round(took * 1000, 1), remote=remote)


def _name_in_the_log(context: Context) -> None:
    # What the caller was told to look for is in every line of this call's own task.
    named = dict(context.invocation_metadata() or ()).get(REQUEST_HEADER)
    if isinstance(named, str) and _GOOD_NAME.fullmatch(named):
        structlog.contextvars.bind_contextvars(request_id=named)


def _code(context: Context) -> str:
    # Before anything was set, grpc.aio answers 0 instead of a status.
    code: Any = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else "OK"


@asynccontextmanager
async def error_status(method: str, context: Context) -> AsyncGenerator[None]:
    """Known errors keep their code and reason; unknown ones become a bare INTERNAL, because their text would reach the client."""
    try:
        yield
    except (aio.AbortError, GeneratorExit):
        raise
    except PolyCopyError as error:
        await _abort(context, error)
    except (StoreUnavailable, VenueUnavailable, ChainUnavailable) as error:
        await _abort(context, Away(*_AWAY[type(error)]))
    except Exception:
        log.exception("rpc_failed", method=method)
        await _abort(context, PolyCopyError("internal error"))


async def _abort(context: Context, error: PolyCopyError) -> NoReturn:
    trailing: list[tuple[str, str | bytes]] = [(DETAILS, details_of(error))]
    if isinstance(error, RateLimited):
        trailing.append(("retry-after", str(error.retry_after_s)))
    await context.abort(error.code, error.text, tuple(trailing))
    raise AssertionError("abort returned")


def gate(identity: Identity, quota: access.Quota | None) -> Around:
    """Who calls, may he, has he budget left; a stream learns that it is admitted by its initial metadata."""

    @asynccontextmanager
    async def around(method: str, context: Context) -> AsyncGenerator[None]:
        metadata, rule = _metadata(context), access.policy(method)
        # What an admin changes is not decided by what was true a few seconds ago.
        fresh = rule is not None and rule.role == access_pb2.ROLE_ADMIN and not access.reads_only(method)
        who = await identity.of(metadata, context.peer(), _certificates(context), fresh=fresh)
        access.admit(method, who)
        who_pays = payer(who, metadata, context.peer())
        if quota is not None and rule is not None and rule.rate_class and who_pays is not None:
            await quota.take(who_pays, rule.rate_class, reads_only=access.reads_only(method))
        calling(who)
        if rule is None or not rule.websocket:
            yield
            return
        await context.send_initial_metadata(())
        async with while_good(lambda: identity.still_good(who)):
            yield

    return around


@asynccontextmanager
async def timed(method: str, context: Context) -> AsyncGenerator[None]:
    """Keep what is left of the deadline for the calls that this one makes."""
    deadline.begin(context.time_remaining())
    yield


def _metadata(context: Context) -> dict[str, str | bytes]:
    found: dict[str, str | bytes] = {}
    for key, value in context.invocation_metadata() or ():
        if key in found and key in CLAIMS:
            raise Unauthenticated
        found[str(key)] = value
    return found


def _certificates(context: Context) -> Mapping[str, list[bytes]]:
    found: Any = context.auth_context()
    return {str(key): list(values) for key, values in found.items()}
