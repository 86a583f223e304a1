"""Driving the venue by hand: its traders, one trade, one sweep, a script, the end of a market."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from starlette.requests import Request
from starlette.routing import Route

from services.venue.body import Body, asked, flag, number
from services.venue.clob.answers import Endpoint, endpoint
from services.venue.model import Side
from services.venue.refusals import Refusal
from services.venue.resolution import Resolution
from services.venue.traders.desk import Desk, Refused, Wish
from services.venue.traders.runner import NotNow, Placed, Runner
from services.venue.traders.steps import Rest
from services.venue.traders.summary import Summary

SHARE = 1_000_000
MOST_ORDERS = 1_000
MARKET = ("market", "condition_id")
WISH = ("trader", *MARKET, "outcome", "side", "shares_micros")
TRADE = (*WISH, "usdc_micros", "fraction_bps", "price", "type", "levels")
SWEEP = (*WISH, "orders")
RESOLVE = (*MARKET, "outcome", "payouts", "auto_redeem")

Handler = Callable[[Body], Awaitable[Any]]


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
            Route("/admin/trade", _endpoint(self.trade, *TRADE), methods=["POST"]),
            Route("/admin/sweep", _endpoint(self.sweep, *SWEEP), methods=["POST"]),
            Route("/admin/script", _endpoint(self.start, "name", "delay_s", "speed"), methods=["POST"]),
            Route("/admin/script", _endpoint(self.script)),
            Route("/admin/oracle", _endpoint(self.oracle)),
            Route("/admin/resolve", _endpoint(self.resolve, *RESOLVE), methods=["POST"]),
        ]

    async def traders(self, _: Body) -> Any:
        everyone = self._desk.everyone.values()
        return {"traders": [{"name": one.name, "address": one.address, "role": one.role} for one in everyone]}

    async def trade(self, body: Body) -> Any:
        placed = self._desk.trade(
            Wish(
                trader=_text(body, "trader"),
                market=_market(body),
                outcome=number(body, "outcome"),
                side=_side(body),
                shares_micros=number(body, "shares_micros"),
                usdc_micros=number(body, "usdc_micros"),
                fraction_bps=number(body, "fraction_bps"),
                price=str(body.get("price") or ""),
                order_type=str(body.get("type") or "FAK"),
                levels=number(body, "levels", 1),
            )
        )
        return _orders([placed])

    async def sweep(self, body: Body) -> Any:
        size = number(body, "shares_micros", 20 * SHARE)
        sizes = tuple([size] * number(body, "orders", 5, most=MOST_ORDERS))
        market = self._desk.place_of(_market(body))
        rest = Rest(_text(body, "trader"), market, number(body, "outcome"), _side(body), sizes)
        return _orders(await self._desk.act(rest))

    async def start(self, body: Body) -> Any:
        self._runner.start(_text(body, "name"), delay_s=number(body, "delay_s"), speed=number(body, "speed", 1))
        return self._runner.report()

    async def script(self, _: Body) -> Any:
        return self._runner.report()

    async def resolve(self, body: Body) -> Any:
        """`outcome` wins, or both are paid their parts of `payouts` (yes, no); with `auto_redeem` they are paid at once."""
        winner = number(body, "outcome", most=1)
        payouts = _payouts(body["payouts"]) if "payouts" in body else (int(winner == 0), int(winner != 0))
        auto_redeem = flag(body, "auto_redeem")
        try:
            market = self._desk.market(_market(body))
            return await self._resolution.resolve(market, payouts, auto_redeem=auto_redeem)
        except ValueError as error:
            raise Refused(str(error)) from error

    async def oracle(self, _: Body) -> Any:
        return self._summary.report()


def _payouts(wanted: object) -> tuple[int, int]:
    parts = cast(list[object], wanted) if isinstance(wanted, list) else []
    whole = [one for one in parts if isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= SHARE]
    if len(parts) != 2 or len(whole) != 2 or not any(whole):
        raise Refusal(f"payouts: expected the parts of yes and no, from 0 to {SHARE}, not both 0")
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


def _market(body: Body) -> str | int:
    """A condition id, or the market's place in the list."""
    condition = body.get("condition_id")
    return str(condition) if condition else number(body, "market")


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(f"{name}: expected a text")
    return value


def _side(body: Body) -> Side:
    try:
        return Side(str(body.get("side", "BUY")).upper())
    except ValueError as error:
        raise Refusal("side: expected BUY or SELL") from error


def _endpoint(handler: Handler, *names: str) -> Endpoint:
    async def handle(request: Request) -> Any:
        try:
            return await handler(await asked(request, *names))
        except (Refused, NotNow) as error:
            raise Refusal(str(error)) from error

    return endpoint(handle)
