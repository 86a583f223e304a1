"""What a trader does with an API key: post, cancel, look up, ask what he may spend."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from starlette.requests import Request
from starlette.routing import Route

from services.venue.clob import shapes
from services.venue.clob.answers import endpoint
from services.venue.clob.parse import read_body, read_order
from services.venue.credentials import ApiKey, Credentials
from services.venue.exchange import Exchange
from services.venue.journal import Journal
from services.venue.model import Order, Placement, PostedOrder, Trade
from services.venue.node import addresses
from services.venue.refusals import Refusal

PAGE = 500
START, END = "MA==", "LTE="
MOST_ORDERS = 15


class Trading:
    """Routes that want L1 or L2 headers. Signatures cover the path below this venue's prefix, as clients compute it."""

    def __init__(
        self, exchange: Exchange, credentials: Credentials, journal: Journal, now_ms: Callable[[], int]
    ) -> None:
        self._exchange = exchange
        self._credentials = credentials
        self._journal = journal
        self._now_ms = now_ms
        self._received: Counter[str] = Counter()

    def routes(self) -> list[Route]:
        return [
            Route("/auth/api-key", endpoint(self.create_key), methods=["POST"]),
            Route("/auth/api-key", endpoint(self.delete_key), methods=["DELETE"]),
            Route("/auth/derive-api-key", endpoint(self.derive_key)),
            Route("/auth/api-keys", endpoint(self.keys)),
            Route("/auth/ban-status/closed-only", endpoint(self.closed_only)),
            Route("/order", endpoint(self.post_order), methods=["POST"]),
            Route("/order", endpoint(self.cancel_order), methods=["DELETE"]),
            Route("/orders", endpoint(self.post_orders), methods=["POST"]),
            Route("/orders", endpoint(self.cancel_orders), methods=["DELETE"]),
            Route("/cancel-all", endpoint(self.cancel_all), methods=["DELETE"]),
            Route("/cancel-market-orders", endpoint(self.cancel_market), methods=["DELETE"]),
            Route("/data/order/{order_hash}", endpoint(self.order)),
            Route("/data/orders", endpoint(self.orders)),
            Route("/data/trades", endpoint(self.trades)),
            Route("/balance-allowance", endpoint(self.balance)),
            Route("/balance-allowance/update", endpoint(self.update_balance)),
        ]

    async def create_key(self, request: Request) -> Any:
        return self._credentials.create(request.headers, self._now_s()).body()

    async def derive_key(self, request: Request) -> Any:
        key = self._credentials.derive(request.headers, self._now_s())
        if key is None:
            raise Refusal("Could not derive api key!")
        return key.body()

    async def delete_key(self, request: Request) -> Any:
        self._credentials.delete(await self._key(request))
        return "OK"

    async def keys(self, request: Request) -> Any:
        key = await self._key(request)
        return {"apiKeys": [one.key for one in self._credentials.of(key.address)]}

    async def closed_only(self, request: Request) -> Any:
        await self._key(request)
        return {"closed_only": False}

    async def post_order(self, request: Request) -> Any:
        key, raw = await self._key(request), await request.body()
        made = await self._post(read_body(raw), raw, key)
        if not made.ok:
            raise Refusal(made.error, made.http_status)
        return shapes.placement(made)

    async def post_orders(self, request: Request) -> Any:
        key, raw = await self._key(request), await request.body()
        bodies = read_body(raw)
        if not isinstance(bodies, list):
            raise Refusal("Invalid order payload")
        asked = cast(list[object], bodies)
        if len(asked) > MOST_ORDERS:
            raise Refusal(f"Too many orders in payload: {len(asked)}, max allowed: {MOST_ORDERS}")
        placements = [await self._post(body, raw, key) for body in asked]
        return [_leg(made) for made in placements]

    async def cancel_order(self, request: Request) -> Any:
        body = await self._body(request)
        return await self._cancel(request, [str(cast(dict[str, Any], body).get("orderID"))])

    async def cancel_orders(self, request: Request) -> Any:
        return await self._cancel(request, [str(one) for one in cast(list[object], await self._body(request))])

    async def cancel_all(self, request: Request) -> Any:
        key = await self._key(request)
        return await self._cancel(request, [one.order_hash for one in self._exchange.open_orders(key.address)])

    async def cancel_market(self, request: Request) -> Any:
        key, wanted = await self._key(request), cast(dict[str, Any], await self._body(request))
        mine = self._exchange.open_orders(key.address)
        chosen = [
            one.order_hash
            for one in mine
            if wanted.get("market") in (None, "", one.market.condition_id)
            and wanted.get("asset_id") in (None, "", one.posted.token_id)
        ]
        return await self._cancel(request, chosen)

    async def order(self, request: Request) -> Any:
        """Active orders only: what has ended is answered by null, which proves nothing (venue.md 3.7)."""
        key = await self._key(request)
        found = self._exchange.orders.get(request.path_params["order_hash"].lower())
        mine = found if found and found.posted.wallet == key.address.lower() else None
        return shapes.open_order(mine) if mine and str(mine.status) == "LIVE" else None

    async def orders(self, request: Request) -> Any:
        key, asked = await self._key(request), request.query_params
        found = [one for one in self._exchange.open_orders(key.address) if _wanted(one, asked)]
        return _page([shapes.open_order(one) for one in found], asked.get("next_cursor", START))

    async def trades(self, request: Request) -> Any:
        key, asked = await self._key(request), request.query_params
        wallet = key.address.lower()
        mine = (one for one in self._exchange.trades.values() if shapes.concerns(one, wallet))
        found = [shapes.trade(one, wallet) for one in mine if _asked_for(one, wallet, asked)]
        return _page(found[::-1], asked.get("next_cursor", START))

    async def balance(self, request: Request) -> Any:
        key, asked = await self._key(request), request.query_params
        wallet = await self._exchange.wallets.known(key.address)
        if asked.get("asset_type") == "COLLATERAL":
            return _spendable(wallet.cash_micros, wallet.allowance_micros)
        if asked.get("asset_type") != "CONDITIONAL" or self._exchange.market_of(asked.get("token_id", "")) is None:
            raise Refusal("invalid asset type or token id")
        held = wallet.tokens.get(asked["token_id"], 0)
        return _spendable(held, shapes.FAR_ALLOWANCE if wallet.approved else 0)

    async def update_balance(self, request: Request) -> Any:
        key = await self._key(request)
        await self._exchange.wallets.read(key.address)
        return ""

    async def _post(self, body: object, raw: bytes, key: ApiKey) -> Placement:
        at_ms = self._now_ms()
        try:
            posted = read_order(body, key)
        except Refusal as refusal:
            self._journal.note(
                "order_refused", at_ms=at_ms, maker=key.address, error=refusal.text, raw=hashlib.sha256(raw).hexdigest()
            )
            return Placement("", error=refusal.text, http_status=refusal.status)
        await self._exchange.wallets.known(key.address)
        made = self._exchange.place(posted)
        self._note(posted, made, raw, at_ms)
        return made

    def _note(self, posted: PostedOrder, made: Placement, raw: bytes, at_ms: int) -> None:
        self._received[posted.order_hash] += 1
        self._journal.note(
            "order_received",
            at_ms=at_ms,
            hash=posted.order_hash,
            maker=posted.signed.maker,
            token=posted.token_id,
            side=str(posted.side),
            shares_micros=posted.shares_micros,
            usdc_micros=posted.usdc_micros,
            type=str(posted.order_type),
            attempt=self._received[posted.order_hash],
            raw=hashlib.sha256(raw).hexdigest(),
            outcome="accepted" if made.ok else "refused",
            status=made.status,
            error=made.error,
        )

    async def _cancel(self, request: Request, hashes: Sequence[str]) -> Any:
        key = await self._key(request)
        gone: list[str] = []
        left: dict[str, str] = {}
        for order_hash in hashes:
            order = self._exchange.orders.get(order_hash.lower())
            mine = order is not None and order.posted.wallet == key.address.lower()
            reason = self._exchange.cancel(order_hash.lower()) if mine else "Order not found"
            if reason:
                left[order_hash] = reason
            else:
                gone.append(order_hash)
        return {"canceled": gone, "not_canceled": left}

    async def _body(self, request: Request) -> object:
        return read_body(await request.body())

    async def _key(self, request: Request) -> ApiKey:
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        return self._credentials.check(request.headers, request.method, path, await request.body(), self._now_s())

    def _now_s(self) -> int:
        return self._now_ms() // 1000


def _leg(made: Placement) -> dict[str, Any]:
    # A leg that was refused is a success without an id: its error alone says so (venue.md 3.5).
    return shapes.placement(made) if made.ok else {"success": True, "orderID": "", "errorMsg": made.error, "status": ""}


def _wanted(order: Order, asked: Any) -> bool:
    return (
        asked.get("id") in (None, "", order.order_hash)
        and asked.get("market") in (None, "", order.market.condition_id)
        and asked.get("asset_id") in (None, "", order.posted.token_id)
    )


def _asked_for(one: Trade, wallet: str, asked: Any) -> bool:
    tokens = {part.order.posted.token_id for part in one.parts if part.order.posted.wallet == wallet}
    matched_at = one.matched_at_ms // 1000
    return (
        asked.get("id") in (None, "", one.trade_id)
        and asked.get("market") in (None, "", one.market.condition_id)
        and (not asked.get("asset_id") or asked["asset_id"] in tokens)
        and matched_at >= int(asked.get("after") or 0)
        and (not asked.get("before") or matched_at <= int(asked["before"]))
    )


def _page(rows: Sequence[Any], cursor: str) -> dict[str, Any]:
    try:
        start = int(base64.b64decode(cursor, validate=True))
    except ValueError as error:
        raise Refusal("invalid next_cursor") from error
    shown = rows[start : start + PAGE] if start >= 0 else rows[:0]
    more = start >= 0 and start + PAGE < len(rows)
    following = base64.b64encode(str(start + PAGE).encode()).decode() if more else END
    return {"limit": PAGE, "count": len(shown), "next_cursor": following, "data": list(shown)}


def _spendable(balance: int, allowance: int) -> dict[str, Any]:
    return {"balance": str(max(balance, 0)), "allowances": {addresses.EXCHANGE: str(allowance)}}
