"""The Data API's first version: bare lists, camelCase, offsets (venue.md 1.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import orjson
from starlette.routing import Route

from services.venue.data import positions as writing
from services.venue.data.answers import Answers, Handler
from services.venue.data.entries import TRADE, Entry
from services.venue.data.portfolio import Portfolio
from services.venue.data.positions import Position
from services.venue.data.query import (
    KINDS,
    Arguments,
    BadQuery,
    Query,
    read_conditions,
    read_events,
    read_kinds,
    read_title,
    read_user,
    read_window,
)
from services.venue.data.reader import Reader
from services.venue.data.rows import Row
from services.venue.spelling import number

ACTIVITY_LIMIT, ACTIVITY_OFFSET = 500, 5_000
TRADES_LIMIT, TRADES_OFFSET = 10_000, 10_000
POSITIONS_LIMIT, POSITIONS_OFFSET = 500, 10_000
CLOSED_LIMIT, CLOSED_OFFSET = 50, 100_000
SIZE_THRESHOLD_MICROS = 1_000_000
MOST_TITLE_V1 = 100
DIRECTIONS = ("ASC", "DESC")
SIDES = ("BUY", "SELL")

_SORTS: dict[str, Callable[[Position], Any]] = {
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


_HELD_SORTS = tuple(name for name in _SORTS if name not in ("REALIZEDPNL", "TIMESTAMP"))
_CLOSED_SORTS = ("REALIZEDPNL", "TITLE", "PRICE", "AVGPRICE", "TIMESTAMP")


class VersionOne:
    """Answers from the reader and the portfolio; every handler returns what becomes the JSON body."""

    def __init__(self, reader: Reader, portfolio: Portfolio, answers: Answers, now_ms: Callable[[], int]) -> None:
        self._reader = reader
        self._portfolio = portfolio
        self._answers = answers
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        handlers: dict[str, Handler] = {
            "/activity": self.activity,
            "/trades": self.trades,
            "/positions": self.positions,
            "/closed-positions": self.closed_positions,
            "/value": self.value,
        }
        return [Route(path, self._answers.one(handler)) for path, handler in handlers.items()]

    async def activity(self, arguments: Arguments) -> list[orjson.Fragment]:
        limit, offset = _page(arguments, 100, ACTIVITY_LIMIT, ACTIVITY_OFFSET, "activity")
        start, end = read_window(arguments, self._now_ms() // 1_000)
        query = Query(
            user=read_user(arguments, required=True),
            conditions=self._conditions(arguments),
            side=arguments.choice("side", of=SIDES, default=""),
            start=start,
            end=end,
            kinds=read_kinds(arguments, KINDS),
            sort_by=arguments.choice("sortBy", of=("TIMESTAMP", "TOKENS", "CASH"), default="TIMESTAMP"),
            ascending=arguments.choice("sortDirection", of=DIRECTIONS, default="DESC") == "ASC",
            taker_only=False,
            filter_type="",
            filter_micros=0,
            limit=limit,
            offset=offset,
        )
        return [self._reader.activity(entry) for entry in _cut(await self._reader.find(query), query)]

    async def trades(self, arguments: Arguments) -> list[orjson.Fragment]:
        limit, offset = _page(arguments, 100, TRADES_LIMIT, TRADES_OFFSET, "trades")
        start, end = read_window(arguments, self._now_ms() // 1_000)
        filter_type = arguments.choice("filterType", of=("CASH", "TOKENS"), default="")
        if bool(filter_type) != arguments.has("filterAmount"):
            raise BadQuery("filterType and filterAmount must be provided together", "filterAmount")
        query = Query(
            user=read_user(arguments, required=False),
            conditions=self._conditions(arguments),
            side=arguments.choice("side", of=SIDES, default=""),
            start=start,
            end=end,
            kinds=frozenset({TRADE}),
            sort_by="TIMESTAMP",
            ascending=False,
            taker_only=arguments.flag("takerOnly", default=True),
            filter_type=filter_type,
            filter_micros=arguments.micros("filterAmount", default=0),
            limit=limit,
            offset=offset,
        )
        return [self._reader.trade(entry) for entry in _cut(await self._reader.find(query), query)]

    async def positions(self, arguments: Arguments) -> list[Row]:
        limit, offset = _page(arguments, 100, POSITIONS_LIMIT, POSITIONS_OFFSET, "positions")
        user, wanted = read_user(arguments, required=True), self._wanted(arguments)
        floor = arguments.micros("sizeThreshold", default=SIZE_THRESHOLD_MICROS)
        arguments.flag("includeArchived", default=False)  # nothing here is ever archived
        sort_by = arguments.choice("sortBy", of=_HELD_SORTS, default="TOKENS")
        descending = arguments.choice("sortDirection", of=DIRECTIONS, default="DESC") == "DESC"
        held = [
            one
            for one in await self._portfolio.of(user)
            if one.shares_micros and one.shares_micros >= floor and wanted(one)
        ]
        held.sort(key=_SORTS[sort_by], reverse=descending)
        return [writing.position_v1(one) for one in held[offset : offset + limit]]

    async def closed_positions(self, arguments: Arguments) -> list[Row]:
        limit, offset = _page(arguments, 10, CLOSED_LIMIT, CLOSED_OFFSET, "closed positions")
        user, wanted = read_user(arguments, required=True), self._wanted(arguments)
        sort_by = arguments.choice("sortBy", of=_CLOSED_SORTS, default="REALIZEDPNL")
        descending = arguments.choice("sortDirection", of=DIRECTIONS, default="DESC") == "DESC"
        closed = [one for one in await self._portfolio.of(user) if not one.shares_micros and wanted(one)]
        closed.sort(key=_SORTS[sort_by], reverse=descending)
        return [writing.closed_v1(one) for one in closed[offset : offset + limit]]

    async def value(self, arguments: Arguments) -> list[Row]:
        user, conditions = read_user(arguments, required=True), self._conditions(arguments)
        held = [
            one for one in await self._portfolio.of(user) if conditions is None or one.market.condition_id in conditions
        ]
        return [{"user": user, "value": number(writing.value_micros(held))}]

    def _conditions(self, arguments: Arguments) -> frozenset[str] | None:
        """What `market` names, or the markets of `eventId`; None where neither is given."""
        conditions, events = read_conditions(arguments, "market"), read_events(arguments, "eventId")
        if conditions and events:
            raise BadQuery("market and eventId are mutually exclusive", "eventId")
        if events:
            return self._reader.conditions_of(events)
        return conditions or None

    def _wanted(self, arguments: Arguments) -> Callable[[Position], bool]:
        conditions, title = self._conditions(arguments), read_title(arguments, MOST_TITLE_V1)
        flags = {
            name: arguments.flag(name, default=False) for name in ("redeemable", "mergeable") if arguments.has(name)
        }

        def wanted(position: Position) -> bool:
            return (
                (conditions is None or position.market.condition_id in conditions)
                and title in position.market.question.lower()
                and flags.get("redeemable", position.resolved) == position.resolved
                and flags.get("mergeable", position.mergeable) == position.mergeable
            )

        return wanted


def _page(arguments: Arguments, default: int, most: int, deepest: int, what: str) -> tuple[int, int]:
    """Limit, silently clamped, and offset, refused beyond the cap."""
    offset = arguments.number("offset", default=0)
    if offset > deepest:
        raise BadQuery(f"max historical {what} offset of {deepest} exceeded", "offset")
    return min(arguments.number("limit", default=default), most), offset


def _cut(entries: Iterator[Entry], query: Query) -> Iterator[Entry]:
    return islice(entries, query.offset, query.offset + query.limit)
