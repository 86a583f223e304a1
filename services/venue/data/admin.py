"""The Data API's own controls: how late and stale it is, what it refuses, and rows that no trade makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.venue.data.answers import CODES, Answers, Refusals
from services.venue.data.feed import Feed
from services.venue.data.query import is_address
from services.venue.faults.registry import Note
from services.venue.node.errors import RpcError

# What an administrator can make a row of.
CREDITS = (
    "REWARD",
    "DEPOSIT",
    "WITHDRAWAL",
    "YIELD",
    "MAKER_REBATE",
    "TAKER_REBATE",
    "REFERRAL_REWARD",
    "MIGRATION",
    "TIP",
)


class BadOrder(ValueError):
    """What cannot be done; the text names the field and the expectation."""


class DataAdmin:
    """`/admin/data` tunes, `/admin/data/credit` adds a row."""

    def __init__(self, feed: Feed, answers: Answers, note: Note) -> None:
        self._note = note
        self._feed = feed
        self._answers = answers

    def routes(self) -> list[Route]:
        return [
            Route("/admin/data", _endpoint(self.tune), methods=["POST"]),
            Route("/admin/data/credit", _endpoint(self.credit), methods=["POST"]),
        ]

    async def tune(self, body: dict[str, Any]) -> Any:
        """`lag_ms`, `recompute_ms`, `cache_ms`, `retired` and `refuse` {code, path, times}, from now on."""
        feed, answers = self._feed, self._answers
        lag_ms, recompute_ms = _whole(body, "lag_ms", feed.lag_ms), _whole(body, "recompute_ms", feed.recompute_ms)
        cache_ms, retired = _whole(body, "cache_ms", answers.cache.keep_ms), body.get("retired", answers.retired)
        if not isinstance(retired, bool):
            raise BadOrder("retired: expected true or false")
        refusals = _refusals(body["refuse"]) if "refuse" in body else answers.refusals
        feed.lag_ms, feed.recompute_ms, answers.cache.keep_ms = lag_ms, recompute_ms, cache_ms
        answers.retired, answers.refusals = retired, refusals
        values = {"lag_ms": lag_ms, "recompute_ms": recompute_ms, "cache_ms": cache_ms, "retired": retired}
        # What is refused and what a cache gives again leave lines of their own as they strike.
        self._note("switched", name="data", values=values)
        return {
            **values,
            "refuse": {"code": refusals.code, "path": refusals.path, "times": refusals.times},
        }

    async def credit(self, body: dict[str, Any]) -> Any:
        """A row of `kind` for `user` over `usdc_micros`; no money moves on chain."""
        user, kind, amount = body.get("user"), body.get("kind"), _whole(body, "usdc_micros", 0)
        if not isinstance(user, str) or not is_address(user.lower()):
            raise BadOrder("user: expected a wallet's address")
        if kind not in CREDITS:
            raise BadOrder(f"kind: expected one of {', '.join(CREDITS)}")
        await self._feed.refresh()
        entry = self._feed.credit(user, str(kind), amount)
        return {"user": entry.wallet, "kind": entry.kind, "transaction_hash": entry.tx_hash}


def _refusals(body: object) -> Refusals:
    fields = cast(dict[str, Any], body) if isinstance(body, dict) else {}
    code, path = fields.get("code"), fields.get("path", "")
    if code not in CODES or code == "invalid_request":
        raise BadOrder(f"refuse.code: expected one of {', '.join(CODES)} but invalid_request")
    if not isinstance(path, str):
        raise BadOrder("refuse.path: expected the beginning of a path")
    return Refusals(str(code), path, _whole(fields, "times", 1))


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadOrder(f"{name}: expected a whole number, 0 or more")
    return value


def _endpoint(handler: Callable[[dict[str, Any]], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await handler(_body(await request.body())))
        except (BadOrder, orjson.JSONDecodeError) as refused:
            return JSONResponse({"error": str(refused)}, 400)
        except (httpx.HTTPError, RpcError) as error:
            return JSONResponse({"error": f"the node does not answer: {error!r}"}, 503)

    return endpoint


def _body(text: bytes) -> dict[str, Any]:
    body = cast(object, orjson.loads(text or b"{}"))
    if not isinstance(body, dict):
        raise BadOrder("expected a JSON object")
    return cast(dict[str, Any], body)
