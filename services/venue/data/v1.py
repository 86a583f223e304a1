"""The Data API's first version: bare lists, camelCase, offsets (venue.md 1.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.venue.data import positions as writing
from services.venue.data.cache import UrlCache
from services.venue.data.feed import TRADE, Entry
from services.venue.data.portfolio import Portfolio
from services.venue.data.positions import Position
from services.venue.data.query import Arguments, BadQuery, Query, joined, read_conditions, read_user
from services.venue.data.reader import Reader
from services.venue.data.rows import Row, whole

ACTIVITY_LIMIT, ACTIVITY_OFFSET = 500, 5_000
TRADES_LIMIT, TRADES_OFFSET = 10_000, 10_000
POSITIONS_LIMIT, POSITIONS_OFFSET = 500, 10_000
CLOSED_LIMIT, CLOSED_OFFSET = 50, 100_000
SIZE_THRESHOLD_MICROS = 1_000_000
DIRECTIONS = ("ASC", "DESC")
SIDES = ("BUY", "SELL")

Handler = Callable[[Arguments], Awaitable[Any]]

_POSITION_SORTS: dict[str, Callable[[Position], Any]] = {
    "CURRENT": lambda one: one.value_micros,
    "INITIAL": lambda one: one.cost_micros,
    "TOKENS": lambda one: one.shares_micros,
    "CASHPNL": lambda one: one.gain_micros,
    "PERCENTPNL": lambda one: one.gain_micros * 10_000 // max(one.cost_micros, 1),
    "TITLE": lambda one: one.market.question,
    "RESOLVING": lambda one: one.market.end_at,
    "PRICE": lambda one: one.price_micros,
    "AVGPRICE": lambda one: one.holding.average_micros,
    "REALIZEDPNL": lambda one: one.holding.realized_micros,
    "TIMESTAMP": lambda one: one.holding.last_at,
}


class VersionOne:
    """Answers from the reader and the portfolio; every handler returns what becomes the JSON body."""

    def __init__(self, reader: Reader, portfolio: Portfolio, cache: UrlCache) -> None:
        self._reader = reader
        self._portfolio = portfolio
        self._cache = cache

    def routes(self) -> list[Route]:
        handlers: dict[str, Handler] = {
            "/activity": self.activity,
            "/trades": self.trades,
            "/positions": self.positions,
            "/closed-positions": self.closed_positions,
            "/value": self.value,
        }
        return [Route(path, _endpoint(handler, self._cache)) for path, handler in handlers.items()]

    async def activity(self, arguments: Arguments) -> list[Row]:
        limit, offset = _page(arguments, 100, ACTIVITY_LIMIT, ACTIVITY_OFFSET, "activity")
        query = Query(
            user=read_user(arguments, required=True),
            conditions=read_conditions(arguments, "market"),
            side=arguments.choice("side", of=SIDES, default=""),
            start=arguments.number("start", default=0),
            end=arguments.number("end", default=0) or None,
            kinds=frozenset(one.upper() for one in arguments.listed("type")),
            sort_by=arguments.choice("sortBy", of=("TIMESTAMP", "TOKENS", "CASH"), default="TIMESTAMP"),
            ascending=arguments.choice("sortDirection", of=DIRECTIONS, default="DESC") == "ASC",
            taker_only=False,
            filter_type="",
            filter_micros=0,
            limit=limit,
            offset=offset,
        )
        return [self._reader.activity_row(entry) for entry in _cut(await self._reader.activity(query), query)]

    async def trades(self, arguments: Arguments) -> list[Row]:
        limit, offset = _page(arguments, 100, TRADES_LIMIT, TRADES_OFFSET, "trades")
        query = Query(
            user=read_user(arguments, required=False),
            conditions=read_conditions(arguments, "market"),
            side=arguments.choice("side", of=SIDES, default=""),
            start=arguments.number("start", default=0),
            end=arguments.number("end", default=0) or None,
            kinds=frozenset({TRADE}),
            sort_by="TIMESTAMP",
            ascending=False,
            taker_only=arguments.flag("takerOnly", default=True),
            filter_type=arguments.choice("filterType", of=("CASH", "TOKENS"), default=""),
            filter_micros=arguments.micros("filterAmount", default=0),
            limit=limit,
            offset=offset,
        )
        return [self._reader.trade_row(entry) for entry in _cut(self._reader.trades(query), query)]

    async def positions(self, arguments: Arguments) -> list[Row]:
        limit, offset = _page(arguments, 100, POSITIONS_LIMIT, POSITIONS_OFFSET, "positions")
        floor = arguments.micros("sizeThreshold", default=SIZE_THRESHOLD_MICROS)
        conditions = read_conditions(arguments, "market")
        sort_by = arguments.choice("sortBy", of=tuple(_POSITION_SORTS), default="TOKENS")
        descending = arguments.choice("sortDirection", of=DIRECTIONS, default="DESC") == "DESC"
        held = [
            one
            for one in await self._portfolio.of(read_user(arguments, required=True))
            if one.shares_micros and one.shares_micros >= floor and _wanted(one, arguments, conditions)
        ]
        held.sort(key=_POSITION_SORTS[sort_by], reverse=descending)
        return [writing.position_v1(one) for one in held[offset : offset + limit]]

    async def closed_positions(self, arguments: Arguments) -> list[Row]:
        limit, offset = _page(arguments, 10, CLOSED_LIMIT, CLOSED_OFFSET, "closed positions")
        sort_by = arguments.choice("sortBy", of=tuple(_POSITION_SORTS), default="REALIZEDPNL")
        descending = arguments.choice("sortDirection", of=DIRECTIONS, default="DESC") == "DESC"
        conditions = read_conditions(arguments, "market")
        closed = [
            one
            for one in await self._portfolio.of(read_user(arguments, required=True))
            if not one.shares_micros and (not conditions or one.market.condition_id in conditions)
        ]
        closed.sort(key=_POSITION_SORTS[sort_by], reverse=descending)
        return [writing.closed_v1(one) for one in closed[offset : offset + limit]]

    async def value(self, arguments: Arguments) -> list[Row]:
        user = read_user(arguments, required=True)
        conditions = read_conditions(arguments, "market")
        held = [
            one for one in await self._portfolio.of(user) if not conditions or one.market.condition_id in conditions
        ]
        return [{"user": user, "value": whole(writing.value_micros(held))}]


def _page(arguments: Arguments, default: int, most: int, deepest: int, what: str) -> tuple[int, int]:
    """Limit, silently clamped, and offset, refused beyond the cap."""
    offset = arguments.number("offset", default=0)
    if offset > deepest:
        raise BadQuery(f"max historical {what} offset of {deepest} exceeded", "offset")
    return min(arguments.number("limit", default=default), most), offset


def _cut(entries: list[Entry], query: Query) -> list[Entry]:
    return entries[query.offset : query.offset + query.limit]


def _wanted(position: Position, arguments: Arguments, conditions: frozenset[str]) -> bool:
    title = arguments.text("title").lower()
    return (
        (not conditions or position.market.condition_id in conditions)
        and (not arguments.has("redeemable") or position.resolved == arguments.flag("redeemable", default=False))
        and (not arguments.has("mergeable") or position.mergeable == arguments.flag("mergeable", default=False))
        and title in position.market.question.lower()
    )


def _endpoint(handler: Handler, cache: UrlCache) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if kept := cache.get(request):
            return kept
        try:
            status, body = 200, await handler(Arguments(joined(request.query_params.multi_items())))
        except BadQuery as refused:
            status, body = 400, {"error": str(refused)}
        response = Response(orjson.dumps(body), status, media_type="application/json")
        cache.put(request, response)
        return response

    return endpoint
