"""Driving the venue by hand: its traders, one trade, one sweep, a script, the end of a market."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.venue.model import Side
from services.venue.resolution import Resolution
from services.venue.traders.desk import Desk, Refused, Wish
from services.venue.traders.runner import NotNow, Placed, Runner
from services.venue.traders.steps import Rest
from services.venue.traders.summary import Summary

SHARE = 1_000_000

Handler = Callable[[dict[str, Any]], Awaitable[Any]]


class TradersAdmin:
    """Bodies and answers are JSON objects; what cannot be done is a 400 that says why."""

    def __init__(self, desk: Desk, runner: Runner, summary: Summary, resolution: Resolution) -> None:
        self._desk = desk
        self._runner = runner
        self._summary = summary
        self._resolution = resolution

    def routes(self) -> list[Route]:
        return [
            Route("/admin/traders", _endpoint(self.traders)),
            Route("/admin/trade", _endpoint(self.trade), methods=["POST"]),
            Route("/admin/sweep", _endpoint(self.sweep), methods=["POST"]),
            Route("/admin/script", _endpoint(self.start), methods=["POST"]),
            Route("/admin/script", _endpoint(self.script)),
            Route("/admin/oracle", _endpoint(self.oracle)),
            Route("/admin/resolve", _endpoint(self.resolve), methods=["POST"]),
        ]

    async def traders(self, _: dict[str, Any]) -> Any:
        everyone = self._desk.everyone.values()
        return {"traders": [{"name": one.name, "address": one.address, "role": one.role} for one in everyone]}

    async def trade(self, body: dict[str, Any]) -> Any:
        placed = self._desk.trade(
            Wish(
                trader=_text(body, "trader"),
                market=_market(body),
                outcome=_whole(body, "outcome", 0),
                side=_side(body),
                shares_micros=_whole(body, "shares_micros", 0),
                usdc_micros=_whole(body, "usdc_micros", 0),
                fraction_bps=_whole(body, "fraction_bps", 0),
                price=str(body.get("price") or ""),
                order_type=str(body.get("type") or "FAK"),
                levels=_whole(body, "levels", 1),
            )
        )
        return _orders([placed])

    async def sweep(self, body: dict[str, Any]) -> Any:
        size = _whole(body, "shares_micros", 20 * SHARE)
        sizes = tuple([size] * _whole(body, "orders", 5))
        market = self._desk.place_of(_market(body))
        rest = Rest(_text(body, "trader"), market, _whole(body, "outcome", 0), _side(body), sizes)
        return _orders(await self._desk.act(rest))

    async def start(self, body: dict[str, Any]) -> Any:
        self._runner.start(_text(body, "name"), delay_s=_whole(body, "delay_s", 0), speed=_whole(body, "speed", 1))
        return self._runner.report()

    async def script(self, _: dict[str, Any]) -> Any:
        return self._runner.report()

    async def resolve(self, body: dict[str, Any]) -> Any:
        """`outcome` wins, or both are paid their parts of `payouts` (yes, no); with `auto_redeem` they are paid at once."""
        winner = _whole(body, "outcome", 0)
        payouts = _payouts(body["payouts"]) if "payouts" in body else (int(winner == 0), int(winner != 0))
        auto_redeem = body.get("auto_redeem", False)
        if not isinstance(auto_redeem, bool):
            raise Refused("auto_redeem: expected true or false")
        try:
            market = self._desk.market(_market(body))
            return await self._resolution.resolve(market, payouts, auto_redeem=auto_redeem)
        except ValueError as error:
            raise Refused(str(error)) from error

    async def oracle(self, _: dict[str, Any]) -> Any:
        return self._summary.report()


def _payouts(asked: object) -> tuple[int, int]:
    parts = cast(list[object], asked) if isinstance(asked, list) else []
    whole = [one for one in parts if isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= SHARE]
    if len(parts) != 2 or len(whole) != 2 or not any(whole):
        raise Refused(f"payouts: expected the parts of yes and no, from 0 to {SHARE}, not both 0")
    return whole[0], whole[1]


def _orders(placed: list[Placed]) -> dict[str, Any]:
    orders = [
        {
            "trader": one.trader,
            "order_hash": one.order_hash,
            "matched_micros": one.matched_micros,
            "error": one.error,
        }
        for one in placed
    ]
    return {"orders": orders}


def _market(body: dict[str, Any]) -> str | int:
    """A condition id, or the market's place in the list."""
    condition = body.get("condition_id")
    return str(condition) if condition else _whole(body, "market", 0)


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(f"{name}: a text is required")
    return value


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or value < 0:
        raise Refused(f"{name}: not a whole number")
    return value


def _side(body: dict[str, Any]) -> Side:
    try:
        return Side(str(body.get("side", "BUY")).upper())
    except ValueError as error:
        raise Refused("side: neither BUY nor SELL") from error


def _body(text: bytes) -> dict[str, Any]:
    body = cast(object, orjson.loads(text or b"{}"))
    if not isinstance(body, dict):
        raise Refused("the body is no object")
    return cast(dict[str, Any], body)


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            status, answer = 200, await handler(_body(await request.body()))
        except (Refused, NotNow, orjson.JSONDecodeError) as error:
            status, answer = 400, {"error": str(error)}
        return Response(orjson.dumps(answer), status, media_type="application/json")

    return endpoint
