"""What the gate judges: what the engine knows of itself and its surroundings, and how far that may be off."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.common.domain.account import Account


class Trouble(StrEnum):
    """What brakes count."""

    UNKNOWN = "unknown"
    REJECTED = "rejected"
    UNSETTLED = "unsettled"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble with an intent, of one market and leader; a review stays until it is acknowledged."""

    trouble: Trouble
    leader: str
    condition_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GateLimits:
    """How far a process condition may be off; counts per market and per leader, and of the whole account."""

    reconciled_ms: int = 120_000
    clock_ms: int = 2_000
    head_ms: int = 15_000
    brake_window: timedelta = timedelta(minutes=10)
    unknown: int = 3
    rejected: int = 5
    unsettled: int = 3
    account_troubles: int = 10
    market_reviews: int = 2
    account_reviews: int = 5


DEFAULTS = GateLimits()


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """What the engine knows of itself and its surroundings at `now` (the database's clock), for one account; None is not known.

    - `reconciled_at`: when the reconciler last finished a complete run; None before the first since the start, which is asked for.
      `user_feed_live`: the account's feed is connected and in sync.
    - `database_skew_ms`, `venue_skew_ms`: the local clock less theirs; the venue's in whole seconds.
    - `chain_id` against `expected_chain_id`; `head_at`: the time of the newest block; `endpoints_agree`: on chain id and head;
      `exchange_known`: exchange and domain version are on our list.
    - `signer_ready` (`signer_note` says why not), `venue_open` (no breaker open, not restarting, cancel-only or geoblocked;
      `venue_note` says which), and `closed_only`: the venue lets the account only close positions.
    - `incidents`: intents that went wrong within the brakes' window, and reviews that nobody has acknowledged.
    """

    now: datetime
    account: Account
    engine_version: str
    expected_chain_id: int
    reconciled_at: datetime | None = None
    user_feed_live: bool | None = None
    database_skew_ms: int | None = None
    venue_skew_ms: int | None = None
    chain_id: int | None = None
    head_at: datetime | None = None
    endpoints_agree: bool | None = None
    exchange_known: bool | None = None
    signer_ready: bool | None = None
    signer_note: str = ""
    venue_open: bool | None = None
    venue_note: str = ""
    closed_only: bool | None = None
    incidents: tuple[Incident, ...] | None = None
