"""The ports of the venue: the CLOB where orders go, market data, and the public record of trades."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from services.common.domain.fill import TradeStatus
from services.common.domain.intent import Attempt, Intent, Outcome
from services.common.domain.market import Book, Market, Side


class VenueUnavailable(Exception):
    """The venue did not answer a read, or answered nothing that can be used; reads may be repeated."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a POST of an order came to (orders.md 5.7).

    For `ACKED`: `status` is the venue's word (live, delayed, matched, unmatched), `shares_micros` and `usdc_micros` the matched
    amounts where the answer gives them (None where it does not say), `trade_ids` the trades to follow. `code` is the venue's text.
    """

    outcome: Outcome
    http_status: int | None = None
    status: str = ""
    code: str = ""
    shares_micros: int | None = None
    usdc_micros: int | None = None
    trade_ids: tuple[str, ...] = ()

    def attempt(self, number: int, at: datetime) -> Attempt:
        """The attempt with this outcome."""
        return Attempt(number, at, self.outcome, self.http_status, self.code or self.status)


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """A trade as the CLOB reports it, from the side of one of our orders: our shares, sum and status."""

    trade_id: str
    order_hash: str
    condition_id: str
    token_id: str
    side: Side
    shares_micros: int
    price_micros: int
    status: TradeStatus
    tx_hash: str
    matched_at: datetime
    taker: bool


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that the CLOB still knows as active, or as terminal where it answers that."""

    order_hash: str
    status: str
    original_micros: int
    matched_micros: int


@dataclass(frozen=True, slots=True)
class Wallet:
    """What the venue says a wallet may spend, in micro-USDC: collateral, and what each exchange may take of it.

    `allowances` by exchange, lower case; one that is not among them may take `allowance_micros`.
    """

    balance_micros: int
    allowance_micros: int
    read_at: datetime
    allowances: Mapping[str, int] = field(default_factory=dict[str, int])

    def allowance(self, exchange: str) -> int:
        """What this exchange may take."""
        return self.allowances.get(exchange.lower(), self.allowance_micros)


@dataclass(frozen=True, slots=True)
class Permission:
    """What the venue says that an account may do from here: `closed_only` lets it only sell, `blocked` places send no orders at all."""

    closed_only: bool
    blocked: bool


class Clob(Protocol):
    """The CLOB as one account sees it. `post` never raises for what the venue or the network did: it classifies."""

    async def post(self, intent: Intent, leave_by: float) -> Answer:
        """Send the stored, signed order once: no retry inside, fresh authentication headers, the same bytes for the same intent.

        None of them leaves after `leave_by`, in seconds of the monotonic clock: what has not begun by then is `not_sent`.
        """
        ...

    async def order(self, order_hash: str) -> OpenOrder | None:
        """The order, or None where the venue does not know it (which proves nothing). Raises `VenueUnavailable`."""
        ...

    async def trades(self, order_hash: str, token_id: str, after: datetime) -> tuple[VenueTrade, ...]:
        """Every trade that names the hash, as taker or as maker; all pages. Raises `VenueUnavailable`."""
        ...

    async def wallet(self) -> Wallet: ...

    async def server_time(self) -> datetime: ...

    async def permission(self) -> Permission:
        """Raises `VenueUnavailable`."""
        ...


class Feed(Protocol):
    """What the venue tells of an account's own orders by itself. It repeats nothing: while it was not live, only look-ups know."""

    @property
    def live(self) -> bool:
        """Whether its silence says something."""
        ...

    def trades(self, order_hash: str) -> tuple[VenueTrade, ...]:
        """What has been heard of an order."""
        ...

    async def told(self, order_hash: str, within: timedelta) -> tuple[VenueTrade, ...]:
        """The same, after waiting a while for something where nothing has been heard."""
        ...


class Markets(Protocol):
    """Markets and books. Answers are cached as long as their use allows; `read_at` says how old they are."""

    async def by_token(self, token_id: str) -> Market | None:
        """The market of a token; None where the venue knows none. Raises `VenueUnavailable`."""
        ...

    async def book(self, token_id: str) -> Book | None:
        """The token's book, kept warm by a subscription after the first call; None where there is none. Raises `VenueUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Hint:
    """Something public that says: this transaction may hold a fill of this leader. Never the trade itself."""

    tx_hash: str
    leader: str
    source: str
    seen_at: datetime
    traded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PublicPosition:
    """What the Data API says a wallet holds of one token, in micro-shares (rounded down)."""

    token_id: str
    shares_micros: int


class Activity(Protocol):
    """The Data API: hints, the completeness check, and positions."""

    async def trades(self, wallet: str, start: datetime) -> tuple[Hint, ...]:
        """Every trade row of a wallet from `start` (inclusive) on, maker fills too, all pages. Raises `VenueUnavailable`."""
        ...

    async def positions(self, wallet: str) -> tuple[PublicPosition, ...]: ...


class Firehose(Protocol):
    """RTDS: every fill of everyone; hints for the wallets that are followed."""

    def hints(self, wallets: Sequence[str]) -> AsyncIterator[Hint]: ...
