"""The read-only surfaces of the venue, ready to be mounted: Data API, Gamma and RTDS."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eth_utils.address import to_checksum_address
from starlette.routing import BaseRoute, Mount, Route

from services.venue import contracts
from services.venue.data.admin import DataAdmin
from services.venue.data.analytics import Analytics
from services.venue.data.answers import Answers
from services.venue.data.approvals import Approvals
from services.venue.data.cache import UrlCache
from services.venue.data.feed import Feed
from services.venue.data.follower import Follower
from services.venue.data.ledger import Ledger
from services.venue.data.people import People
from services.venue.data.portfolio import Portfolio
from services.venue.data.reader import Reader
from services.venue.data.v1 import VersionOne
from services.venue.data.v1_markets import MarketsOne
from services.venue.data.v2 import VersionTwo
from services.venue.events import Event, MinedEvent
from services.venue.exchange import Exchange
from services.venue.faults.registry import Note
from services.venue.gamma.routes import Gamma
from services.venue.node import addresses
from services.venue.node.client import Node
from services.venue.prices import Prices
from services.venue.rtds import Rtds

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
EXCHANGES = frozenset(one.exchange.lower() for one in contracts.ALL)
_TOKENS = frozenset(one.tokens.lower() for one in contracts.ALL)
WATCHED = [*EXCHANGES, *_TOKENS, addresses.ROUTER, addresses.NEG_RISK_ADAPTER]
# Contracts of the protocol that are nobody's wallet.
INNER = _TOKENS | {
    one.lower()
    for one in (
        *(one.adapter for one in contracts.ALL),
        addresses.COLLATERAL,
        addresses.NEG_RISK_ADAPTER,
        addresses.NEG_RISK_BURNT,
        addresses.WRAPPED_COLLATERAL,
        addresses.BINARY_MODULE,
        addresses.NEG_RISK_MODULE,
        addresses.AUTO_REDEEMER,
        addresses.PERPS_DEPOSIT,
    )
}


class Surfaces:
    """`routes` are `/data/…`, `/gamma/…`, the WebSocket `/rtds` and `/admin/data…`. `names` are the traders' by address.

    `data_lag_ms` is how long after its block a row is first shown by the Data API.
    """

    def __init__(
        self,
        exchange: Exchange,
        node: Node,
        names: Mapping[str, str],
        now_ms: Callable[[], int],
        note: Note,
        *,
        data_lag_ms: int = 0,
    ) -> None:
        prices = Prices(exchange, node)
        ledger = Ledger(exchange.market_of, exchange.markets, EXCHANGES, INNER)
        self.feed = Feed(ledger, Follower(node, WATCHED), names, now_ms, lag_ms=data_lag_ms)
        self._answers = Answers(UrlCache(now_ms, note), note)
        reader = Reader(self.feed, exchange.markets)
        portfolio = Portfolio(self.feed, exchange.markets, exchange.market_of, prices)
        self._one = VersionOne(reader, portfolio, self._answers, now_ms)
        self._two = VersionTwo(reader, portfolio, self._answers, now_ms)
        analytics = Analytics(self.feed, portfolio, exchange.markets, Approvals(node), self._answers, now_ms)
        people = People(self.feed, portfolio, self._answers, now_ms)
        more = MarketsOne(self.feed, portfolio, exchange.markets, analytics, people, self._answers)
        self._more = [*analytics.routes(), *people.routes(), *more.routes()]
        self._admin = DataAdmin(self.feed, self._answers, note)
        self._gamma = Gamma(
            exchange.markets,
            prices,
            exchange.book,
            lambda condition: ledger.questions.get(condition, ""),
            self.feed.names(),
            portfolio.refresh,
            now_ms,
        )
        self.rtds = Rtds(exchange.markets, self.feed.name, to_checksum_address, now_ms)
        exchange.subscribe(self._hear)

    def routes(self) -> list[BaseRoute]:
        data = [*self._one.routes(), *self._two.routes(), *self._more]
        nowhere = self._answers.nowhere(frozenset(route.path for route in data))
        return [
            Mount("/data", routes=[*data, Route("/{rest:path}", nowhere, methods=METHODS)]),
            self._gamma.mount(),
            *self.rtds.routes(),
            *self._admin.routes(),
            *self._gamma.admin(),
        ]

    def _hear(self, event: Event) -> None:
        if isinstance(event, MinedEvent):
            for fill in event.fills:
                self.rtds.publish(fill)
