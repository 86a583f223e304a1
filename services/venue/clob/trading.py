"""What a trader does with an API key: post, cancel, look up, ask what he may spend."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from starlette.requests import Request
from starlette.routing import Route

from services.venue.accounts import Kind, account_of
from services.venue.clob import shapes
from services.venue.clob.answers import endpoint
from services.venue.clob.gate import Gate
from services.venue.clob.intake import Intake
from services.venue.clob.parse import fields, read_body
from services.venue.contracts import ALL, tokens_of
from services.venue.credentials import ApiKey, Unauthorized
from services.venue.digits import whole
from services.venue.exchange import Exchange
from services.venue.model import Order, Placement, Trade
from services.venue.refusals import Refusal

PAGE = 500
START, END = "MA==", "LTE="
MOST_ORDERS = 15
MOST_CANCELS = 1_000
FAR = 2**63
KINDS = {str(kind.value): kind for kind in Kind}
ORDER_ID = re.compile("0x[0-9a-fA-F]{64}")


class Trading:
    """Routes that want the L2 headers of a key; where nothing is changed, a read-only key will do."""

    def __init__(self, exchange: Exchange, gate: Gate, intake: Intake, now_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._gate = gate
        self._intake = intake
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        return [
            Route("/order", endpoint(self.post_order), methods=["POST"]),
            Route("/order", endpoint(self.cancel_order), methods=["DELETE"]),
            Route("/orders", endpoint(self.post_orders), methods=["POST"]),
            Route("/orders", endpoint(self.cancel_orders), methods=["DELETE"]),
            Route("/cancel-all", endpoint(self.cancel_all), methods=["DELETE"]),
            Route("/cancel-market-orders", endpoint(self.cancel_market), methods=["DELETE"]),
            Route("/data/order/{order_hash}", endpoint(self.order)),
            Route("/data/orders", endpoint(self.orders)),
            Route("/data/trades", endpoint(self.trades)),
            Route("/auth/ban-status/closed-only", endpoint(self.closed_only)),
            Route("/balance-allowance", endpoint(self.balance)),
            Route("/balance-allowance/update", endpoint(self.update_balance)),
        ]

    async def closed_only(self, request: Request) -> Any:
        await self._gate.reader(request)
        return {"closed_only": False}

    async def post_order(self, request: Request) -> Any:
        key, raw, at_ms = await self._order_key(request)
        made = await self._intake.post(self._read(raw, key, at_ms), raw, key, at_ms)
        if not made.ok:
            raise Refusal(made.error, made.http_status)
        return shapes.placement(made)

    async def post_orders(self, request: Request) -> Any:
        key, raw, at_ms = await self._order_key(request)
        asked = _listed(self._read(raw, key, at_ms), MOST_ORDERS)
        placements = [await self._intake.post(body, raw, key, at_ms) for body in asked]
        return [_leg(made) for made in placements]

    async def cancel_order(self, request: Request) -> Any:
        return await self._cancel(request, [fields(await self._body(request)).get("orderID")])

    async def cancel_orders(self, request: Request) -> Any:
        too_many = f"Too many orders in payload, max allowed: {MOST_CANCELS}"
        return await self._cancel(request, _listed(await self._body(request), MOST_CANCELS, too_many))

    async def cancel_all(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        return await self._cancel(request, [one.order_hash for one in self._open(key)])

    async def cancel_market(self, request: Request) -> Any:
        key, wanted = await self._gate.trader(request), fields(await self._body(request))
        chosen = [
            one.order_hash
            for one in self._open(key)
            if wanted.get("market") in (None, "", one.market.condition_id)
            and wanted.get("asset_id") in (None, "", one.posted.token_id)
        ]
        return await self._cancel(request, chosen)

    async def order(self, request: Request) -> Any:
        """Active orders only: what has ended is answered by null, which proves nothing (venue.md 3.7)."""
        key = await self._gate.reader(request)
        found = self._exchange.orders.get(request.path_params["order_hash"].lower())
        mine = found if found and found.posted.wallet in account_of(key.address).lower else None
        return shapes.open_order(mine) if mine and str(mine.status) == "LIVE" else None

    async def orders(self, request: Request) -> Any:
        key, asked = await self._gate.reader(request), request.query_params
        found = [one for one in self._open(key) if _wanted(one, asked)]
        return _page([shapes.open_order(one) for one in found], asked.get("next_cursor", START))

    async def trades(self, request: Request) -> Any:
        key, asked = await self._gate.reader(request), request.query_params
        maker, wallets = asked.get("maker_address", "").lower(), account_of(key.address).lower
        mine = wallets & {maker} if maker else wallets
        when = _second(asked, "after", 0), _second(asked, "before", FAR)
        known = (one for one in self._exchange.trades.values() if shapes.concerns(one, mine))
        found = [shapes.trade(one, mine) for one in known if _asked_for(one, mine, asked, when)]
        return _page(found[::-1], asked.get("next_cursor", START))

    async def balance(self, request: Request) -> Any:
        key, asked = await self._gate.reader(request), request.query_params
        wallet = await self._exchange.wallets.known(_wallet(key, asked))
        if asked.get("asset_type") == "COLLATERAL":
            return _spendable(wallet.cash_micros, {one.exchange: held for one, held in wallet.allowances.items()})
        if asked.get("asset_type") != "CONDITIONAL" or self._exchange.market_of(asked.get("token_id", "")) is None:
            raise Refusal("invalid asset type or token id")
        held = wallet.tokens.get(asked["token_id"], 0)
        spenders = [one for one in ALL if one.tokens == tokens_of(asked["token_id"]) and one in wallet.allowances]
        return _spendable(
            held, {one.exchange: shapes.FAR_ALLOWANCE if one in wallet.approved else 0 for one in spenders}
        )

    async def update_balance(self, request: Request) -> Any:
        key = await self._gate.trader(request)
        await self._exchange.wallets.read(_wallet(key, request.query_params))
        return ""

    async def _cancel(self, request: Request, asked: Sequence[object]) -> Any:
        key = await self._gate.trader(request)
        gone: list[str] = []
        left: dict[str, str] = {}
        for order_hash in _order_ids(asked):
            order = self._exchange.orders.get(order_hash.lower())
            mine = order is not None and order.posted.wallet in account_of(key.address).lower
            reason = self._exchange.cancel(order_hash.lower()) if mine else "Order not found"
            if reason:
                left[order_hash] = reason
            else:
                gone.append(order_hash)
        return {"canceled": gone, "not_canceled": left}

    def _open(self, key: ApiKey) -> list[Order]:
        """What rests of the key's owner, from whichever of his wallets, oldest first."""
        wallets = account_of(key.address).lower
        return sorted(
            (order for wallet in wallets for order in self._exchange.open_orders(wallet)),
            key=lambda order: order.created_at,
        )

    async def _body(self, request: Request) -> object:
        return read_body(await request.body(), "Invalid payload")

    async def _order_key(self, request: Request) -> tuple[ApiKey, bytes, int]:
        """The key, the body, and when it had arrived."""
        raw, at_ms = await request.body(), self._now_ms()
        try:
            return await self._gate.trader(request), raw, at_ms
        except Unauthorized as error:
            self._intake.refuse(str(error), raw, request.headers.get("poly_address", ""), at_ms)
            raise

    def _read(self, raw: bytes, key: ApiKey, at_ms: int) -> object:
        try:
            return read_body(raw)
        except Refusal as refusal:
            self._intake.refuse(refusal.text, raw, key.address, at_ms)
            raise


def _listed(body: object, most: int, too_many: str = "") -> list[object]:
    if not isinstance(body, list):
        raise Refusal("Invalid order payload")
    items = cast(list[object], body)
    if len(items) > most:
        raise Refusal(too_many or f"Too many orders in payload: {len(items)}, max allowed: {most}")
    return items


def _order_ids(asked: Sequence[object]) -> list[str]:
    ids = [one for one in asked if isinstance(one, str) and ORDER_ID.fullmatch(one)]
    if len(ids) < len(asked):
        raise Refusal("Invalid orderID")
    return ids


def _leg(made: Placement) -> dict[str, Any]:
    # A leg that was refused is a success without an id: its error alone says so (venue.md 3.5).
    return shapes.placement(made) if made.ok else {"success": True, "orderID": "", "errorMsg": made.error, "status": ""}


def _wanted(order: Order, asked: Any) -> bool:
    return (
        asked.get("id") in (None, "", order.order_hash)
        and asked.get("market") in (None, "", order.market.condition_id)
        and asked.get("asset_id") in (None, "", order.posted.token_id)
    )


def _asked_for(one: Trade, wallets: Collection[str], asked: Any, when: tuple[int, int]) -> bool:
    tokens = {part.order.posted.token_id for part in one.parts if part.order.posted.wallet in wallets}
    return (
        asked.get("id") in (None, "", one.trade_id)
        and asked.get("market") in (None, "", one.market.condition_id)
        and (not asked.get("asset_id") or asked["asset_id"] in tokens)
        and when[0] <= one.matched_at_ms // 1000 <= when[1]
    )


def _wallet(key: ApiKey, asked: Any) -> str:
    """The wallet that a question about money means: the owner's of that signature type."""
    kind = asked.get("signature_type", "0")
    if kind not in KINDS:
        raise Refusal("invalid signature_type")
    return account_of(key.address).wallets(KINDS[kind])[0]


def _second(asked: Any, name: str, default: int) -> int:
    second = whole(str(asked.get(name) or default))
    if second is None:
        raise Refusal(f"invalid {name}")
    return second


def _page(rows: Sequence[Any], cursor: str) -> dict[str, Any]:
    try:
        start = int(base64.b64decode(cursor or START, validate=True))
    except ValueError as error:
        raise Refusal("invalid next_cursor") from error
    shown = rows[start : start + PAGE] if start >= 0 else rows[:0]
    more = start >= 0 and start + PAGE < len(rows)
    following = base64.b64encode(str(start + PAGE).encode()).decode() if more else END
    return {"limit": PAGE, "count": len(shown), "next_cursor": following, "data": list(shown)}


def _spendable(balance: int, allowances: Mapping[str, int]) -> dict[str, Any]:
    return {"balance": str(max(balance, 0)), "allowances": {one: str(allowed) for one, allowed in allowances.items()}}
