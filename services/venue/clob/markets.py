"""The CLOB's lists of markets, and one market in its several shapes (venue.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.clob import market_rows as rows
from services.venue.clob.answers import endpoint
from services.venue.clob.pages import MARKETS, page
from services.venue.exchange import Exchange
from services.venue.model import Market
from services.venue.prices import Prices
from services.venue.refusals import Refusal

PAGE = 1_000

Write = Callable[[Market, dict[str, int]], dict[str, Any]]


class Markets:
    """Routes without authentication; a resolved market is worth what the chain says that it pays."""

    def __init__(self, exchange: Exchange, prices: Prices) -> None:
        self._exchange = exchange
        self._prices = prices

    def routes(self) -> list[Route]:
        return [
            Route("/markets", endpoint(self.all)),
            Route("/markets/{condition}", endpoint(self.one)),
            Route("/sampling-markets", endpoint(self.sampling)),
            Route("/simplified-markets", endpoint(self.simplified)),
            Route("/sampling-simplified-markets", endpoint(self.sampling_simplified)),
            Route("/clob-markets/{condition}", endpoint(self.short)),
            Route("/markets-by-token/{token}", endpoint(self.by_token)),
        ]

    async def all(self, request: Request) -> Any:
        return await self._listed(request, self._exchange.markets.values(), rows.full)

    async def simplified(self, request: Request) -> Any:
        return await self._listed(request, self._exchange.markets.values(), rows.simplified)

    async def sampling(self, request: Request) -> Any:
        return await self._listed(request, self._sampled(), rows.full)

    async def sampling_simplified(self, request: Request) -> Any:
        return await self._listed(request, self._sampled(), rows.simplified)

    async def one(self, request: Request) -> Any:
        market = self.market(request.path_params["condition"])
        await self._prices.refresh()
        return rows.full(market, self._worth(market))

    async def short(self, request: Request) -> Any:
        return rows.short(self.market(request.path_params["condition"]))

    async def by_token(self, request: Request) -> Any:
        market = self._exchange.market_of(request.path_params["token"])
        if market is None or not market.hydrated:
            raise Refusal("market not found", 404)
        return rows.by_token(market)

    def market(self, condition_id: str) -> Market:
        """Raises `Refusal` for one that is not listed, or not known here yet."""
        market = self._exchange.markets.get(condition_id)
        if market is None or not market.hydrated:
            raise Refusal("market not found", 404)
        return market

    def _sampled(self) -> list[Market]:
        return [market for market in self._exchange.markets.values() if rows.rewarded(market)]

    async def _listed(self, request: Request, markets: Iterable[Market], write: Write) -> Any:
        await self._prices.refresh()
        found = page(list(markets), request.query_params.get("next_cursor"), PAGE, MARKETS)
        return found | {"data": [write(market, self._worth(market)) for market in found["data"]]}

    def _worth(self, market: Market) -> dict[str, int]:
        return {token: self._prices.token_micros(market, token) for token in market.tokens}
