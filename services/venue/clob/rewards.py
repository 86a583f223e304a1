"""Rewards of makers: which markets have them and which orders would earn them. Nothing is ever paid here (venue.md 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

from eth_utils.address import is_address
from starlette.requests import Request
from starlette.routing import Route

from services.venue.accounts import account_of
from services.venue.clob.answers import endpoint
from services.venue.clob.gate import Gate
from services.venue.clob.ids import order_ids
from services.venue.clob.market_rows import REWARDED_SIZE, REWARDED_SPREAD, rewarded
from services.venue.clob.pages import page
from services.venue.clob.parse import read_body
from services.venue.exchange import Exchange
from services.venue.model import MICRO, Market, Order, OrderStatus
from services.venue.node import addresses
from services.venue.prices import Prices
from services.venue.refusals import Refusal
from services.venue.spelling import number

PAGE = 100
PAGE_CURRENT = 500
SPREAD_MICROS = int(REWARDED_SPREAD * 10_000)


class Rewards:
    """`/rewards/…`, `/rebates/current`, `/order-scoring`, `/orders-scoring`."""

    def __init__(self, exchange: Exchange, gate: Gate, prices: Prices) -> None:
        self._exchange = exchange
        self._gate = gate
        self._prices = prices

    def routes(self) -> list[Route]:
        return [
            Route("/rewards/markets/current", endpoint(self.current)),
            Route("/rewards/markets/multi", endpoint(self.multi)),
            Route("/rewards/markets/{condition}", endpoint(self.of_market)),
            Route("/rewards/user", endpoint(self.earned_on)),
            Route("/rewards/user/total", endpoint(self.total_on)),
            Route("/rewards/user/markets", endpoint(self.earned)),
            Route("/rewards/user/percentages", endpoint(self.percentages)),
            Route("/rebates/current", endpoint(self.rebates)),
            Route("/order-scoring", endpoint(self.scores)),
            Route("/orders-scoring", endpoint(self.score_list), methods=["POST"]),
        ]

    async def current(self, request: Request) -> Any:
        rows = [_config(market) for market in self._rewarded()]
        return page(rows, request.query_params.get("next_cursor"), PAGE_CURRENT)

    async def multi(self, request: Request) -> Any:
        rows = [self._described(market) for market in self._rewarded()]
        return page(rows, request.query_params.get("next_cursor"), PAGE)

    async def of_market(self, request: Request) -> Any:
        market = self._exchange.markets.get(request.path_params["condition"])
        if market is None:
            raise Refusal("market not found", 404)
        rows = [self._described(market)] if rewarded(market) else []
        return page(rows, request.query_params.get("next_cursor"), PAGE)

    async def earned_on(self, request: Request) -> Any:
        await self._gate.reader(request)
        _day(request)
        return page([], request.query_params.get("next_cursor"), PAGE)

    async def total_on(self, request: Request) -> Any:
        await self._gate.reader(request)
        _day(request)
        return []

    async def earned(self, request: Request) -> Any:
        await self._gate.reader(request)
        if request.query_params.get("date"):
            _day(request)
        return page([], request.query_params.get("next_cursor"), PAGE)

    async def percentages(self, request: Request) -> Any:
        await self._gate.reader(request)
        return {}

    async def rebates(self, request: Request) -> Any:
        """Null for a maker without any, which is every maker of this venue."""
        _day(request)
        if not is_address(request.query_params.get("maker_address", "")):
            raise Refusal("Invalid maker_address")

    async def scores(self, request: Request) -> Any:
        wallets = account_of((await self._gate.reader(request)).address).lower
        (asked,) = order_ids([request.query_params.get("order_id")])
        return {"scoring": self._scoring(asked, wallets)}

    async def score_list(self, request: Request) -> Any:
        wallets = account_of((await self._gate.reader(request)).address).lower
        asked = read_body(await request.body(), "Invalid payload")
        if not isinstance(asked, list):
            raise Refusal("Invalid payload")
        return {one: self._scoring(one, wallets) for one in order_ids(cast(Sequence[object], asked))}

    def _scoring(self, order_hash: str, wallets: frozenset[str]) -> bool:
        order = self._exchange.orders.get(order_hash.lower())
        if order is None or order.posted.wallet not in wallets or order.status is not OrderStatus.LIVE:
            return False
        return rewarded(order.market) and order.remaining_micros >= REWARDED_SIZE * MICRO and self._near(order)

    def _near(self, order: Order) -> bool:
        middle = self._prices.token_micros(order.market, order.posted.token_id)
        return abs(order.price_micros - middle) <= SPREAD_MICROS

    def _rewarded(self) -> list[Market]:
        return [market for market in self._exchange.markets.values() if rewarded(market)]

    def _described(self, market: Market) -> dict[str, Any]:
        quote = self._prices.quote(market)
        return {
            **_config(market),
            "market_id": market.event_id,
            "question": market.question,
            "market_slug": market.slug,
            "event_id": market.event_id,
            "event_slug": market.event_slug,
            "group_item_title": "",
            "image": "",
            "created_at": "2026-01-01T00:00:00Z",
            "end_date": "",
            "market_competitiveness": 0,
            "one_day_price_change": 0,
            "spread": (quote.ask_micros - quote.bid_micros) / MICRO,
            "volume_24hr": quote.volume_micros / MICRO,
            "tokens": [
                {"token_id": token, "outcome": outcome, "price": number(self._prices.token_micros(market, token))}
                for token, outcome in zip(market.tokens, market.outcomes, strict=True)
            ],
        }


def _config(market: Market) -> dict[str, Any]:
    since = "2026-01-01"
    paid = {"asset_address": addresses.COLLATERAL, "start_date": since, "end_date": "2500-12-31", "rate_per_day": 0}
    return {
        "condition_id": market.condition_id,
        "rewards_max_spread": REWARDED_SPREAD,
        "rewards_min_size": REWARDED_SIZE,
        "rewards_config": [{"id": 0, **paid, "total_rewards": 0}],
        "native_daily_rate": 0,
        "total_daily_rate": 0,
    }


def _day(request: Request) -> None:
    try:
        date.fromisoformat(request.query_params.get("date", ""))
    except ValueError as error:
        raise Refusal("Invalid date") from error
