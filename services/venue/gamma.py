"""Gamma: what markets and events say of themselves, lists written inside texts as the real one does (venue.md 2)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.venue.data.cursor import read_cursor, write_cursor
from services.venue.data.query import BadQuery
from services.venue.data.rows import MICRO, Row, icon
from services.venue.digits import whole
from services.venue.model import Market
from services.venue.node.errors import RpcError
from services.venue.prices import Prices

MOST = 100
FIRST_ID = 5_000_001
DEPRECATED = {
    "deprecation": "true",
    "sunset": "Fri, 01 May 2026 00:00:00 GMT",
    "warning": '299 - "Offset pagination is deprecated, use /markets/keyset"',
}


class Gamma:
    """Reads the exchange's markets as they are now; prices are those of the first outcome."""

    def __init__(self, markets: Mapping[str, Market], prices: Prices, now_ms: Callable[[], int]) -> None:
        self._markets = markets
        self._prices = prices
        self._now_ms = now_ms
        self._started_at = self._now()

    def routes(self) -> list[Route]:
        handlers: dict[str, Callable[[Request], Response]] = {
            "/markets": self.markets,
            "/markets/keyset": self.markets_keyset,
            "/markets/slug/{slug}": self.market_of_slug,
            "/markets/{id}": self.market,
            "/events": self.events,
            "/events/keyset": self.events_keyset,
            "/events/slug/{slug}": self.event_of_slug,
            "/events/{id}": self.event,
        }
        return [Route(path, self._endpoint(handler)) for path, handler in handlers.items()]

    def _endpoint(self, handler: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                await self._prices.refresh()
            except (httpx.HTTPError, RpcError):
                return _json({"type": "internal error", "error": "service unavailable"}, 503, {"retry-after": "1"})
            return handler(request)

        return endpoint

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._now_ms() / 1_000, UTC)

    def markets(self, request: Request) -> Response:
        found = [self.write_market(market) for market in self._asked(request)]
        return _offset_page(request, found)

    def markets_keyset(self, request: Request) -> Response:
        return _keyset_page(request, "markets", [self.write_market(market) for market in self._asked(request)])

    def market(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        return self._one(market for market in self._markets.values() if self._id(market) == wanted)

    def market_of_slug(self, request: Request) -> Response:
        return self._one(market for market in self._markets.values() if market.slug == request.path_params["slug"])

    def events(self, request: Request) -> Response:
        return _offset_page(request, self._events(request))

    def events_keyset(self, request: Request) -> Response:
        return _keyset_page(request, "events", self._events(request))

    def event(self, request: Request) -> Response:
        return self._one_event(lambda market: market.event_id == request.path_params["id"])

    def event_of_slug(self, request: Request) -> Response:
        return self._one_event(lambda market: market.event_slug == request.path_params["slug"])

    def write_market(self, market: Market, *, with_event: bool = True) -> Row:
        """A market; `with_event` False where it already lies inside one."""
        quote, tick = self._prices.quote(market), market.tick_micros
        end, start = _stamp(market.end_at), _stamp(int(self._started_at.timestamp()))
        prices = [quote.yes_micros, MICRO - quote.yes_micros]
        row: Row = {
            "id": self._id(market),
            "question": market.question,
            "conditionId": market.condition_id,
            "slug": market.slug,
            "endDate": end,
            "startDate": start,
            "icon": icon(market),
            "image": icon(market),
            "description": market.question,
            "outcomes": json.dumps(list(market.outcomes)),
            "outcomePrices": json.dumps([_text(price) for price in prices]),
            "volume": _text(quote.volume_micros),
            "active": market.active,
            "closed": market.closed,
            "marketMakerAddress": "",
            "createdAt": start,
            "updatedAt": _stamp(int(self._now().timestamp())),
            "new": False,
            "featured": False,
            "archived": False,
            "restricted": True,
            "enableOrderBook": True,
            "orderPriceMinTickSize": tick / MICRO,
            "orderMinSize": _number(market.min_size_micros),
            "umaResolutionStatus": "resolved" if market.closed else "",
            "umaResolutionStatuses": "[]",
            "volumeNum": quote.volume_micros / MICRO,
            "endDateIso": end[:10],
            "startDateIso": start[:10],
            "clobTokenIds": json.dumps(list(market.tokens)),
            "volumeClob": quote.volume_micros / MICRO,
            "makerBaseFee": 1000,
            "takerBaseFee": 1000,
            "acceptingOrders": market.accepting_orders,
            "acceptingOrdersTimestamp": start,
            "negRisk": market.neg_risk,
            "negRiskOther": False,
            "ready": False,
            "funded": False,
            "approved": True,
            "spread": (quote.ask_micros - quote.bid_micros) / MICRO,
            "lastTradePrice": quote.last_micros / MICRO,
            "bestBid": _number(quote.bid_micros),
            "bestAsk": _number(quote.ask_micros),
            "clearBookOnStart": False,
            "secondsDelay": 0,
            "comboStatus": "disabled",
            **_fees(market),
            "version": market.version,
        }
        if market.closed:
            row |= {"closedTime": self._now().strftime("%Y-%m-%d %H:%M:%S+00"), "umaEndDate": end}
        return row | ({"events": [self._event_head(market)]} if with_event else {})

    def write_event(self, markets: list[Market]) -> Row:
        """An event with all of its markets."""
        head = self._event_head(markets[0])
        return head | {
            "closed": all(market.closed for market in markets),
            "markets": [self.write_market(market, with_event=False) for market in markets],
        }

    def _event_head(self, market: Market) -> Row:
        return {
            "id": market.event_id,
            "ticker": market.event_slug,
            "slug": market.event_slug,
            "title": market.question,
            "description": market.question,
            "startDate": _stamp(int(self._started_at.timestamp())),
            "endDate": _stamp(market.end_at),
            "icon": icon(market),
            "image": icon(market),
            "active": market.active,
            "closed": market.closed,
            "archived": False,
            "new": False,
            "featured": False,
            "restricted": True,
            "enableOrderBook": True,
            "negRisk": market.neg_risk,
            "negRiskAugmented": False,
            "version": market.version,
        }

    def _asked(self, request: Request) -> Iterator[Market]:
        return (market for market in self._markets.values() if self._matches(market, _Filters(request)))

    def _matches(self, market: Market, filters: _Filters) -> bool:
        return (
            filters.allows("condition_ids", [market.condition_id])
            and filters.allows("clob_token_ids", market.tokens)
            and filters.allows("slug", [market.slug])
            and filters.allows("id", [self._id(market)])
            and market.closed == filters.flag("closed", default=False)
            and market.active == filters.flag("active", default=market.active)
            and not filters.flag("archived", default=False)
        )

    def _events(self, request: Request) -> list[Row]:
        filters = _Filters(request)
        groups: dict[str, list[Market]] = {}
        for market in self._markets.values():
            groups.setdefault(market.event_id, []).append(market)
        return [
            self.write_event(markets)
            for markets in groups.values()
            if filters.allows("slug", [markets[0].event_slug])
            and filters.allows("id", [markets[0].event_id])
            and all(market.closed for market in markets) == filters.flag("closed", default=False)
        ]

    def _one(self, found: Iterable[Market]) -> Response:
        market = next(iter(found), None)
        return _json(self.write_market(market)) if market else _absent()

    def _one_event(self, wanted: Callable[[Market], bool]) -> Response:
        markets = [market for market in self._markets.values() if wanted(market)]
        return _json(self.write_event(markets)) if markets else _absent()

    def _id(self, market: Market) -> str:
        return str(FIRST_ID + list(self._markets).index(market.condition_id))


class _Filters:
    """Repeated parameters; several values of one are alternatives."""

    def __init__(self, request: Request) -> None:
        self._given = request.query_params

    def allows(self, name: str, values: Iterable[str]) -> bool:
        wanted = {part for one in self._given.getlist(name) for part in one.lower().split(",")}
        return not wanted or any(value.lower() in wanted for value in values)

    def flag(self, name: str, *, default: bool) -> bool:
        return self._given.get(name, str(default)).lower() == "true"


def _offset_page(request: Request, found: list[Row]) -> Response:
    limit, offset = _count(request, "limit", 20), _count(request, "offset", 0)
    return _json(found[offset : offset + limit], headers=DEPRECATED)


def _keyset_page(request: Request, name: str, found: list[Row]) -> Response:
    limit, cursor = min(_count(request, "limit", 20), MOST), request.query_params.get("after_cursor")
    try:
        done = int(read_cursor(name, cursor, {})["d"]) if cursor else 0
    except BadQuery as refused:
        return _json({"type": "validation error", "error": str(refused)}, 422)
    page: Row = {name: found[done : done + limit]}
    if len(found) > done + limit:
        page["next_cursor"] = write_cursor(name, {"d": done + limit}, {})
    return _json(page)


def _count(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    number = whole(text)
    return default if number is None else number


def _fees(market: Market) -> Row:
    if not market.fee_rate:
        return {"feesEnabled": False}
    schedule = {"exponent": 1, "rate": float(market.fee_rate), "takerOnly": True, "rebateRate": 0.2}
    return {"feesEnabled": True, "feeType": "general_fees_v2", "feeSchedule": schedule}


def _absent() -> Response:
    return _json({"type": "not found error", "error": "id not found"}, 404)


def _json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(micros: int) -> int | float:
    return micros // MICRO if micros % MICRO == 0 else micros / MICRO


def _text(micros: int) -> str:
    return f"{_number(micros)}"
