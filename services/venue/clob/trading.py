"""What a trader does with an API key: post orders and cancel them (venue.md 3.4, 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from starlette.requests import Request
from starlette.routing import Route

from services.venue.accounts import account_of
from services.venue.clob import shapes
from services.venue.clob.answers import endpoint
from services.venue.clob.gate import Gate
from services.venue.clob.ids import order_ids
from services.venue.clob.intake import Intake
from services.venue.clob.lookups import open_orders
from services.venue.clob.parse import fields, read_body
from services.venue.clob.throttle import Limits
from services.venue.clob.tuning import Amounts, Reasons, Tuning
from services.venue.credentials import ApiKey, Unauthorized
from services.venue.exchange import Exchange
from services.venue.model import Order, OrderStatus, Placement
from services.venue.refusals import Refusal
from services.venue.region import Region

MOST_ORDERS = 15
MOST_CANCELS = 1_000


class Trading:
    """Routes that want the L2 headers of a key. Every order and every cancel counts against its signer."""

    def __init__(
        self,
        exchange: Exchange,
        gate: Gate,
        intake: Intake,
        limits: Limits,
        region: Region,
        tuning: Callable[[], Tuning],
        now_ms: Callable[[], int],
    ) -> None:
        self._exchange = exchange
        self._gate = gate
        self._intake = intake
        self._limits = limits
        self._region = region
        self._tuning = tuning
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        return [
            Route("/order", endpoint(self.post_order), methods=["POST"]),
            Route("/order", endpoint(self.cancel_order), methods=["DELETE"]),
            Route("/orders", endpoint(self.post_orders), methods=["POST"]),
            Route("/orders", endpoint(self.cancel_orders), methods=["DELETE"]),
            Route("/cancel-all", endpoint(self.cancel_all), methods=["DELETE"]),
            Route("/cancel-market-orders", endpoint(self.cancel_market), methods=["DELETE"]),
        ]

    async def post_order(self, request: Request) -> Any:
        seen = self._exchange.taken
        key, raw, at_ms = await self._order_key(request)
        self._limits.spend(request, key, 1, cancels=False)
        made = await self._intake.post(self._read(raw, key, at_ms), raw, key, at_ms, seen)
        if not made.ok:
            raise Refusal(made.error, made.http_status, code=made.code, retry_after_s=made.retry_after_s)
        return self._taken(made)

    async def post_orders(self, request: Request) -> Any:
        seen = self._exchange.taken
        key, raw, at_ms = await self._order_key(request)
        self._exchange.modes.check_request()
        asked = _listed(self._read(raw, key, at_ms), MOST_ORDERS)
        self._limits.spend(request, key, max(len(asked), 1), cancels=False)
        placements = [await self._intake.post(body, raw, key, at_ms, seen) for body in asked]
        return [self._taken(made) if made.ok else _refused_leg(made) for made in placements]

    async def cancel_order(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        return self._cancel_listed(request, key, [fields(await self._body(request)).get("orderID")])

    async def cancel_orders(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        too_many = f"Too many orders in payload, max allowed: {MOST_CANCELS}"
        return self._cancel_listed(request, key, _listed(await self._body(request), MOST_CANCELS, too_many))

    async def cancel_all(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        return self._cancel_found(request, key, open_orders(self._exchange, key))

    async def cancel_market(self, request: Request) -> Any:
        key, wanted = await self._gate.trader(request), fields(await self._body(request))
        market, asset = wanted.get("market") or "", wanted.get("asset_id") or ""
        if not isinstance(market, str) or not isinstance(asset, str) or not market + asset:
            raise Refusal("Invalid payload")
        mine = open_orders(self._exchange, key)
        found = [one for one in mine if market in ("", one.market.condition_id) and asset in ("", one.posted.token_id)]
        return self._cancel_found(request, key, found)

    def _cancel_listed(self, request: Request, key: ApiKey, asked: Sequence[object]) -> Any:
        ids = order_ids(asked)
        self._limits.spend(request, key, max(len(ids), 1), cancels=True)
        return self._cancelled(key, ids)

    def _cancel_found(self, request: Request, key: ApiKey, found: Sequence[Order]) -> Any:
        self._limits.spend(request, key, 1, cancels=True)
        self._limits.owe(request, key, len(found))
        return self._cancelled(key, [one.order_hash for one in found])

    def _cancelled(self, key: ApiKey, ids: Sequence[str]) -> dict[str, Any]:
        self._exchange.modes.check_request()
        wallets = account_of(key.address).lower
        left = {one: reason for one in dict.fromkeys(ids) if (reason := self._cancel(one.lower(), wallets))}
        return {"canceled": [one for one in dict.fromkeys(ids) if one not in left], "not_canceled": left}

    def _cancel(self, order_hash: str, wallets: frozenset[str]) -> str:
        """Empty, or why it was not cancelled."""
        order = self._exchange.orders.get(order_hash)
        if order is None or order.posted.wallet not in wallets:
            return "Order not found"
        if not order.status.open and self._tuning().reasons is Reasons.PRECISE:
            return "Order already matched" if order.status is OrderStatus.MATCHED else "Order already canceled"
        return self._exchange.cancel(order_hash)

    def _taken(self, made: Placement) -> dict[str, Any]:
        written = shapes.placement(made)
        if self._tuning().amounts is Amounts.MICROS and written["makingAmount"]:
            written |= {"makingAmount": str(made.making_micros), "takingAmount": str(made.taking_micros)}
        return written

    async def _body(self, request: Request) -> object:
        return read_body(await request.body(), "Invalid payload")

    async def _order_key(self, request: Request) -> tuple[ApiKey, bytes, int]:
        """The key, the body, and when it had arrived."""
        raw, at_ms = await request.body(), self._now_ms()
        try:
            self._region.check()
            return await self._gate.trader(request), raw, at_ms
        except (Unauthorized, Refusal) as error:
            self._intake.refuse(error, raw, request.headers.get("poly_address", ""), at_ms)
            raise

    def _read(self, raw: bytes, key: ApiKey, at_ms: int) -> object:
        try:
            return read_body(raw)
        except Refusal as refusal:
            self._intake.refuse(refusal, raw, key.address, at_ms)
            raise


def _listed(body: object, most: int, too_many: str = "") -> list[object]:
    if not isinstance(body, list):
        raise Refusal("Invalid order payload")
    items = cast(list[object], body)
    if len(items) > most:
        raise Refusal(too_many or f"Too many orders in payload: {len(items)}, max allowed: {most}")
    return items


def _refused_leg(made: Placement) -> dict[str, Any]:
    """A success without an id: its error alone says that it is none (venue.md 3.5)."""
    empty = dict.fromkeys(("orderID", "takingAmount", "makingAmount", "status"), "")
    return {"errorMsg": made.error, **empty, "success": True}
