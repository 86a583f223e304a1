"""JSON-RPC 2.0 envelopes: single calls and batches, and the errors of either."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson
import structlog

from services.venue.node.errors import ConnectionCut, RpcError, TooManyRequests

MAX_BATCH = 1_000

log = structlog.get_logger(__name__)

Answer = Callable[[str, list[Any]], Awaitable[Any]]


async def respond(body: bytes | str, answer: Answer) -> bytes:
    """The reply to one message; empty when it held notifications alone. Raises ConnectionCut and TooManyRequests."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return orjson.dumps(_failure(None, -32700, "parse error"))
    if isinstance(message, list):
        calls = cast("list[Any]", message)
        if not calls:
            return orjson.dumps(_failure(None, -32600, "empty batch"))
        if len(calls) > MAX_BATCH:
            return orjson.dumps(_failure(None, -32600, "batch too large"))
        replies = [reply for call in calls if (reply := await _respond_one(call, answer)) is not None]
        return orjson.dumps(replies) if replies else b""
    reply = await _respond_one(message, answer)
    return orjson.dumps(reply) if reply is not None else b""


async def _respond_one(message: Any, answer: Answer) -> dict[str, Any] | None:
    if not isinstance(message, dict):
        return _failure(None, -32600, "invalid request")
    call = cast("dict[str, Any]", message)
    identity, method, arguments = call.get("id"), call.get("method"), cast("Any", call.get("params") or [])
    if not isinstance(method, str) or not isinstance(arguments, list):
        return _failure(identity, -32600, "invalid request")
    reply = await _outcome(identity, method, cast("list[Any]", arguments), answer)
    return reply if "id" in call else None


async def _outcome(identity: Any, method: str, arguments: list[Any], answer: Answer) -> dict[str, Any]:
    try:
        return {"jsonrpc": "2.0", "id": identity, "result": await answer(method, arguments)}
    except (ConnectionCut, TooManyRequests):
        raise
    except RpcError as error:
        return _failure(identity, error.code, error.message, error.data)
    except Exception:
        log.exception("call failed", method=method)
        return _failure(identity, -32603, "internal error")


def _failure(identity: Any, code: int, message: str, data: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": identity, "error": error}
