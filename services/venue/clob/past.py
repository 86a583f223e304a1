"""What was traded, market by market: the price after each match, and the last matches themselves. Bounded."""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

from services.venue.events import Event, TradeEvent
from services.venue.model import MICRO, Market, Trade, TradeStatus

MOST_POINTS = 20_000
MOST_TRADES = 100


@dataclass(frozen=True, slots=True)
class Point:
    """The first outcome's price in millionths, at a second."""

    at_s: int
    yes_micros: int


class Points(Sequence[Point]):
    """Many of them, sixteen bytes each."""

    def __init__(self) -> None:
        self._at_s, self._yes_micros = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._at_s)

    @overload
    def __getitem__(self, place: int) -> Point: ...

    @overload
    def __getitem__(self, place: slice) -> list[Point]: ...

    def __getitem__(self, place: int | slice) -> Point | list[Point]:
        if isinstance(place, slice):
            return list(map(Point, self._at_s[place], self._yes_micros[place]))
        return Point(self._at_s[place], self._yes_micros[place])

    def append(self, point: Point) -> None:
        """Behind all others, of which the oldest go where there are too many."""
        self._at_s.append(point.at_s)
        self._yes_micros.append(point.yes_micros)
        if len(self) > 2 * MOST_POINTS:
            del self._at_s[:MOST_POINTS], self._yes_micros[:MOST_POINTS]


class Past:
    """Listens to the exchange; `name` tells a wallet's public name."""

    def __init__(self, name: Callable[[str], str]) -> None:
        self._name = name
        self._points: defaultdict[str, Points] = defaultdict(Points)
        self._trades: defaultdict[str, deque[Trade]] = defaultdict(lambda: deque(maxlen=MOST_TRADES))

    def hear(self, event: Event) -> None:
        """Keep what was just matched."""
        if not isinstance(event, TradeEvent) or event.trade.status is not TradeStatus.MATCHED:
            return
        trade = event.trade
        self._points[trade.market.condition_id].append(Point(trade.matched_at_ms // 1000, trade.yes_price_micros))
        self._trades[trade.market.condition_id].appendleft(trade)

    def points(self, market: Market) -> Sequence[Point]:
        """Oldest first."""
        return self._points[market.condition_id]

    def activity(self, market: Market) -> list[dict[str, Any]]:
        """`/markets/live-activity`: the takers of the last matches, newest first."""
        return [self._event(trade) for trade in self._trades[market.condition_id]]

    def _event(self, trade: Trade) -> dict[str, Any]:
        market, posted = trade.market, trade.taker.order.posted
        name = self._name(posted.wallet)
        return {
            "event_type": "trade",
            "market": {
                "condition_id": market.condition_id,
                "asset_id": posted.token_id,
                "question": market.question,
                "icon": "",
                "slug": market.slug,
            },
            "user": {
                "address": posted.signed.maker,
                "username": name,
                "profile_picture": "",
                "optimized_profile_picture": "",
                "pseudonym": name,
            },
            "side": str(posted.side),
            "size": f"{trade.taker.shares_micros / MICRO:g}",
            "fee_rate_bps": "0",
            "price": f"{trade.taker.price_micros / MICRO:g}",
            "outcome": market.outcome(posted.token_id),
            "outcome_index": market.tokens.index(posted.token_id),
            "transaction_hash": trade.tx_hash,
            "timestamp": str(trade.matched_at_ms // 1000),
        }
