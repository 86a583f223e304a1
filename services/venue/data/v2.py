"""The Data API's second version: an envelope, snake_case, signed cursors (venue.md 1.2)."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.venue.data import positions as writing
from services.venue.data.cache import UrlCache
from services.venue.data.cursor import read_cursor, write_cursor
from services.venue.data.feed import TRADE, Entry
from services.venue.data.portfolio import Portfolio
from services.venue.data.positions import Position
from services.venue.data.query import Arguments, BadQuery, Query, joined, read_conditions, read_user
from services.venue.data.reader import Reader
from services.venue.data.rows import MICRO, Row, as_v2

LIMIT, MOST = 100, 1_000
TRADES_FLOOR_MICROS = 10_000
POSITIONS_FLOOR_MICROS = 100_000
SIDES = ("BUY", "SELL")
DIRECTIONS = ("ASC", "DESC")
STATUSES = ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED")

Handler = Callable[[Arguments], Awaitable[Any]]

_SORTS: dict[str, Callable[[Position], int]] = {
    "CURRENT_VALUE": lambda one: one.value_micros,
    "PRICE": lambda one: one.price_micros,
    "TOKENS": lambda one: one.shares_micros,
    "UNREALIZED_PNL": lambda one: one.gain_micros,
    "REALIZED_PNL": lambda one: one.holding.realized_micros,
    "TOTAL_PNL": lambda one: one.gain_micros + one.holding.realized_micros,
    "TIMESTAMP": lambda one: one.holding.last_at,
}


class VersionTwo:
    """Answers from the reader and the portfolio. `head` reads the newest block's number."""

    def __init__(
        self,
        reader: Reader,
        portfolio: Portfolio,
        head: Callable[[], Awaitable[int]],
        cache: UrlCache,
        now_ms: Callable[[], int],
    ) -> None:
        self._now_ms = now_ms
        self._reader = reader
        self._portfolio = portfolio
        self._head = head
        self._cache = cache

    def routes(self) -> list[Route]:
        handlers: dict[str, tuple[Handler, int]] = {
            "/v2/activity": (self.activity, 15),
            "/v2/trades": (self.trades, 300),
            "/v2/positions": (self.positions, 5),
            "/v2/value": (self.value, 5),
            "/v2/status": (self.status, 5),
        }
        return [Route(path, _endpoint(handler, max_age, self._cache)) for path, (handler, max_age) in handlers.items()]

    async def activity(self, arguments: Arguments) -> Row:
        query = Query(
            user=read_user(arguments, required=True),
            conditions=read_conditions(arguments, "condition", "condition_id", "conditionId"),
            side=arguments.choice("side", of=SIDES, default=""),
            start=arguments.number("start", default=0),
            end=arguments.number("end", default=0) or None,
            kinds=frozenset(one.upper() for one in arguments.listed("type")),
            sort_by=arguments.choice("sort_by", "sortBy", of=("TIMESTAMP",), default="TIMESTAMP"),
            ascending=arguments.choice("sort_direction", "sortDirection", of=DIRECTIONS, default="DESC") == "ASC",
            taker_only=False,
            filter_type="",
            filter_micros=0,
            limit=_limit(arguments),
            offset=0,
        )
        found = await self._reader.activity(query)
        return _page("activity", found, self._reader.activity_row, query, arguments)

    async def trades(self, arguments: Arguments) -> Row:
        user = arguments.text("user")
        if not user and (arguments.has("start") or arguments.has("end")):
            raise BadQuery("start and end require user", "start")
        several = "," in user
        query = Query(
            user="" if several else read_user(arguments, required=False),
            conditions=read_conditions(arguments, "condition", "condition_id", "conditionId"),
            side=arguments.choice("side", of=SIDES, default=""),
            start=arguments.number("start", default=0),
            end=arguments.number("end", default=0) or None,
            kinds=frozenset({TRADE}),
            sort_by="TIMESTAMP",
            ascending=False,
            taker_only=arguments.flag("taker_only", "takerOnly", default=True),
            filter_type=arguments.choice("filter_type", "filterType", of=("TOKENS", "CASH"), default="TOKENS"),
            filter_micros=arguments.micros("filter_amount", "filterAmount", default=TRADES_FLOOR_MICROS),
            limit=_limit(arguments),
            offset=0,
        )
        # One user only: the real one answers several with nothing.
        found = [] if several else self._reader.trades(query)
        return _page("trades", found, self._reader.trade_row, query, arguments)

    async def positions(self, arguments: Arguments) -> Row:
        limit, status = _limit(arguments), arguments.choice("status", of=STATUSES, default="OPEN")
        sort_by = arguments.choice("sort_by", "sortBy", of=tuple(_SORTS), default="CURRENT_VALUE")
        ascending = arguments.choice("sort_direction", "sortDirection", of=DIRECTIONS, default="DESC") == "ASC"
        floor = arguments.micros("filter_amount", "filterAmount", default=POSITIONS_FLOOR_MICROS)
        conditions = read_conditions(arguments, "condition", "condition_id", "conditionId")
        found = [
            one
            for one in await self._portfolio.of(read_user(arguments, required=True))
            if _has_status(one, status, floor) and (not conditions or one.market.condition_id in conditions)
        ]
        found.sort(key=_SORTS[sort_by], reverse=not ascending)
        cursor = arguments.text("cursor")
        done = int(read_cursor("positions", cursor)["d"]) if cursor else 0
        rows = [writing.position_v2(one, status) for one in found[done : done + limit]]
        more = len(found) > done + limit
        return _envelope(rows, limit, write_cursor("positions", {"l": limit, "d": done + limit}) if more else None)

    async def value(self, arguments: Arguments) -> Row:
        user = read_user(arguments, required=True)
        value = writing.value_micros(await self._portfolio.of(user)) / MICRO
        return {"data": {"proxy_wallet": user, "value": value}}

    async def status(self, arguments: Arguments) -> Row:
        head, lag = await self._head(), self._reader.feed.lag_ms // 1_000
        mechanisms = [
            {"name": "activity_feed", "age_seconds": lag},
            {"name": "custody_balances", "age_seconds": 0, "blocks_behind": 0},
        ]
        computed_at = datetime.fromtimestamp(self._now_ms() / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        serving = {"lag_seconds": lag, "worst": "activity_feed", "mechanisms": mechanisms}
        ingestion: Row = {
            "cursors": 1,
            "network": "polygon",
            "chain_id": 137,
            "max_synced_block": head,
            "min_synced_block": head,
            "most_lagged": None,
            "lagging": [],
        }
        data: Row = {"computed_at": computed_at, "age_seconds": 0, "serving": serving, "ingestion": ingestion}
        return {"data": data}


def _page(kind: str, found: list[Entry], write: Callable[[Entry], Row], query: Query, arguments: Arguments) -> Row:
    """One page after the cursor, and the cursor of the next where there is more."""
    if cursor := arguments.text("cursor"):
        last = int(read_cursor(kind, cursor)["sq"])
        found = [entry for entry in found if entry.sequence != last and (entry.sequence > last) == query.ascending]
    rows = [as_v2(write(entry)) for entry in found[: query.limit]]
    more = len(found) > query.limit > 0
    return _envelope(rows, query.limit, _after(kind, found[query.limit - 1], query.limit) if more else None)


def _after(kind: str, entry: Entry, limit: int) -> str:
    params = {"l": limit, "ts": entry.timestamp, "sq": str(entry.sequence), "d": limit}
    return write_cursor(kind, params)


def _envelope(rows: Sequence[Row], limit: int, cursor: str | None) -> Row:
    pagination = {"limit": limit, "offset": 0, "has_more": cursor is not None, "next_cursor": cursor}
    return {"data": list(rows), "pagination": pagination}


def _limit(arguments: Arguments) -> int:
    if arguments.has("offset"):
        raise BadQuery("offset is not supported, use cursor", "offset")
    limit = arguments.number("limit", default=LIMIT)
    if limit > MOST:
        raise BadQuery(f"Failed to deserialize query string: limit: limit must be between 0 and {MOST}")
    return limit


def _has_status(position: Position, status: str, floor_micros: int) -> bool:
    held = position.shares_micros > 0 and position.shares_micros >= floor_micros
    won = position.resolved and position.price_micros > 0
    return {
        "OPEN": held,
        "REDEEMABLE": held and won,
        "REDEEMABLE_LOST": held and position.resolved and not won,
        "MERGEABLE": held and position.mergeable,
        "CLOSED": position.shares_micros == 0,
    }[status]


def _endpoint(handler: Handler, max_age: int, cache: UrlCache) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if kept := cache.get(request):
            return kept
        trace = uuid.uuid4().hex  # chance: a name, nothing is decided by it
        headers = {"x-trace-id": trace, "cache-control": f"max-age={max_age}"}
        try:
            status, body = 200, await handler(Arguments(joined(request.query_params.multi_items())))
        except BadQuery as refused:
            parameter = {"parameter": refused.parameter} if refused.parameter else {}
            fault = {"error": str(refused), "code": "invalid_request", "retryable": False, "trace_id": trace}
            status, body, headers = 400, fault | parameter, {"x-trace-id": trace}
        response = Response(orjson.dumps(body), status, headers, media_type="application/json")
        cache.put(request, response)
        return response

    return endpoint
