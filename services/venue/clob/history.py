"""What prices were: `/prices-history` and a market's last trades, from the venue's own trades (venue.md 3.1)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.clob.answers import endpoint
from services.venue.clob.past import Past, Point
from services.venue.digits import whole
from services.venue.exchange import Exchange
from services.venue.model import MICRO, Market
from services.venue.refusals import Refusal

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S
LONGEST_S = 15 * 365 * DAY_S
"""Of a window; milliseconds where seconds belong are refused by it."""
INTERVALS_S = {
    "1h": HOUR_S,
    "6h": 6 * HOUR_S,
    "1d": DAY_S,
    "1w": 7 * DAY_S,
    "1m": 30 * DAY_S,
    "max": LONGEST_S,
    "all": LONGEST_S,
}
LEAST_FIDELITY = {"1w": 5, "1m": 10}
MOST_POINTS = 4_300
MOST_MARKETS = 20


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds since 1970, both ends included; one point for so many minutes."""

    start: int
    end: int
    minutes: int


class History:
    """Routes without authentication."""

    def __init__(self, exchange: Exchange, past: Past, now_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._past = past
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        return [
            Route("/prices-history", endpoint(self.prices)),
            Route("/markets/live-activity/{condition}", endpoint(self.activity)),
        ]

    async def prices(self, request: Request) -> Any:
        asked, now = request.query_params, self._now_ms() // 1000
        token = asked.get("market", "")
        window = read_window(asked, now)
        market = self._exchange.market_of(token)
        return {"history": self._history(market, token, window, now) if market else []}

    async def activity(self, request: Request) -> Any:
        """The last trades of one market, newest first."""
        market = self._exchange.markets.get(request.path_params["condition"])
        if market is None:
            raise Refusal("market not found", 404)
        return self._past.activity(market)

    def _history(self, market: Market, token: str, window: Window, now: int) -> list[dict[str, Any]]:
        points = self._past.points(market)
        chosen = sampled(points, window)
        # However long ago the window ends, the last point is of now.
        last = points[-1].yes_micros if points else MICRO // 2
        prices = [*chosen, Point(now, last)]
        yes = token == market.tokens[0]
        return [{"t": one.at_s, "p": (one.yes_micros if yes else MICRO - one.yes_micros) / MICRO} for one in prices]


def read_window(asked: Mapping[str, str], now: int) -> Window:
    """What is asked for. Raises `Refusal` for an interval, a time or a fidelity that the venue does not serve."""
    interval = asked.get("interval", "")
    if interval and interval not in INTERVALS_S:
        raise Refusal(f"invalid filters: 'interval' must be one of {', '.join(INTERVALS_S)}")
    start, end = _second(asked, "startTs"), _second(asked, "endTs")
    if not interval and start is None:
        raise Refusal("invalid filters: 'interval' or 'startTs' and 'endTs' must be set")
    minutes = whole(asked.get("fidelity", "1"), LONGEST_S)
    if not minutes:
        raise Refusal("invalid filters: 'fidelity' must be a whole number of minutes")
    least = LEAST_FIDELITY.get(interval, 1)
    if minutes < least:
        raise Refusal(f"invalid filters: minimum 'fidelity' for '{interval}' range is {least}")
    if start is None:
        return Window(now - INTERVALS_S[interval], now, minutes)
    until = now if end is None else end
    if start > until:
        raise Refusal("invalid filters: 'startTs' must be before 'endTs'")
    if until - start > LONGEST_S or until > now + LONGEST_S:
        raise Refusal("invalid filters: interval is too long")
    return Window(start, until, minutes)


def sampled(points: Sequence[Point], window: Window) -> list[Point]:
    """The last price of each step of the window in which there was one, the newest steps where there are too many."""
    first = bisect_left(points, window.start, key=lambda one: one.at_s)
    last = bisect_right(points, window.end, key=lambda one: one.at_s)
    step = window.minutes * MINUTE_S
    of_step = {one.at_s // step: one for one in points[first:last]}
    return list(of_step.values())[-MOST_POINTS:]


def _second(asked: Mapping[str, str], name: str) -> int | None:
    text = asked.get(name)
    if not text:
        return None
    second = whole(text)
    if second is None:
        raise Refusal(f"invalid filters: '{name}' must be a Unix timestamp")
    return second
