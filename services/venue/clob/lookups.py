"""What an owner may look up: his orders and his trades (venue.md 3.7)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.accounts import account_of
from services.venue.clob import shapes
from services.venue.clob.answers import endpoint
from services.venue.clob.gate import Gate
from services.venue.clob.ids import order_ids
from services.venue.clob.pages import page
from services.venue.clob.span import Span, read_span
from services.venue.clob.tuning import Ended, Spelling, Tuning
from services.venue.credentials import ApiKey
from services.venue.exchange import Exchange
from services.venue.model import Order, Trade
from services.venue.refusals import Refusal

PAGE = 500


class Lookups:
    """`/data/…`; `tuning` is asked anew for every answer."""

    def __init__(self, exchange: Exchange, gate: Gate, tuning: Callable[[], Tuning], now_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._gate = gate
        self._tuning = tuning
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        return [
            Route("/data/order/{order_hash}", endpoint(self.order)),
            Route("/data/orders", endpoint(self.orders)),
            Route("/data/trades", endpoint(self.trades)),
            Route("/data/pre-migration-orders", endpoint(self.pre_migration)),
        ]

    async def order(self, request: Request) -> Any:
        """A live order; what has ended, and what never was, is answered as told, by null at first, which proves nothing."""
        key = await self._gate.reader(request)
        (order_hash,) = order_ids([request.path_params["order_hash"]])
        found = self._exchange.orders.get(order_hash.lower())
        mine = found if found and found.posted.wallet in account_of(key.address).lower else None
        if mine and mine.status.open:
            return self._shown(mine)
        return self._ended(mine)

    async def orders(self, request: Request) -> Any:
        key, asked = await self._gate.reader(request), request.query_params
        found = [one for one in open_orders(self._exchange, key) if _wanted(one, asked)]
        return page([self._shown(one) for one in found], asked.get("next_cursor"), PAGE)

    async def trades(self, request: Request) -> Any:
        key, asked = await self._gate.reader(request), request.query_params
        maker, wallets = asked.get("maker_address", "").lower(), account_of(key.address).lower
        mine, span = wallets & {maker} if maker else wallets, read_span(asked)
        until_ms = self._now_ms() - self._tuning().trades_lag_ms
        known = (one for one in self._named(mine, asked) if one.matched_at_ms <= until_ms)
        found = [one for one in known if _asked_for(one, mine, asked, span)]
        return page(found[::-1], asked.get("next_cursor"), PAGE, write=lambda one: self._trade(one, mine))

    async def pre_migration(self, request: Request) -> Any:
        """Orders of the exchange before this one: there was none."""
        await self._gate.reader(request)
        return page([], request.query_params.get("next_cursor"), PAGE)

    def _named(self, wallets: Collection[str], asked: Mapping[str, str]) -> Iterable[Trade]:
        """The wallets' trades: the one that is named, those of a market, or all."""
        if not asked.get("id"):
            return self._exchange.trades.of(wallets, asked.get("market", ""))
        one = self._exchange.trades.get(asked["id"])
        return [one] if one and shapes.concerns(one, wallets) else []

    def _trade(self, trade: Trade, wallets: Collection[str]) -> dict[str, Any]:
        row = shapes.trade(trade, wallets)
        return row | {"status": self._spelled("TRADE_STATUS_", row["status"])}

    def _ended(self, order: Order | None) -> Any:
        match self._tuning().ended:
            case Ended.NULL:
                return None
            case Ended.EMPTY:
                return {}
            case Ended.OBJECT if order:
                return self._shown(order)
            case Ended.OBJECT | Ended.NOT_FOUND:
                raise Refusal("Order not found", 404)

    def _shown(self, order: Order) -> dict[str, Any]:
        row = shapes.open_order(order)
        row["status"] = self._spelled("ORDER_STATUS_", row["status"])
        row["size_matched"] = shapes.text(order.matched_micros - self._unseen_micros(order))
        return row

    def _unseen_micros(self, order: Order) -> int:
        """What was matched so lately that it is not told yet."""
        lag_ms = self._tuning().matched_lag_ms
        if not lag_ms:
            return 0
        since = self._now_ms() - lag_ms
        late = (trade for one in order.trade_ids if (trade := self._exchange.trades.get(one)))
        parts = (part for trade in late if trade.matched_at_ms > since for part in trade.parts)
        return sum(part.shares_micros for part in parts if part.order is order)

    def _spelled(self, prefix: str, status: str) -> str:
        return prefix + status if self._tuning().statuses is Spelling.PREFIXED else status


def open_orders(exchange: Exchange, key: ApiKey) -> list[Order]:
    """What rests of the key's owner, from whichever of his wallets, oldest first."""
    found = (order for wallet in account_of(key.address).lower for order in exchange.open_orders(wallet))
    return sorted(found, key=lambda order: order.created_at)


def _wanted(order: Order, asked: Any) -> bool:
    return (
        asked.get("id") in (None, "", order.order_hash)
        and asked.get("market") in (None, "", order.market.condition_id)
        and asked.get("asset_id") in (None, "", order.posted.token_id)
    )


def _asked_for(one: Trade, wallets: Collection[str], asked: Any, span: Span) -> bool:
    tokens = {part.order.posted.token_id for part in one.parts if part.order.posted.wallet in wallets}
    return (
        asked.get("market") in (None, "", one.market.condition_id)
        and (not asked.get("asset_id") or asked["asset_id"] in tokens)
        and span.holds(one.matched_at_ms // 1000)
    )
