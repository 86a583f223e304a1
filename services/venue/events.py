"""What the engine tells of: orders, trades, books, blocks and markets that have changed. Times are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.venue.model import Fill, Market, Order, Side, Trade


@dataclass(frozen=True, slots=True)
class LevelChange:
    """The new total at one price of one token."""

    token_id: str
    side: Side
    price_micros: int
    size_micros: int


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """An order was placed, matched further, or ended: PLACEMENT, UPDATE or CANCELLATION."""

    kind: str
    order: Order
    at_ms: int


@dataclass(frozen=True, slots=True)
class TradeEvent:
    """A trade has a new status."""

    trade: Trade
    at_ms: int


@dataclass(frozen=True, slots=True)
class BookEvent:
    """Levels of a market's two books have changed."""

    market: Market
    changes: tuple[LevelChange, ...]
    at_ms: int


@dataclass(frozen=True, slots=True)
class SentEvent:
    """A trade's transaction is on its way and has its hash; once more where it had to be made anew."""

    trade: Trade
    at_ms: int


@dataclass(frozen=True, slots=True)
class MinedEvent:
    """A trade was mined: its fills, in the order of their logs."""

    trade: Trade
    fills: tuple[Fill, ...]
    at_ms: int


@dataclass(frozen=True, slots=True)
class UnminedEvent:
    """The block of a mined trade was taken back: these fills are none, until it is mined again."""

    trade: Trade
    fills: tuple[Fill, ...]
    at_ms: int


@dataclass(frozen=True, slots=True)
class ModeEvent:
    """The engine takes orders in another way from now on."""

    mode: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class TickEvent:
    """A market's grid of prices has changed."""

    market: Market
    old_micros: int
    at_ms: int


class MarketNews(StrEnum):
    """What can be told of a market as a whole."""

    LISTED = "listed"
    STARTED = "started"
    PROPOSED = "proposed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class MarketEvent:
    """A market was listed, began its game, changed its standing with the oracle or was resolved; `winner` is the place of the
    outcome that is paid whole, -1 where there is none."""

    market: Market
    news: MarketNews
    at_ms: int
    winner: int = -1


Event = (
    OrderEvent | TradeEvent | BookEvent | SentEvent | MinedEvent | UnminedEvent | MarketEvent | ModeEvent | TickEvent
)
