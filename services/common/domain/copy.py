"""One account's copy of one leader trade, or one attempt to settle what an exit owes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from services.common.domain.follow import Policy
from services.common.domain.intent import Intent
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.domain.trade import LeaderTrade
from services.common.domain.trail import TrailEntry
from services.common.domain.verdict import Decision

AT_ONCE = datetime(1970, 1, 1, microsecond=1_000, tzinfo=UTC)
"""When a new copy may be claimed that waits for nothing: whatever the clock of the process that makes it says, it is past."""


class CopyKind(StrEnum):
    """What a copy is for.

    `entry` mirrors a leader's BUY. `debt` records a leader's SELL: it is claimed once to become a step of an exit, then waits, and
    shares the fate of the attempts that meet what it made us owe. `exit` is one attempt to sell what an exit owes.
    """

    ENTRY = "entry"
    DEBT = "debt"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class CopyRef:
    """A claim on a copy: writes with it fail once the fence has moved on."""

    copy_id: str
    account_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class Copy:
    """The document in `user_activities`.

    `filled_micros`, `paid_micros` and `fee_micros` are the best known match: shares, USDC (cost or proceeds) and fee; provisional
    while `executed`, settled once `reconciled`. `exit_id` names the exit that a debt or an attempt belongs to; `attempt_number` the
    attempt's place in it. `group_key` is common to entries that one order may copy; `member_of` names the exit attempt, or the eldest of
    a group, whose fate a copy shares. `claimable_at` is None while nothing is to be done with it, else an instant of the database's clock;
    `turn_at` orders what is claimable, where it was given a turn. `owed_micros` is what an exit attempt was opened for, in shares.
    """

    copy_id: str
    idempotency_key: str
    account_id: str
    follow_id: str
    kind: CopyKind
    trade: LeaderTrade
    policy: Policy
    policy_version: int
    detected_at: datetime
    state: CopyState = CopyState.DETECTED
    claimable_at: datetime | None = None
    turn_at: datetime | None = None
    claimed_by: str = ""
    fence: int = 0
    skip_reason: str = ""
    failure: str = ""
    needs_review: bool = False
    decision: Decision | None = None
    intent: Intent | None = None
    past_intents: tuple[Intent, ...] = ()
    retry_count: int = 0
    last_retry_at: datetime | None = None
    exit_id: str = ""
    attempt_number: int = 0
    owed_micros: int = 0
    group_key: str = ""
    member_of: str = ""
    filled_micros: int = 0
    paid_micros: int = 0
    fee_micros: int = 0
    executed_at: datetime | None = None
    reconciled_at: datetime | None = None
    trail: tuple[TrailEntry, ...] = ()
    title: str = ""
    slug: str = ""
    outcome: str = ""

    @property
    def ref(self) -> CopyRef:
        return CopyRef(self.copy_id, self.account_id, self.fence)

    @property
    def turn(self) -> datetime:
        """Of what is claimable and of one rank, the earliest goes first."""
        return self.turn_at or self.detected_at

    @property
    def chain_place(self) -> tuple[int, int]:
        """Block and log of its trade."""
        return self.trade.block_number, self.trade.log_index

    @property
    def side(self) -> Side:
        return Side.BUY if self.kind is CopyKind.ENTRY else Side.SELL

    @property
    def intents(self) -> tuple[Intent, ...]:
        """The orders of all generations, eldest first."""
        return (*self.past_intents, self.intent) if self.intent else self.past_intents

    @property
    def ordered_at(self) -> datetime:
        """When its first order was journaled, by the database's clock: nothing of it has matched before. Whoever detects a trade goes by
        his own clock, which may be off."""
        attempts = (attempt.at for intent in self.intents for attempt in intent.attempts)
        return next(attempts, self.detected_at)

    @property
    def order_hashes(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(intent.order_hash for intent in self.intents)
