"""The Data API's own controls: how late and stale it is, what it refuses, and rows that no trade makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.venue.body import Body, address_of, asked, flag, mapping, number, only
from services.venue.data.answers import CODES, Answers, Refusals
from services.venue.data.feed import Feed
from services.venue.faults.registry import Note
from services.venue.node.errors import RpcError
from services.venue.refusals import Refusal

Handler = Callable[[Body], Awaitable[Any]]

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


class DataAdmin:
    """`/admin/data` tunes, `/admin/data/credit` adds a row."""

    def __init__(self, feed: Feed, answers: Answers, note: Note) -> None:
        self._note = note
        self._feed = feed
        self._answers = answers

    def routes(self) -> list[Route]:
        return [
            Route(
                "/admin/data",
                _endpoint(self.tune, "lag_ms", "recompute_ms", "cache_ms", "retired", "refuse"),
                methods=["POST"],
            ),
            Route("/admin/data/credit", _endpoint(self.credit, "user", "kind", "usdc_micros"), methods=["POST"]),
        ]

    async def tune(self, body: Body) -> Any:
        """`lag_ms`, `recompute_ms`, `cache_ms`, `retired` and `refuse` {code, path, times}, from now on."""
        feed, answers = self._feed, self._answers
        lag_ms, recompute_ms = number(body, "lag_ms", feed.lag_ms), number(body, "recompute_ms", feed.recompute_ms)
        cache_ms, retired = number(body, "cache_ms", answers.cache.keep_ms), flag(body, "retired", answers.retired)
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

    async def credit(self, body: Body) -> Any:
        """A row of `kind` for `user` over `usdc_micros`; no money moves on chain."""
        user, kind, amount = address_of(body, "user"), body.get("kind"), number(body, "usdc_micros")
        if kind not in CREDITS:
            raise Refusal(f"kind: expected one of {', '.join(CREDITS)}")
        await self._feed.refresh()
        entry = self._feed.credit(user, str(kind), amount)
        return {"user": entry.wallet, "kind": entry.kind, "transaction_hash": entry.tx_hash}


def _refusals(wanted: object) -> Refusals:
    fields = mapping(wanted)
    only(fields, ("code", "path", "times"))
    code, path = fields.get("code"), fields.get("path", "")
    if code not in CODES or code == "invalid_request":
        raise Refusal(f"refuse.code: expected one of {', '.join(CODES)} but invalid_request")
    if not isinstance(path, str):
        raise Refusal("refuse.path: expected the beginning of a path")
    return Refusals(str(code), path, number(fields, "times", 1))


def _endpoint(handler: Handler, *names: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await handler(await asked(request, *names)))
        except Refusal as refused:
            return JSONResponse(refused.body, refused.status)
        except (httpx.HTTPError, RpcError) as error:
            return JSONResponse({"error": f"the node does not answer: {error!r}"}, 503)

    return endpoint
