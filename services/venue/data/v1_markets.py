"""The rest of the Data API's first version: holders, totals, the leaderboard, and the accounting snapshot that stays."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Mapping

from starlette.routing import Route

from services.venue.data.analytics import Analytics
from services.venue.data.answers import Answers, Handler
from services.venue.data.feed import Feed
from services.venue.data.people import WINDOWS, People
from services.venue.data.portfolio import Portfolio
from services.venue.data.positions import Position, pnl_v2, position_v1
from services.venue.data.query import Arguments, BadQuery, read_conditions, read_events, read_user
from services.venue.data.rows import MICRO, Row, outcome_index
from services.venue.model import Market
from services.venue.spelling import number

HOLDERS = 20
LEADERS, LEADERS_OFFSET = 50, 1_000
POSITIONS = 500
# Entries of a zip archive carry no clock of ours: the same rows are the same bytes.
_STAMP = (2026, 1, 1, 0, 0, 0)


class MarketsOne:
    """Everything as of the newest block."""

    def __init__(
        self,
        feed: Feed,
        portfolio: Portfolio,
        markets: Mapping[str, Market],
        analytics: Analytics,
        people: People,
        answers: Answers,
    ) -> None:
        self._feed = feed
        self._portfolio = portfolio
        self._markets = markets
        self._analytics = analytics
        self._people = people
        self._answers = answers

    def routes(self) -> list[Route]:
        handlers: dict[str, Handler] = {
            "/holders": self.holders,
            "/traded": self.traded,
            "/oi": self.open_interest,
            "/live-volume": self.live_volume,
            "/v1/leaderboard": self.leaderboard,
            "/v1/market-positions": self.market_positions,
        }
        routes = [Route(path, self._answers.one(handler)) for path, handler in handlers.items()]
        return [*routes, Route("/v1/accounting/snapshot", self._answers.one(self.snapshot, stays=True))]

    async def holders(self, arguments: Arguments) -> list[Row]:
        limit = min(arguments.number("limit", default=HOLDERS), HOLDERS)
        floor, markets = arguments.number("minBalance", default=1) * MICRO, self._asked(arguments)
        if not markets and not arguments.has("market"):
            raise BadQuery("required query param 'market' not provided", "market")
        await self._feed.refresh()
        return [
            {"token": token, "holders": self._holders(market, token, floor, limit)}
            for market in markets
            for token in market.tokens
        ]

    async def traded(self, arguments: Arguments) -> Row:
        """In how many markets a wallet has traded."""
        user = read_user(arguments, required=True)
        await self._feed.refresh()
        return {"user": user, "traded": len({one.condition_id for one in self._feed.of_wallet(user) if one.fill})}

    async def open_interest(self, arguments: Arguments) -> list[Row]:
        markets = self._asked(arguments)
        await self._feed.refresh()
        if not arguments.has("market"):
            total = sum(self._analytics.open_micros(one) for one in self._markets.values())
            return [{"market": "GLOBAL", "value": number(total)}]
        return [{"market": one.condition_id, "value": number(self._analytics.open_micros(one))} for one in markets]

    async def live_volume(self, arguments: Arguments) -> list[Row]:
        events = read_events(arguments, "id")
        if not events:
            raise BadQuery("required query param 'id' not provided", "id")
        await self._feed.refresh()
        markets = [one for one in self._markets.values() if one.event_id in events]
        volumes = {one.condition_id: self._analytics.volume_micros(one) for one in markets}
        rows = [{"market": condition, "value": number(volume)} for condition, volume in volumes.items()]
        return [{"total": number(sum(volumes.values())), "markets": rows}]

    async def leaderboard(self, arguments: Arguments) -> list[Row]:
        limit, offset = min(arguments.number("limit", default=25), LEADERS), arguments.number("offset", default=0)
        if offset > LEADERS_OFFSET:
            raise BadQuery(f"max historical leaderboard offset of {LEADERS_OFFSET} exceeded", "offset")
        window = arguments.word("timePeriod", of=tuple(WINDOWS), default="day")
        rank = {"PNL": "rank_pnl", "VOL": "rank_volume"}[arguments.choice("orderBy", of=("PNL", "VOL"), default="PNL")]
        arguments.choice("category", of=("OVERALL",), default="OVERALL")
        user, name = read_user(arguments, required=False), arguments.text("userName")
        await self._portfolio.refresh()
        standings = sorted(self._people.standings(WINDOWS[window]), key=lambda one: one[rank])
        found = [
            one for one in standings if user in ("", one["user_id"]) and name.lower() in ("", one["user_name"].lower())
        ]
        return [_leader(one, rank) for one in found[offset : offset + limit]]

    async def market_positions(self, arguments: Arguments) -> list[Row]:
        """Positions in a market by outcome, the largest gains first."""
        limit, offset = min(arguments.number("limit", default=50), POSITIONS), arguments.number("offset", default=0)
        user, markets = read_user(arguments, required=False), self._asked(arguments)
        status = arguments.choice("status", of=("OPEN", "CLOSED", "ALL"), default="ALL")
        sort_by = arguments.choice("sortBy", of=tuple(_SORTS), default="TOTAL_PNL")
        descending = arguments.choice("sortDirection", of=("ASC", "DESC"), default="DESC") == "DESC"
        if len(markets) != 1:
            raise BadQuery("required query param 'market' not provided", "market")
        found = [
            one
            for one in await self._portfolio.of_condition(markets[0].condition_id)
            if user in ("", one.wallet) and (status == "ALL" or (status == "OPEN") == (one.shares_micros > 0))
        ]
        found.sort(key=_SORTS[sort_by], reverse=descending)
        return [
            {
                "token": token,
                "positions": [_market_position(one) for one in found if one.holding.token_id == token][
                    offset : offset + limit
                ],
            }
            for token in markets[0].tokens
        ]

    async def snapshot(self, arguments: Arguments) -> bytes:
        """A wallet's positions and equity as two tables in a zip archive."""
        user = read_user(arguments, required=True)
        positions = [one for one in await self._portfolio.of(user) if one.shares_micros]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("positions.csv", _STAMP), _table([position_v1(one) for one in positions]))
            value = sum(one.value_micros for one in positions)
            archive.writestr(
                zipfile.ZipInfo("equity.csv", _STAMP), _table([{"user": user, "positionsValue": number(value)}])
            )
        return packed.getvalue()

    def _asked(self, arguments: Arguments) -> list[Market]:
        conditions = read_conditions(arguments, "market")
        return [self._markets[one] for one in sorted(conditions) if one in self._markets]

    def _holders(self, market: Market, token: str, floor_micros: int, limit: int) -> list[Row]:
        held = [
            (wallet, shares) for wallet, shares in self._feed.ledger.holders(token).items() if shares >= floor_micros
        ]
        held.sort(key=lambda one: (-one[1], one[0]))
        return [
            {
                "proxyWallet": wallet,
                "bio": "",
                "asset": token,
                "pseudonym": self._feed.name(wallet).title(),
                "amount": number(shares),
                "displayUsernamePublic": True,
                "outcomeIndex": outcome_index(market, token),
                "name": self._feed.name(wallet),
                "profileImage": "",
                "profileImageOptimized": "",
            }
            for wallet, shares in held[:limit]
        ]


_SORTS: dict[str, Callable[[Position], int]] = {
    "TOKENS": lambda one: one.shares_micros,
    "CASH_PNL": lambda one: one.gain_micros,
    "REALIZED_PNL": lambda one: one.holding.realized_micros,
    "TOTAL_PNL": lambda one: one.gain_micros + one.holding.realized_micros,
}


def _leader(standing: Row, rank: str) -> Row:
    return {
        "rank": str(standing[rank]),
        "proxyWallet": standing["user_id"],
        "userName": standing["user_name"],
        "vol": standing["volume"],
        "pnl": standing["pnl"],
        "profileImage": "",
        "xUsername": "",
        "verifiedBadge": False,
    }


def _market_position(position: Position) -> Row:
    gains = pnl_v2(position)
    return {
        "proxyWallet": position.wallet,
        "name": position.name,
        "profileImage": "",
        "verified": False,
        "asset": position.holding.token_id,
        "conditionId": position.market.condition_id,
        "avgPrice": gains["avg_price"],
        "size": number(position.shares_micros),
        "currPrice": gains["current_price"],
        "currentValue": gains["current_value"],
        "cashPnl": gains["unrealized_pnl"],
        "totalBought": number(position.holding.bought_micros),
        "realizedPnl": gains["realized_pnl"],
        "totalPnl": gains["total_pnl"],
        "outcome": position.market.outcome(position.holding.token_id),
        "outcomeIndex": outcome_index(position.market, position.holding.token_id),
    }


def _table(rows: list[Row]) -> str:
    written = io.StringIO()
    table = csv.DictWriter(written, list(rows[0]) if rows else ["proxyWallet"])
    table.writeheader()
    table.writerows(rows)
    return written.getvalue()
