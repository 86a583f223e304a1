"""The ports of the store: those of the copies and of what is owed, and all of them together. `MongoX` and `MemoryX` implement them and
pass one contract suite.

Every write is a compare-and-set or carries a unique key, so that doing it again is harmless. A False or None says that the condition no
longer held (the fence has moved on, another was first): nothing was written. `StoreUnavailable` says that nothing is known: the write may
have been applied. Lease times are the database's own.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from services.common.domain.account import ExposureChange
from services.common.domain.close_request import CloseRequest
from services.common.domain.control import Standing
from services.common.domain.copy import Copy, CopyKind, CopyRef
from services.common.domain.dead_letter import DeadLetter
from services.common.domain.exit import Exit, ExitState, Kept, Step
from services.common.domain.fill import Fill, LedgerLine, Position
from services.common.domain.intent import Attempt, Intent
from services.common.domain.lifecycle import CopyState
from services.common.domain.recent_order import RecentOrder
from services.common.domain.verdict import Decision
from services.common.ports.accounts import Accounts, Follows, Leaders
from services.common.ports.answers import Change, Page
from services.common.ports.audit import Audit
from services.common.ports.books import Positions, Results
from services.common.ports.people import LogIns, Nonces, RefusedTokens, Users
from services.common.ports.trades import Trades


class StoreUnavailable(Exception):
    """The store did not answer, or its answer was lost: a write may have been applied."""


class Begun(StrEnum):
    """How the transaction that stores an intent ended."""

    DONE = "done"
    ACCOUNT_MOVED = "account_moved"
    CLAIM_LOST = "claim_lost"


def unheard(copy: Copy) -> None:
    """Nobody wants to hear of a copy at once."""


class Copies(Protocol):
    """`user_activities`: created by the monitor, owned by the engine until `executed`, by the reconciler from then on."""

    async def insert(self, copies: Sequence[Copy], on_new: Callable[[Copy], None] = unheard) -> tuple[str, ...]:
        """Insert every copy whose (account, idempotency key) is new; the ids of the new ones. Unordered: a known one stops no other.

        They are durable when this returns. `on_new` hears of each before that, as soon as it can be claimed.
        """
        ...

    async def get(self, copy_id: str) -> Copy | None: ...

    async def claim(
        self,
        account_id: str,
        worker: str,
        lease: timedelta,
        *,
        fresh: bool,
        barred_leaders: Sequence[str] = (),
        barred_markets: Sequence[str] = (),
        only_exits: bool = False,
        busy_tokens: Sequence[str] = (),
        in_hand: Sequence[str] = (),
        on_taken: Callable[[Copy], None] = unheard,
    ) -> Copy | None:
        """Take one claimable copy: debts, then exits, then entries, the earliest `turn` first; fence + 1, lease from the database's clock.

        `fresh` False (the gate is closed) takes lapsed `executing` copies only. A lapsed `claimed` or `executing` copy is claimable again.
        An entry waits while an earlier copy (in chain order) of its (account, token) is still detected or claimed, unless that is a
        barred leader's; an exit waits for nobody. `barred_…` and `only_exits` apply to detected entries, not to what is executing.
        Of `busy_tokens` no entry or exit is taken. Nobody waits for copies that are `in_hand`: their claimant keeps the order himself.
        `on_taken` hears of a copy before its place in the order is looked at, so that what it needs can be read meanwhile.
        A claim need not be durable when this returns: an intent or a resend is, with everything before it, or it is refused.
        """
        ...

    async def renew(self, ref: CopyRef, lease: timedelta) -> bool: ...

    async def release(self, ref: CopyRef, after: timedelta, now: datetime, decision: Decision | None = None) -> bool:
        """claimed → detected, untouched, claimable again after `after`. The report of a guard that refused for now is kept with it."""
        ...

    async def park(self, ref: CopyRef, step: Step, now: datetime) -> Exit | None:
        """claimed → detected, claimable no more: a debt, with its step in the exit of its follow and token, as `Exits.owe` would add it.
        The exit's version advances in the same transaction: whoever sells for the step, or ends the exit, has seen the debt. The exit
        as it is then; where it is over, which a step that is new to it never leaves it, nothing was written. None: the claim is lost."""
        ...

    async def skip(self, ref: CopyRef, reason: str, decision: Decision | None, now: datetime) -> bool:
        """claimed → skipped; members that an earlier order of the copy has taken end with it."""
        ...

    async def refuse(self, ref: CopyRef, failure: str, now: datetime) -> bool:
        """claimed → failed: a permanent fault before any intent; members as in `skip`."""
        ...

    async def void(self, copy_id: str, reason: str, now: datetime) -> bool:
        """detected → skipped by the monitor: a trade that a reorg has removed, where nothing was ever sent for it."""
        ...

    async def begin(
        self,
        copy: Copy,
        account_seq: int,
        intent: Intent,
        decision: Decision,
        change: ExposureChange,
        members: Sequence[str],
        now: datetime,
    ) -> Begun:
        """The intent's transaction, on a copy as its claim gave it: claimed → executing with the intent and its first attempt; account
        seq n → n+1 with the change; parked debts or entries of the copy's group in `members` detected → executing as members of this
        copy. All of it or nothing, never with a lapsed lease; `ACCOUNT_MOVED` also where an entry in `members` does not wait any more."""
        ...

    async def sign(self, ref: CopyRef, order_hash: str, signature: str) -> bool:
        """Store the sealed signature of the stored intent. Raises `ValueError` for one that anybody could read."""
        ...

    async def forget_signatures(self, now: datetime, limit: int = 500) -> int:
        """Delete the signatures of copies that have been final for 30 days (`custody.forget_at`), of `limit` copies at most; of how many."""
        ...

    async def journal(self, ref: CopyRef, attempt: Attempt, now: datetime, standing: Standing | None = None) -> bool:
        """Journal a resend: append the attempt and advance the account's seq, unless control forbids it (orders.md 4): the account is
        halted or paused as a whole, or, where it is said what the attempt is for, it does not admit that."""
        ...

    async def record(self, ref: CopyRef, attempt: Attempt, claimable_after: timedelta | None, now: datetime) -> bool:
        """Store an attempt's outcome (by its number); the copy stays executing, claimable again after `claimable_after` (None: lease stands)."""
        ...

    async def looked(self, ref: CopyRef, empty: bool, claimable_after: timedelta, now: datetime) -> bool:
        """Note a look-up of an unknown: `empty` with every source reachable counts towards giving up."""
        ...

    async def execute(
        self,
        ref: CopyRef,
        attempt: Attempt | None,
        filled_micros: int,
        paid_micros: int,
        fee_micros: int,
        change: ExposureChange,
        now: datetime,
    ) -> bool:
        """executing → executed on evidence of a match, with the account's change; members follow. By engine under its fence."""
        ...

    async def fail(
        self,
        ref: CopyRef,
        attempt: Attempt | None,
        failure: str,
        needs_review: bool,
        final: bool,
        change: ExposureChange | None,
        watch_until: datetime | None,
        now: datetime,
        retry_after: timedelta | None = None,
    ) -> bool:
        """executing → failed: every attempt rejected, final with zero, or presumed dead (then `change` is None: its cash stays aside).
        Debts among its members stay executing: their exit owes again; entries end with it. With `retry_after`, failed → detected in the
        same write, claimable after that long, and its members wait with it: only for an entry whose order is final."""
        ...

    async def close_member(self, copy_id: str, state: CopyState, failure: str, now: datetime) -> bool:
        """A parked or member debt ends with its exit: detected → skipped, executing → failed, or executed → reconciled | failed where
        what its sale took with it has failed to settle, and another of the exit has settled or none has."""
        ...

    async def settle(
        self,
        copy_id: str,
        fence: int,
        state: CopyState,
        fills: Sequence[Fill],
        lines: Sequence[LedgerLine],
        positions: Sequence[Position],
        filled_micros: int,
        paid_micros: int,
        fee_micros: int,
        change: ExposureChange,
        needs_review: bool,
        now: datetime,
    ) -> bool:
        """The reconciler's transaction: executed → reconciled | failed (or failed → executed on a late fill, reconciled → executed on
        contrary evidence) with the fills booked, their ledger lines, the positions they make and the account's change; members follow.
        Fence + 1. False also where a position is not what is stored now moved by the lines: it was computed on an older one."""
        ...

    async def unsettled(self, account_id: str, limit: int) -> tuple[Copy, ...]:
        """Copies with an intent in `executed`, and those presumed dead whose watch is not over, least recently looked at first."""
        ...

    async def unwatched(self, account_id: str, limit: int) -> tuple[Copy, ...]:
        """Copies presumed dead whose watch is over, and whose cash is still set aside."""
        ...

    async def close_watch(self, copy_id: str, fence: int, change: ExposureChange, now: datetime) -> bool:
        """The watch of a copy presumed dead ends without a fill: its intent is final, with the account's change. Fence + 1."""
        ...

    async def touch(self, copy_id: str, now: datetime) -> None:
        """Note that the reconciler has looked at a copy."""
        ...

    async def of_exit(self, exit_id: str) -> tuple[Copy, ...]:
        """Attempts and debts of an exit, in their order."""
        ...

    async def of_token(self, account_id: str, token_id: str, follow_id: str | None = None) -> tuple[Copy, ...]:
        """Entries of an account in one token (of one follow), that are not skipped or failed without a fill, in chain order."""
        ...

    async def of_group(self, account_id: str, group_key: str) -> tuple[Copy, ...]:
        """Entries of an account's group, in chain order."""
        ...

    async def recent_orders(self, account_id: str, since: datetime) -> tuple[RecentOrder, ...]:
        """Orders with an attempt journaled since then, and those that want a review, however old; the least recent first."""
        ...

    async def reviews(self, accounts: Sequence[str], limit: int) -> tuple[Copy, ...]:
        """Copies that want a review which nobody has acknowledged, the newest first."""
        ...

    async def acknowledge(self, copy_id: str, by: str, note: str, now: datetime) -> Copy | None:
        """End a copy's review; the copy after, None where it wants none."""
        ...

    async def page(self, accounts: Sequence[str], limit: int, offset: int) -> Page[Copy]:
        """Newest first."""
        ...

    async def counts(self, accounts: Sequence[str]) -> Mapping[tuple[CopyKind, CopyState, str], int]:
        """How many copies are in each (kind, state, skip reason or failure)."""
        ...

    async def under_way(self, accounts: Sequence[str]) -> int:
        """How many copies are claimed, executing or executed. A debt counts with the attempt whose fate it shares, not apart."""
        ...

    def watch(self, token: str | None) -> AsyncIterator[Change[Copy]]:
        """Every new state of every copy, from now or after `token`; a token that is too old gives a resync change first."""
        ...


class Exits(Protocol):
    """`exits`: what we still owe to sell, written by the engine."""

    async def get(self, exit_id: str) -> Exit | None: ...

    async def owe(
        self, exit_id: str, account_id: str, follow_id: str, token_id: str, step: Step, now: datetime
    ) -> Exit:
        """Add a step, once by its key; opens the exit (again) where it is new or closed, and its age begins. One that was removed counts
        again."""
        ...

    async def retract(self, exit_id: str, version: int, key: str) -> bool:
        """Remove a step whose transaction is gone, by compare-and-set on the exit's version."""
        ...

    async def forget(self, exit_id: str, version: int, key: str) -> bool:
        """Drop a removed step for good, by compare-and-set on the exit's version."""
        ...

    async def retracted(self, account_id: str) -> tuple[Exit, ...]:
        """Exits of an account, over or not, with a step that was removed and may come back."""
        ...

    async def keep(
        self, exit_id: str, account_id: str, follow_id: str, token_id: str, version: int, kept: Kept, now: datetime
    ) -> bool:
        """End an exit because its owner keeps what is left, by compare-and-set on its version (0: it is made for this). False while an
        attempt is open."""
        ...

    async def escalate(self, exit_id: str) -> bool:
        """Note, once for each time that the exit opens, that a person is told how long it is open."""
        ...

    async def open_attempt(self, exit_id: str, version: int, attempt: Copy) -> bool:
        """Open attempt n by compare-and-set on the exit's version, and insert its copy, in one transaction."""
        ...

    async def close_attempt(self, exit_id: str, copy_id: str) -> bool: ...

    async def end(self, exit_id: str, version: int, state: ExitState, now: datetime) -> bool: ...

    async def open_ones(self, account_id: str) -> tuple[Exit, ...]: ...


class CloseRequests(Protocol):
    """`close_requests`, written by the engine."""

    async def get(self, key: str) -> CloseRequest | None: ...

    async def open(self, request: CloseRequest) -> CloseRequest:
        """Keep it, once by its key; the one that is kept."""
        ...

    async def unfinished(self, account_id: str) -> tuple[CloseRequest, ...]:
        """Those of which some step may not be in its exit yet, the eldest first."""
        ...

    async def finish(self, key: str) -> None: ...


class Leases(Protocol):
    """Single flight across processes: who may do a named piece of work now."""

    async def take(self, name: str, holder: str, lease: timedelta) -> bool:
        """True when `holder` has it, or had it and keeps it."""
        ...

    async def give_back(self, name: str, holder: str) -> None: ...


class DeadLetters(Protocol):
    """`dead_letters`: payloads that no parser knows."""

    async def add(self, letter: DeadLetter) -> None:
        """Keep it, or count it when its digest is known."""
        ...

    async def all(self) -> tuple[DeadLetter, ...]: ...


class Stores(Protocol):
    """Everything a service may ask of the database. `now` is the database's clock; `ping` answers or raises `StoreUnavailable`."""

    @property
    def copies(self) -> Copies: ...

    @property
    def accounts(self) -> Accounts: ...

    @property
    def trades(self) -> Trades: ...

    @property
    def follows(self) -> Follows: ...

    @property
    def leaders(self) -> Leaders: ...

    @property
    def exits(self) -> Exits: ...

    @property
    def close_requests(self) -> CloseRequests: ...

    @property
    def positions(self) -> Positions: ...

    @property
    def results(self) -> Results: ...

    @property
    def leases(self) -> Leases: ...

    @property
    def dead_letters(self) -> DeadLetters: ...

    @property
    def users(self) -> Users: ...

    @property
    def log_ins(self) -> LogIns: ...

    @property
    def refused_tokens(self) -> RefusedTokens: ...

    @property
    def nonces(self) -> Nonces: ...

    @property
    def audit(self) -> Audit: ...

    async def now(self) -> datetime: ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
