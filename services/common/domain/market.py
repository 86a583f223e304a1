"""What is traded: markets, their outcome tokens, fees and books."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.domain.money import MICRO, mul_div


class Side(StrEnum):
    """The direction of an order or a fill, seen from its owner."""

    BUY = "BUY"
    SELL = "SELL"


class TokenProtocol(StrEnum):
    """How a market's outcome tokens are held and settled (venue.md 12); chosen by the market's `version`."""

    CTF = "v1"
    POSITIONS = "v2"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Token:
    """One outcome of a market; `token_id` is the decimal string of its uint256."""

    token_id: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Fee:
    """A taker's fee: shares × rate × (p·(1−p))^exponent, floored to 5 decimals of USDC (venue.md 7)."""

    rate_micros: int
    exponent: int = 1

    def of(self, shares_micros: int, price_micros: int) -> int:
        """The fee in micro-USDC for `shares_micros` at `price_micros`; a multiple of 10 micro-USDC."""
        curve = price_micros * (MICRO - price_micros)
        raw = shares_micros * self.rate_micros * curve**self.exponent
        scale = MICRO * MICRO ** (2 * self.exponent)
        return raw // scale // 10 * 10

    def most(self, shares_micros: int, low_micros: int, high_micros: int) -> int:
        """An upper bound of the fee for a fill at any price between the two."""
        middle = MICRO // 2
        worst = (
            middle
            if low_micros <= middle <= high_micros
            else min((low_micros, high_micros), key=lambda p: abs(p - middle))
        )
        return self.of(shares_micros, worst) + 10


@dataclass(frozen=True, slots=True)
class Market:
    """A binary market as the venue describes it at `read_at`.

    `tokens` are the two outcomes in the venue's order. `tick_micros` and `min_size_micros` are the price grid and the smallest
    order in shares. `ends_at` is None where the venue gives no end. `tags` are the slugs of its subjects, in lower case; None where
    the venue names none. `payouts` are what its tokens pay, in their order, once it is resolved.
    """

    condition_id: str
    event_id: str
    slug: str
    title: str
    tokens: tuple[Token, Token]
    tick_micros: int
    min_size_micros: int
    fee: Fee
    protocol: TokenProtocol
    neg_risk: bool
    active: bool
    closed: bool
    archived: bool
    accepting_orders: bool
    has_book: bool
    uma_status: str
    ends_at: datetime | None
    read_at: datetime
    event_slug: str = ""
    icon: str = ""
    tags: tuple[str, ...] | None = None
    payouts: tuple[int, int] | None = None

    def token(self, token_id: str) -> Token | None:
        """The outcome with this id, or None: outcomes are told by token id, never by name or index."""
        return next((token for token in self.tokens if token.token_id == token_id), None)

    def complement(self, token_id: str) -> str | None:
        """The other outcome's token id."""
        if self.token(token_id) is None:
            return None
        return next(token.token_id for token in self.tokens if token.token_id != token_id)

    def outcome_index(self, token_id: str) -> int | None:
        """The outcome's place in the market, 0 or 1."""
        return next((index for index, token in enumerate(self.tokens) if token.token_id == token_id), None)

    def payout(self, token_id: str) -> int | None:
        """What one share of this token pays, in micro-USDC; None before the market is resolved."""
        index = self.outcome_index(token_id)
        return None if self.payouts is None or index is None else self.payouts[index]


@dataclass(frozen=True, slots=True)
class Level:
    """One price of a book and the shares that wait there."""

    price_micros: int
    size_micros: int

    @property
    def is_sound(self) -> bool:
        """Whether there can be such a level at all."""
        return 0 < self.price_micros < MICRO and self.size_micros > 0


@dataclass(frozen=True, slots=True)
class Book:
    """A token's order book, both sides **best first** (the venue lists the best last).

    `live` says that the feed behind it is connected and without a gap at `read_at`; a book read once over REST is live at its reading.
    `mid_then_micros` is the mid about five seconds earlier, or the first one that was seen where that is later; None where none was.
    """

    token_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    read_at: datetime
    live: bool = True
    mid_then_micros: int | None = None

    @property
    def best_bid_micros(self) -> int | None:
        return self.bids[0].price_micros if self.bids else None

    @property
    def best_ask_micros(self) -> int | None:
        return self.asks[0].price_micros if self.asks else None

    @property
    def mid_micros(self) -> int | None:
        if not self.bids or not self.asks:
            return None
        return (self.bids[0].price_micros + self.asks[0].price_micros) // 2

    @property
    def worth_micros(self) -> int | None:
        """What a share is worth: mid, or the best bid where nothing is offered; not known where nobody bids."""
        return self.best_bid_micros if self.mid_micros is None else self.mid_micros

    def facing(self, side: Side) -> tuple[Level, ...]:
        """The levels that an order of this side would take, best first."""
        return self.asks if side is Side.BUY else self.bids


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a marketable order would get: shares, their cost or proceeds, and the worst price touched."""

    shares_micros: int
    usdc_micros: int
    worst_micros: int

    @property
    def vwap_micros(self) -> int:
        """The average price in millionths, rounded to the nearest."""
        if not self.shares_micros:
            return 0
        return (self.usdc_micros * MICRO + self.shares_micros // 2) // self.shares_micros


def sweep(levels: tuple[Level, ...], shares_micros: int, bound_micros: int, side: Side) -> Sweep:
    """Take up to `shares_micros` from `levels` (best first), no further than `bound_micros`."""
    taken = cost = worst = 0
    for level in levels:
        beyond = level.price_micros > bound_micros if side is Side.BUY else level.price_micros < bound_micros
        if beyond or taken >= shares_micros:
            break
        here = min(level.size_micros, shares_micros - taken)
        taken += here
        cost += mul_div(here, level.price_micros, MICRO)
        worst = level.price_micros
    return Sweep(taken, cost, worst)
