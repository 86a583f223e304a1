"""The read-only surfaces of the venue, ready to be mounted: Data API, Gamma and RTDS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from eth_utils.address import to_checksum_address
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from services.venue.data.cache import UrlCache
from services.venue.data.conversions import Conversions
from services.venue.data.custody import balances
from services.venue.data.feed import Feed
from services.venue.data.portfolio import Portfolio
from services.venue.data.reader import Reader
from services.venue.data.v1 import VersionOne
from services.venue.data.v2 import VersionTwo
from services.venue.exchange import Exchange
from services.venue.gamma import Gamma
from services.venue.model import Event, MinedEvent
from services.venue.node.client import Node
from services.venue.prices import Prices
from services.venue.rtds import Rtds


class Surfaces:
    """`routes` are `/data/…`, `/gamma/…`, the WebSocket `/rtds` and `/admin/data`. `names` are the traders' by address.

    `data_lag_ms` is how long after its block a row is first shown by the Data API.
    """

    def __init__(
        self,
        exchange: Exchange,
        node: Node,
        names: Mapping[str, str],
        now_ms: Callable[[], int],
        *,
        data_lag_ms: int = 0,
    ) -> None:
        prices = Prices(exchange, node)
        self.feed = Feed(exchange.fills, names, now_ms, lag_ms=data_lag_ms)
        self.cache = UrlCache(now_ms)
        reader = Reader(self.feed, Conversions(node), exchange.markets)
        portfolio = Portfolio(self.feed, exchange.markets, partial(balances, node), prices)

        async def head() -> int:
            return int(await node.call("eth_blockNumber"), 16)

        self._one = VersionOne(reader, portfolio, self.cache)
        self._two = VersionTwo(reader, portfolio, head, self.cache, now_ms)
        self._gamma = Gamma(exchange.markets, prices, now_ms)
        self._rtds = Rtds(exchange.markets, self.feed.name, to_checksum_address, now_ms)
        exchange.subscribe(self._hear)

    def routes(self) -> list[BaseRoute]:
        return [
            Mount("/data", routes=[*self._one.routes(), *self._two.routes()]),
            Mount("/gamma", routes=self._gamma.routes()),
            *self._rtds.routes(),
            Route("/admin/data", self._tune, methods=["POST"]),
        ]

    async def _tune(self, request: Request) -> Response:
        """`lag_ms` and `cache_ms` of the Data API, from now on."""
        body = cast(dict[str, Any], await request.json())
        self.feed.lag_ms = int(body.get("lag_ms", self.feed.lag_ms))
        self.cache.keep_ms = int(body.get("cache_ms", self.cache.keep_ms))
        return JSONResponse({"lag_ms": self.feed.lag_ms, "cache_ms": self.cache.keep_ms})

    def _hear(self, event: Event) -> None:
        if isinstance(event, MinedEvent):
            for fill in event.fills:
                self._rtds.publish(fill)
