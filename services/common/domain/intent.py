"""The order of a copy: its eleven signed fields, its attempts, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.common.domain.market import Side


class OrderType(StrEnum):
    """Copies never rest in a book: fill and kill, or fill or kill."""

    FAK = "FAK"
    FOK = "FOK"


@dataclass(frozen=True, slots=True)
class OrderFields:
    """The eleven fields of an exchange order (venue.md 4.1); amounts in base units, `timestamp_ms` informational.

    Their EIP-712 hash under (`chain_id`, `exchange`, `domain_version`) is the order's id, so these three belong to the identity too.
    """

    salt: int
    maker: str
    signer: str
    token_id: str
    maker_amount: int
    taker_amount: int
    side: Side
    signature_type: int
    timestamp_ms: int
    metadata: str
    builder: str
    chain_id: int
    exchange: str
    domain_version: str


class Outcome(StrEnum):
    """What is known of one attempt (orders.md 5.7). `OPEN` means journaled, no answer yet; it and `UNKNOWN` may have taken effect."""

    OPEN = "open"
    NOT_SENT = "not_sent"
    REJECTED = "rejected"
    DUPLICATED = "duplicated"
    ACKED = "acked"
    UNKNOWN = "unknown"


DEFINITIVE = frozenset({Outcome.NOT_SENT, Outcome.REJECTED, Outcome.ACKED})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that an intent was sent; `code` is the venue's word for it."""

    number: int
    at: datetime
    outcome: Outcome = Outcome.OPEN
    status: int | None = None
    code: str = ""


class IntentState(StrEnum):
    """`open`: it may still fill. `final`: every attempt has a definitive answer. `presumed_dead`: given up loudly, watched."""

    OPEN = "open"
    FINAL = "final"
    PRESUMED_DEAD = "presumed_dead"


@dataclass(frozen=True, slots=True)
class Intent:
    """A stored order: hash and fields are durable before anything is signed or sent.

    `limit_micros` is the worst price it may take, `shares_micros` the most it may move, `usdc_micros` its cost or least proceeds,
    `fee_micros` its highest fee. `signature` is sealed wherever it is stored; bare on its way to the venue alone.
    """

    generation: int
    order_hash: str
    fields: OrderFields
    order_type: OrderType
    deadline_at: datetime
    limit_micros: int
    shares_micros: int
    usdc_micros: int
    fee_micros: int
    engine_version: str
    config_hash: str
    attempts: tuple[Attempt, ...]
    signature: str = ""
    state: IntentState = IntentState.OPEN
    watch_until: datetime | None = None
    looked_at: datetime | None = None
    empty_looks: int = 0

    @property
    def is_final(self) -> bool:
        """It can fill no more: it says so, and every attempt has a definitive answer. An earlier one may still be on its way else."""
        return is_final(self.state, self.attempts)

    @property
    def was_rejected(self) -> bool:
        """The venue would not have it."""
        return was_rejected(self.state, self.attempts)

    def answered(self, attempt: Attempt | None) -> "Intent":
        """The intent with what became of one of its attempts, known by its number."""
        if attempt is None:
            return self
        attempts = tuple(attempt if known.number == attempt.number else known for known in self.attempts)
        return replace(self, attempts=attempts)


def is_final(state: IntentState, attempts: Sequence[Attempt]) -> bool:
    """Whether an order of which only this is known can fill no more."""
    return state is IntentState.FINAL and all(attempt.outcome in DEFINITIVE for attempt in attempts)


def was_rejected(state: IntentState, attempts: Sequence[Attempt]) -> bool:
    """Whether the venue would not have an order of which only this is known."""
    return is_final(state, attempts) and any(attempt.outcome is Outcome.REJECTED for attempt in attempts)
