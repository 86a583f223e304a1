"""The Data API's second version: an envelope, snake_case, signed cursors (venue.md 1.2)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import orjson
from starlette.routing import Route

from services.venue.data import positions as writing
from services.venue.data.answers import Answers, Handler
from services.venue.data.cursor import read_cursor, write_cursor
from services.venue.data.entries import TRADE, Entry
from services.venue.data.pages import DIRECTIONS, envelope, page_of, read_limit
from services.venue.data.portfolio import Portfolio
from services.venue.data.positions import Position
from services.venue.data.query import (
    KINDS_V2,
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
from services.venue.data.rows import MICRO, Row
from services.venue.spelling import stamp

TRADES_FLOOR_MICROS = 10_000
POSITIONS_FLOOR_MICROS = 100_000
SIDES = ("BUY", "SELL")
MEASURES = ("TOKENS", "CASH")
STATUSES = ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED")
CONDITIONS = ("condition", "condition_id", "conditionId", "market")
EVENTS = ("event_id", "eventId")
# Kinds that are shown only when they are asked for by name, and those that `exclude_deposits_withdrawals` leaves out.
_OPT_IN = frozenset({"MIGRATION", "TIP"})
_TRANSFERS = frozenset({"DEPOSIT", "WITHDRAWAL"})

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
    """Answers from the reader and the portfolio; what is asked of a contract of the protocol itself is refused."""

    def __init__(self, reader: Reader, portfolio: Portfolio, answers: Answers, now_ms: Callable[[], int]) -> None:
        self._reader = reader
        self._portfolio = portfolio
        self._answers = answers
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        handlers: dict[str, tuple[Handler, int]] = {
            "/v2/activity": (self.activity, 15),
            "/v2/trades": (self.trades, 300),
            "/v2/positions": (self.positions, 5),
            "/v2/value": (self.value, 5),
            "/v2/status": (self.status, 5),
        }
        return [Route(path, self._answers.two(handler, max_age)) for path, (handler, max_age) in handlers.items()]

    async def activity(self, arguments: Arguments) -> Row:
        kinds = read_kinds(arguments, KINDS_V2) or frozenset(KINDS_V2) - _OPT_IN
        if arguments.flag("exclude_deposits_withdrawals", "excludeDepositsWithdrawals", default=True):
            kinds -= _TRANSFERS
        start, end = read_window(arguments, self._now_ms() // 1_000)
        query = Query(
            user=self.user(arguments, required=True),
            conditions=self.conditions(arguments),
            side=arguments.choice("side", of=SIDES, default=""),
            start=start,
            end=end,
            kinds=kinds or frozenset({"none"}),
            sort_by=arguments.choice("sort_by", "sortBy", of=("TIMESTAMP",), default="TIMESTAMP"),
            ascending=arguments.choice("sort_direction", "sortDirection", of=DIRECTIONS, default="DESC") == "ASC",
            taker_only=False,
            filter_type="",
            filter_micros=0,
            limit=read_limit(arguments),
            offset=0,
        )
        # Redemptions of nothing are rows of version 1 only.
        return await self._page("activity", query, arguments, self._reader.activity_v2, lambda one: not _is_empty(one))

    async def trades(self, arguments: Arguments) -> Row:
        user = arguments.text("user", "proxy_wallet", "proxyWallet")
        if not user and arguments.has("start", "end"):
            raise BadQuery("start and end require user", "start")
        several = "," in user
        start, end = read_window(arguments, self._now_ms() // 1_000)
        query = Query(
            user="" if several else self.user(arguments, required=False),
            conditions=self.conditions(arguments),
            side=arguments.choice("side", of=SIDES, default=""),
            start=start,
            end=end,
            # One user only: the real one answers several with nothing.
            kinds=frozenset({"none" if several else TRADE}),
            sort_by="TIMESTAMP",
            ascending=False,
            taker_only=arguments.flag("taker_only", "takerOnly", default=True),
            filter_type=arguments.choice("filter_type", "filterType", of=MEASURES, default="TOKENS"),
            filter_micros=arguments.micros("filter_amount", "filterAmount", default=TRADES_FLOOR_MICROS),
            limit=read_limit(arguments),
            offset=0,
        )
        return await self._page("trades", query, arguments, self._reader.trade_v2, lambda _: True)

    async def positions(self, arguments: Arguments) -> Row:
        limit, wanted = read_limit(arguments), self._wanted(arguments)
        sort_by = arguments.choice("sort_by", "sortBy", of=tuple(_SORTS), default="CURRENT_VALUE")
        ascending = arguments.choice("sort_direction", "sortDirection", of=DIRECTIONS, default="DESC") == "ASC"
        user, conditions = self.user(arguments, required=False), read_conditions(arguments, *CONDITIONS)
        if not user and len(conditions) != 1:
            raise BadQuery("provide user or exactly one condition", "user")
        found = await (self._portfolio.of(user) if user else self._portfolio.of_condition(*conditions))
        found = [one for one in found if wanted(one)]
        found.sort(key=_SORTS[sort_by], reverse=not ascending)
        return page_of("positions", [writing.position_v2(one) for one in found], limit, arguments)

    async def value(self, arguments: Arguments) -> Row:
        user, conditions = self.user(arguments, required=True), self.conditions(arguments)
        held = [
            one for one in await self._portfolio.of(user) if conditions is None or one.market.condition_id in conditions
        ]
        return {"data": {"proxy_wallet": user, "value": writing.value_micros(held) / MICRO}}

    async def status(self, arguments: Arguments) -> Row:
        feed = self._reader.feed
        await feed.refresh()
        now_ms = self._now_ms()
        age = max(now_ms - feed.computed_at_ms, 0) // 1_000
        lag = feed.lag_ms // 1_000 + age
        mechanisms = [
            {"name": "activity_feed", "age_seconds": lag},
            {"name": "custody_balances", "age_seconds": age, "blocks_behind": 0},
            {"name": "pnl", "age_seconds": age, "blocks_behind": 0},
        ]
        serving = {"lag_seconds": lag, "worst": "activity_feed", "mechanisms": mechanisms}
        ingestion: Row = {
            "cursors": 1,
            "network": "polygon",
            "chain_id": 137,
            "max_synced_block": feed.head,
            "min_synced_block": feed.head,
            "most_lagged": {"source": "venue_logs", "block": feed.head, "behind_max": 0},
            "lagging": [],
        }
        computed_at = stamp(feed.computed_at_ms // 1_000)
        return {"data": {"computed_at": computed_at, "age_seconds": age, "serving": serving, "ingestion": ingestion}}

    def user(self, arguments: Arguments, *, required: bool) -> str:
        """The wallet; BadQuery for one that is a contract of the protocol."""
        user = read_user(arguments, required=required)
        if user in self._reader.feed.ledger.contracts:
            raise BadQuery(f"user {user} is a protocol contract", "user")
        return user

    def conditions(self, arguments: Arguments) -> frozenset[str] | None:
        """What `condition` names, or the markets of `event_id`; None where neither is given."""
        conditions, events = read_conditions(arguments, *CONDITIONS), read_events(arguments, *EVENTS)
        if conditions and events:
            raise BadQuery("condition and event_id are mutually exclusive", "event_id")
        if events:
            return self._reader.conditions_of(events)
        return conditions or None

    def _wanted(self, arguments: Arguments) -> Callable[[Position], bool]:
        status = arguments.choice("status", of=STATUSES, default="OPEN")
        floor = arguments.micros("filter_amount", "filterAmount", default=POSITIONS_FLOOR_MICROS)
        by_cash = arguments.choice("filter_type", "filterType", of=MEASURES, default="TOKENS") == "CASH"
        conditions, title = self.conditions(arguments), read_title(arguments)
        start, end = arguments.number("start", default=0), arguments.number("end", default=0) or None
        archived = arguments.flag("include_archived", "includeArchived", default=False)  # nothing here ever is
        if status == "CLOSED" and archived:
            raise BadQuery("include_archived is invalid with CLOSED", "include_archived")
        if not arguments.text("user", "proxy_wallet", "proxyWallet") and arguments.has(*EVENTS):
            raise BadQuery("event_id requires user", "event_id")

        def wanted(one: Position) -> bool:
            return (
                _status_of(one, status, floor, by_cash=by_cash)
                and (conditions is None or one.market.condition_id in conditions)
                and title in one.market.question.lower()
                and (not start or one.holding.last_at >= start)
                and (end is None or one.holding.last_at <= end)
            )

        return wanted

    async def _page(
        self,
        kind: str,
        query: Query,
        arguments: Arguments,
        write: Callable[[Entry], orjson.Fragment],
        shown: Callable[[Entry], bool],
    ) -> Row:
        """One page after the cursor, and the cursor of the next where there is more."""
        cursor, filters = arguments.text("cursor"), arguments.filters()
        before = int(read_cursor(kind, cursor, filters)["sq"]) if cursor else None
        found = await self._reader.find(query, before)
        entries = list(islice((one for one in found if shown(one)), query.limit + 1))
        page, more = entries[: query.limit], len(entries) > query.limit > 0
        following = None
        if more:
            last = {"l": query.limit, "ts": page[-1].timestamp, "sq": str(page[-1].sequence), "d": query.limit}
            following = write_cursor(kind, last, filters)
        return envelope([write(one) for one in page], query.limit, following)


def _is_empty(entry: Entry) -> bool:
    return entry.kind == "REDEEM" and not entry.shares_micros


def _status_of(position: Position, status: str, floor_micros: int, *, by_cash: bool) -> bool:
    measured = position.value_micros if by_cash else position.shares_micros
    held = position.shares_micros > 0 and measured >= floor_micros
    won = position.resolved and position.price_micros > 0
    return {
        "OPEN": held,
        "REDEEMABLE": held and won,
        "REDEEMABLE_LOST": held and position.resolved and not won,
        "MERGEABLE": held and position.mergeable,
        "CLOSED": position.shares_micros == 0,
    }[status]
