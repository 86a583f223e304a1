"""What the venue and the chain say of our orders, and what we hold because of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.domain.market import Side


class TradeStatus(StrEnum):
    """The life of a trade at the venue; MATCHED can still fail, FAILED rolls back (venue.md 3.7)."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"


TRADE_TERMINAL = frozenset({TradeStatus.CONFIRMED, TradeStatus.FAILED})


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of one of our orders; unique by (account, trade id, order hash). Sizes in micro-shares, sums in micro-USDC."""

    account_id: str
    trade_id: str
    order_hash: str
    copy_id: str
    condition_id: str
    token_id: str
    side: Side
    shares_micros: int
    usdc_micros: int
    fee_micros: int
    status: TradeStatus
    matched_at: datetime
    tx_hash: str = ""
    block_number: int | None = None
    booked: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Our settled shares of one token, at average cost (the document in `user_positions`).

    `shares_micros` and `cost_micros` (fees included) are what is held; `bought_micros` what was ever bought, in shares;
    `realized_micros` profit realised so far; `mark_micros` the last known price, None where none is known. `payout_micros` is what a
    share has paid once the books let go of it because its market was resolved, None before.
    """

    account_id: str
    wallet: str
    token_id: str
    condition_id: str
    shares_micros: int
    cost_micros: int
    bought_micros: int
    realized_micros: int
    fees_micros: int
    updated_at: datetime
    mark_micros: int | None = None
    title: str = ""
    slug: str = ""
    icon: str = ""
    event_slug: str = ""
    event_id: str = ""
    outcome: str = ""
    outcome_index: int = 0
    opposite_outcome: str = ""
    opposite_token_id: str = ""
    ends_at: datetime | None = None
    neg_risk: bool = False
    redeemable: bool = False
    mergeable: bool = False
    payout_micros: int | None = None

    @property
    def average_micros(self) -> int:
        """The average cost of a share in millionths, rounded to the nearest; 0 when nothing is held."""
        return (
            (self.cost_micros * 1_000_000 + self.shares_micros // 2) // self.shares_micros if self.shares_micros else 0
        )


RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One change of a position, for one fill; unique by (account, trade id, order hash).

    What a market's resolution takes is one more, unique for the token: its trade id is the token's, its order hash `RESOLVED`. A part that
    was paid out before has a line of its own, with the hash of the transaction instead.
    """

    account_id: str
    token_id: str
    trade_id: str
    order_hash: str
    copy_id: str
    shares_micros: int
    usdc_micros: int
    fee_micros: int
    realized_micros: int
    at: datetime


def continues(
    before: Position | None, after: Position, lines: Sequence[LedgerLine], known: Sequence[LedgerLine]
) -> bool:
    """Whether `after` is `before` moved by `lines`, of which `known` were booked already: else it was computed on an older position."""
    moved = sum(line.shares_micros for line in lines if line.token_id == after.token_id)
    moved -= sum(line.shares_micros for line in known if line.token_id == after.token_id)
    return after.shares_micros == (before.shares_micros if before else 0) + moved


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One token on which our books and another source disagree, in micro-shares."""

    token_id: str
    source: str
    ours_micros: int
    theirs_micros: int


@dataclass(frozen=True, slots=True)
class ReconciliationResult:
    """One comparison of an account's books with the Data API and the chain (the document in `reconciliation_results`).

    `complete` is False when a source could not be asked; such a run proves nothing and is never counted as agreement.
    """

    result_id: str
    account_id: str
    started_at: datetime
    finished_at: datetime
    positions_checked: int
    discrepancies: tuple[Discrepancy, ...]
    settled: int
    complete: bool
    block_number: int | None = None
    unreachable: tuple[str, ...] = ()
