"""What every REST answer is wrapped in, and which HTTP status a gRPC status becomes."""

import time
from collections.abc import Mapping
from typing import Any

import grpc
import orjson
from starlette.responses import Response

STATUS = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 503,
    grpc.StatusCode.CANCELLED: 503,
}

# What went wrong inside is for the log; these texts are all that leaves.
MASKED = {
    grpc.StatusCode.UNKNOWN: "Internal server error",
    grpc.StatusCode.INTERNAL: "Internal server error",
    grpc.StatusCode.DATA_LOSS: "Internal server error",
    grpc.StatusCode.UNIMPLEMENTED: "Internal server error",
    grpc.StatusCode.UNAVAILABLE: "Service unavailable",
    grpc.StatusCode.CANCELLED: "Service unavailable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "Upstream timed out",
}


def http_status(code: grpc.StatusCode) -> int:
    """The HTTP status of a gRPC status; what is not in the table is a 500."""
    return STATUS.get(code, 500)


def public_text(code: grpc.StatusCode, details: str | None) -> str:
    """The text that may leave."""
    return MASKED.get(code) or details or "Request refused"


def success(data: Any) -> Response:
    """200 with `data`."""
    return answer(200, {"success": True, "data": data})


def failure(status: int, error: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """An error, with what else helps the caller (`reason`, `metadata`)."""
    return answer(status, {"success": False, "error": error, **more}, headers)


def answer(status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The envelope: `{success, data?, error?, timestamp}`, timestamp in milliseconds."""
    content = orjson.dumps(body | {"timestamp": time.time_ns() // 1_000_000})
    return Response(content, status, {"cache-control": "no-store", **(headers or {})}, "application/json")
