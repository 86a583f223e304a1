"""Version 2 about people: what a wallet has gained and traded, and who has most."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from starlette.routing import Route

from services.venue.data.answers import Answers, Handler
from services.venue.data.entries import TRADE, Entry
from services.venue.data.feed import Feed
from services.venue.data.ledger import Payout
from services.venue.data.pages import page_of, read_limit
from services.venue.data.portfolio import Portfolio
from services.venue.data.positions import Position
from services.venue.data.query import Arguments, BadQuery, read_user, read_window
from services.venue.data.rows import MICRO, Row

HOUR_S, DAY_S = 3_600, 86_400
WINDOWS: dict[str, int | None] = {"day": DAY_S, "week": 7 * DAY_S, "month": 30 * DAY_S, "all": None}
SPANS: dict[str, int | None] = {
    "max": None,
    "all": None,
    "1m": 30 * DAY_S,
    "1w": 7 * DAY_S,
    "1d": DAY_S,
    "12h": 12 * HOUR_S,
    "6h": 6 * HOUR_S,
}
FIDELITIES = {"1d": DAY_S, "18h": 18 * HOUR_S, "12h": 12 * HOUR_S, "3h": 3 * HOUR_S, "1h": HOUR_S}
MOST_BUILDERS = 90


@dataclass(frozen=True, slots=True)
class Totals:
    """What rows add up to, in millionths; `volume_micros` is in shares."""

    trades: int
    volume_micros: int
    usdc_micros: int
    fees_micros: int
    realized_micros: int


class People:
    """Everything as of the newest block; `now_ms` is where windows end."""

    def __init__(
        self,
        feed: Feed,
        portfolio: Portfolio,
        answers: Answers,
        now_ms: Callable[[], int],
    ) -> None:
        self._feed = feed
        self._portfolio = portfolio
        self._answers = answers
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        handlers: dict[str, Handler] = {
            "/v2/user-stats": self.stats,
            "/v2/user-pnl": self.pnl,
            "/v2/user-volume": self.volume,
            "/v2/leaderboard": self.leaderboard,
            "/v2/biggest-winners": self.biggest_winners,
            "/v2/builders/leaderboard": self.builders,
            "/v2/builders/volume": self.builders_volume,
            "/v2/activity/combos": self.combos,
            "/v2/combo-activity": self.combos,
            "/v2/positions/combos": self.combo_positions,
            "/v2/combo-positions": self.combo_positions,
        }
        return [Route(path, self._answers.two(handler, 60)) for path, handler in handlers.items()]

    async def stats(self, arguments: Arguments) -> Row:
        """A wallet at a glance; null for one that has never done anything."""
        user = read_user(arguments, required=True)
        await self._portfolio.refresh()
        entries = self._feed.of_wallet(user)
        if not entries:
            return {"data": None}
        positions = self._portfolio.known(user)
        wins = [one.holding.realized_micros for one in positions]
        return {
            "data": {
                "proxy_wallet": user,
                # Markets that were traded in, whatever the field is called.
                "trades": len({entry.condition_id for entry in entries if entry.kind == TRADE}),
                "biggest_win": max([0, *wins]) / MICRO,
                "views": 0,
                "join_date": entries[0].timestamp,
                "all_time_pnl": self._point(entries, entries[-1], positions),
            }
        }

    async def pnl(self, arguments: Arguments) -> Row:
        """A wallet's gains over time: sums since its first row, at the end of each step in which it did something."""
        user = read_user(arguments, required=True)
        interval = arguments.word("interval", of=tuple(SPANS), default="max")
        fidelity = arguments.word("fidelity", of=tuple(FIDELITIES), default="1d")
        await self._portfolio.refresh()
        entries, step = self._feed.of_wallet(user), FIDELITIES[fidelity]
        ends = {entry.timestamp // step: place for place, entry in enumerate(entries)}
        since = _since(SPANS[interval], self._now_ms())
        places = [place for place in ends.values() if entries[place].timestamp >= since]
        points = [
            self._point(
                entries[: place + 1],
                entries[place],
                self._portfolio.known(user) if place == len(entries) - 1 else (),
            )
            for place in places
        ]
        return {
            "data": {
                "proxy_wallet": user,
                "interval": interval,
                "fidelity": fidelity,
                "source_fidelity": fidelity,
                "points": points,
            }
        }

    async def volume(self, arguments: Arguments) -> Row:
        user = read_user(arguments, required=True)
        start, end = read_window(arguments, self._now_ms() // 1_000)
        await self._feed.refresh()
        entries = [one for one in self._feed.of_wallet(user) if start <= one.timestamp <= (end or one.timestamp)]
        totals = self._totals(entries)
        return {
            "data": {
                "volume": totals.volume_micros / MICRO,
                "volume_usdc": totals.usdc_micros / MICRO,
                "trade_count": totals.trades,
            }
        }

    async def leaderboard(self, arguments: Arguments) -> Row:
        """Everybody by gain or volume; with `user` that wallet's place, null where it has none."""
        by_volume = arguments.choice("sort_by", "sortBy", of=("PNL", "VOLUME"), default="PNL") == "VOLUME"
        window, user = self._window(arguments), read_user(arguments, required=False)
        limit = read_limit(arguments)
        await self._portfolio.refresh()
        standings = self.standings(window)
        if user:
            return {"data": next((one for one in standings if one["user_id"] == user), None)}
        rank = "rank_volume" if by_volume else "rank_pnl"
        standings.sort(key=lambda one: one[rank])
        rows = [{"rank": one[rank], **_without(one, "rank_pnl", "rank_volume")} for one in standings]
        return page_of("leaderboard", rows, limit, arguments)

    async def biggest_winners(self, arguments: Arguments) -> Row:
        """Positions in resolved markets, by what they have gained."""
        since, limit = _since(self._window(arguments), self._now_ms()), read_limit(arguments)
        await self._portfolio.refresh()
        payouts = self._feed.ledger.payouts
        won = [
            (one, payouts[one.market.condition_id])
            for wallet in self._wallets()
            for one in self._portfolio.known(wallet)
            if one.resolved and _gain(one) > 0 and payouts[one.market.condition_id].timestamp >= since
        ]
        won.sort(key=lambda pair: -_gain(pair[0]))
        rows = [_winner(rank, one, payout) for rank, (one, payout) in enumerate(won, 1)]
        return page_of("winners", rows, limit, arguments)

    async def builders(self, arguments: Arguments) -> Row:
        """No builder has ever sent an order here."""
        self._window(arguments)
        return page_of("builders", [], read_limit(arguments), arguments)

    async def builders_volume(self, arguments: Arguments) -> Row:
        arguments.word("interval", of=tuple(WINDOWS), default="day")
        if arguments.number("limit", default=MOST_BUILDERS) > MOST_BUILDERS:
            raise BadQuery(f"limit must be between 1 and {MOST_BUILDERS}", "limit")
        return {"data": []}

    async def combos(self, arguments: Arguments) -> Row:
        """Combos are not traded here."""
        read_user(arguments, required=True)
        arguments.listed("condition_id", "condition", "conditionId")
        return page_of("combos", [], read_limit(arguments), arguments)

    async def combo_positions(self, arguments: Arguments) -> Row:
        for name in ("status", "sort_by", "sort_direction"):
            arguments.text(name)
        for name in ("updated_after", "updated_before"):
            arguments.number(name, default=0)
        return await self.combos(arguments)

    def standings(self, window_s: int | None) -> list[Row]:
        """Everybody who has ever done something, with both ranks."""
        since = _since(window_s, self._now_ms())
        found = [self._standing(wallet, since) for wallet in self._wallets()]
        for name, rank in (("pnl", "rank_pnl"), ("volume", "rank_volume")):
            ordered = sorted(found, key=lambda one: (-one[name], one["user_id"]))
            for place, one in enumerate(ordered, 1):
                one[rank] = place
        return found

    def _standing(self, wallet: str, since: int) -> Row:
        entries = self._feed.of_wallet(wallet)
        before = [one for one in entries if one.timestamp < since]
        whole, earlier = self._totals(entries), self._totals(before)
        unrealized = sum(one.gain_micros for one in self._portfolio.known(wallet) if one.shares_micros)
        return {
            "user_id": wallet,
            "pnl": (whole.realized_micros - earlier.realized_micros + unrealized) / MICRO,
            "volume": (whole.usdc_micros - earlier.usdc_micros) / MICRO,
            "user_name": self._feed.name(wallet),
            "profile_image": "",
            "x_username": "",
            "verified": False,
        }

    def _wallets(self) -> list[str]:
        return sorted(self._feed.ledger.entries.wallets())

    def _window(self, arguments: Arguments) -> int | None:
        category = arguments.text("category", default="overall").lower()
        if category != "overall":
            raise BadQuery(f"invalid category: {category}", "category")
        return WINDOWS[arguments.word("time_period", "timePeriod", of=tuple(WINDOWS), default="day")]

    def _totals(self, entries: Iterable[Entry]) -> Totals:
        rows = list(entries)
        book = self._portfolio.empty_book()
        book.take(rows)
        fills = [entry.fill for entry in rows if entry.fill is not None]
        return Totals(
            trades=len(fills),
            volume_micros=sum(fill.size_micros for fill in fills),
            usdc_micros=sum(fill.usdc_micros for fill in fills),
            fees_micros=sum(fill.fee_micros for fill in fills),
            realized_micros=sum(holding.realized_micros for holding in book.of_token.values()),
        )

    def _point(self, entries: list[Entry], last: Entry, positions: Iterable[Position]) -> Row:
        """The sums of rows up to `last`; what is not realized is known of now alone."""
        totals, sums = self._totals(entries), _by_kind(entries)
        realized, fees = totals.realized_micros / MICRO, totals.fees_micros / MICRO
        unrealized = sum(one.gain_micros for one in positions if one.shares_micros) / MICRO
        income = sum(sums[kind] for kind in _INCOME)
        return {
            "timestamp": last.timestamp,
            "source_block": last.block_number,
            "realized_market_pnl": realized,
            "realized_lp_pnl": 0.0,
            "realized_combo_pnl": 0.0,
            "unrealized_pnl": unrealized,
            "fees_refunded": 0.0,
            "maker_rebate": sums["MAKER_REBATE"],
            "taker_rebate": sums["TAKER_REBATE"],
            "reward_income": sums["REWARD"],
            "yield_income": sums["YIELD"],
            "referral_income": sums["REFERRAL_REWARD"],
            "deposits": sums["DEPOSIT"],
            "withdrawals": sums["WITHDRAWAL"],
            "realized_pnl": realized,
            "wallet_income": income,
            "position_pnl": realized + unrealized,
            "settled_pnl": realized,
            "economic_pnl": realized + unrealized + income,
            "trade_pnl": realized + unrealized,
            "sponsored_income": 0.0,
            "fees": fees,
            "fees_paid": fees,
            "cashflow_net": sums["DEPOSIT"] - sums["WITHDRAWAL"],
            "volume": totals.volume_micros / MICRO,
            "volume_usdc": totals.usdc_micros / MICRO,
            "trade_count": totals.trades,
        }


_INCOME = ("MAKER_REBATE", "TAKER_REBATE", "REWARD", "YIELD", "REFERRAL_REWARD")


def _by_kind(entries: Iterable[Entry]) -> dict[str, float]:
    """Dollars of the rows that no market is part of."""
    sums = dict.fromkeys((*_INCOME, "DEPOSIT", "WITHDRAWAL"), 0)
    for entry in entries:
        if entry.kind in sums:
            sums[entry.kind] += entry.usdc_micros
    return {kind: micros / MICRO for kind, micros in sums.items()}


def _since(length_s: int | None, now_ms: int) -> int:
    return 0 if length_s is None else now_ms // 1_000 - length_s


def _gain(position: Position) -> int:
    return position.holding.realized_micros + (position.gain_micros if position.shares_micros else 0)


def _winner(rank: int, position: Position, payout: Payout) -> Row:
    holding, market = position.holding, position.market
    return {
        "win_rank": rank,
        "user_id": position.wallet,
        "pnl": _gain(position) / MICRO,
        "initial_value": holding.spent_micros / MICRO,
        "final_value": (holding.spent_micros + _gain(position)) / MICRO,
        "resolved_at": payout.timestamp,
        "user_name": position.name,
        "profile_image": "",
        "event_title": market.question,
        "kind": "market",
        "condition_id": market.condition_id,
        "position_id": holding.token_id,
        "event_id": int(market.event_id),
        "event_slug": market.event_slug,
    }


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}
