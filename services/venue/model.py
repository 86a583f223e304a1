"""What the venue deals in: markets, orders, trades, fills. Sizes, sums and prices are integers in millionths."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from services.venue.contracts import Contract, contract_of
from services.venue.signed import SignedOrder

MICRO = 1_000_000


# Whoever trades once trades often: one text for all of his orders.
_lower = lru_cache(16_384)(str.lower)
_text = lru_cache(16_384)(str)


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def other(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class Role(StrEnum):
    TAKER = "TAKER"
    MAKER = "MAKER"


class OrderType(StrEnum):
    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"

    @property
    def rests(self) -> bool:
        return self in (OrderType.GTC, OrderType.GTD)


class OrderStatus(StrEnum):
    LIVE = "LIVE"
    MATCHED = "MATCHED"
    CANCELED = "CANCELED"
    DELAYED = "DELAYED"
    UNMATCHED = "UNMATCHED"

    @property
    def open(self) -> bool:
        """Whether the order may still be filled."""
        return self in (OrderStatus.LIVE, OrderStatus.DELAYED)


class Uma(StrEnum):
    """Where a market's resolution stands with the oracle."""

    NONE = ""
    PROPOSED = "proposed"
    DISPUTED = "disputed"
    RESOLVED = "resolved"


class TradeStatus(StrEnum):
    MATCHED = "MATCHED"
    RETRYING = "RETRYING"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


@dataclass(slots=True)
class Market:
    """A binary market; `tokens` are (yes, no) as decimal strings; `end_at`, `created_at` and `game_start_at` (0: no game) in
    seconds since 1970. Marketable orders wait `delay_ms`; `auto_tick` makes the grid finer near the ends of the scale;
    `clear_on_start` empties the book when the game starts; `payouts` are the parts of (yes, no) once it is resolved."""

    condition_id: str
    question: str
    slug: str
    event_slug: str
    event_id: str
    outcomes: tuple[str, str]
    tokens: tuple[str, str]
    tick_micros: int
    min_size_micros: int
    fee_rate: Decimal
    end_at: int
    active: bool = True
    closed: bool = False
    accepting_orders: bool = True
    neg_risk: bool = False
    version: str = "v1"
    # Whether the venue's market makers quote it by themselves.
    quoted: bool = True
    delay_ms: int = 0
    auto_tick: bool = False
    game_start_at: int = 0
    clear_on_start: bool = False
    uma: Uma = Uma.NONE
    payouts: tuple[int, int] | None = None
    created_at: int = 0
    question_id: str = ""
    # The event that it belongs to, and of a neg-risk event its market on chain and the name of this answer.
    event_title: str = ""
    neg_risk_market_id: str = ""
    group_title: str = ""
    # Whether its event gets answers later, and whether this one stands for all that are not named.
    augmented: bool = False
    other: bool = False
    # What a market that has just been made is not yet: known to the CLOB and Gamma by its tokens, to the Data API by its labels.
    hydrated: bool = True
    labelled: bool = True

    @property
    def contract(self) -> Contract:
        """What its orders are signed for and settled by."""
        return contract_of(self.version, neg_risk=self.neg_risk)

    @property
    def has_book(self) -> bool:
        """Whether it is traded: a resolution that is proposed takes the book away (venue.md 2), a placeholder has none yet."""
        return self.active and self.hydrated and not self.closed and self.uma is Uma.NONE

    def complement(self, token_id: str) -> str:
        """The other outcome's token."""
        return self.tokens[1] if token_id == self.tokens[0] else self.tokens[0]

    def outcome(self, token_id: str) -> str:
        return self.outcomes[self.tokens.index(token_id)]


@dataclass(frozen=True, slots=True)
class PostedOrder:
    """An order as it was sent; `owner` is the API key that sent it, `expiration` in seconds (0: none). `wallet` is the maker in
    lower case, `shares_micros` what it asks for or gives, `usdc_micros` what it pays at most or wants at least."""

    order_hash: str
    signed: SignedOrder
    order_type: OrderType
    owner: str
    expiration: int = 0
    post_only: bool = False
    wallet: str = field(init=False)
    token_id: str = field(init=False)
    side: Side = field(init=False)
    shares_micros: int = field(init=False)
    usdc_micros: int = field(init=False)

    def __post_init__(self) -> None:
        signed, buys = self.signed, self.signed.side == 0
        found = {
            "wallet": _lower(signed.maker),
            "token_id": _text(signed.token_id),
            "side": Side.BUY if buys else Side.SELL,
            "shares_micros": signed.taker_amount if buys else signed.maker_amount,
            "usdc_micros": signed.maker_amount if buys else signed.taker_amount,
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def price_micros(self) -> int:
        """What it says of a share, to the nearest millionth."""
        return (self.usdc_micros * MICRO + self.shares_micros // 2) // self.shares_micros if self.shares_micros else 0


@dataclass(slots=True, eq=False)
class Order:
    """An order that the venue took, and how far it is filled; `reason` is why it was cancelled, where nobody asked for it.
    `shown_micros` is what its level of the book counts of it, `kept_micros` what it keeps aside of its wallet. `number` counts the
    orders that were taken."""

    posted: PostedOrder
    market: Market
    price_micros: int
    created_at: int
    matched_micros: int = 0
    spent_micros: int = 0
    status: OrderStatus = OrderStatus.LIVE
    reason: str = ""
    shown_micros: int = 0
    kept_micros: int = 0
    number: int = 0
    trade_ids: list[str] = field(default_factory=list[str])

    @property
    def order_hash(self) -> str:
        return self.posted.order_hash

    @property
    def status_text(self) -> str:
        """Its status with the reason of its end, as the user channel has it."""
        return f"{self.status}_{self.reason}" if self.reason else str(self.status)

    @property
    def remaining_micros(self) -> int:
        return self.posted.shares_micros - self.matched_micros

    @property
    def yes_side(self) -> Side:
        """Its side in the book of the first outcome: buying the one is selling the other."""
        return self.posted.side if self.posted.token_id == self.market.tokens[0] else self.posted.side.other

    @property
    def yes_price_micros(self) -> int:
        return self.price_micros if self.posted.token_id == self.market.tokens[0] else MICRO - self.price_micros


@dataclass(frozen=True, slots=True)
class Part:
    """One order's part in a trade, seen from that order."""

    order: Order
    role: Role
    shares_micros: int
    usdc_micros: int
    fee_micros: int = 0

    @property
    def price_micros(self) -> int:
        return (self.usdc_micros * MICRO + self.shares_micros // 2) // self.shares_micros


@dataclass(slots=True, eq=False)
class Trade:
    """One taker against one or more makers: one transaction on chain. `bucket_index` counts the transactions of one sweep.
    `number` counts trades; `reverts` counts those of this trade that the chain has turned down; `fills` is what it is while it is mined."""

    trade_id: str
    market: Market
    taker: Part
    makers: tuple[Part, ...]
    bucket_index: int
    matched_at_ms: int
    updated_at_ms: int
    number: int
    status: TradeStatus = TradeStatus.MATCHED
    tx_hash: str = ""
    failure: str = ""
    reverts: int = 0
    fills: tuple[Fill, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order of their logs: makers first."""
        return (*self.makers, self.taker)

    @property
    def yes_price_micros(self) -> int:
        """The taker's average price, said of the first outcome."""
        price = self.taker.price_micros
        return price if self.taker.order.posted.token_id == self.market.tokens[0] else MICRO - price


@dataclass(frozen=True, slots=True)
class Fill:
    """One order's part in a mined transaction, as the Data API shows it; `usdc_micros` as in `OrderFilled`, without the fee."""

    wallet: str
    role: Role
    token_id: str
    condition_id: str
    side: Side
    size_micros: int
    usdc_micros: int
    fee_micros: int
    tx_hash: str
    block_number: int
    block_timestamp: int
    order_hash: str
    trade_id: str
    mined_at_ms: int


@dataclass(frozen=True, slots=True)
class Placement:
    """What came of an order: a status of the venue, or the text, HTTP status, code and seconds to wait of its refusal. One that was
    `killed` had been taken, and found nothing or not enough."""

    order_hash: str
    status: str = ""
    making_micros: int = 0
    taking_micros: int = 0
    trade_ids: tuple[str, ...] = ()
    error: str = ""
    http_status: int = 200
    code: str = ""
    retry_after_s: int = 0
    killed: bool = False

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True)
class BookView:
    """A token's book: (price, size) levels, bids ascending and asks descending, so that the best is last (venue.md 3.3)."""

    market: Market
    token_id: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    last_micros: int
    last_side: Side | None = None
