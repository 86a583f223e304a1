"""What each transition does to a copy: pure functions that both stores apply, so that memory and MongoDB cannot differ.

Each takes a copy and gives the copy after, or raises `ForbiddenTransition` when the lifecycle table does not have the step. Conditions
that need a clock or another document (a live lease, the account's line) are the store's.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.common.domain import contents
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Exit, ExitState, Step, exit_id, with_step
from services.common.domain.intent import Attempt, Intent, IntentState
from services.common.domain.lifecycle import Actor, CopyState, ForbiddenTransition, check
from services.common.domain.trail import is_draft, lengthened
from services.common.domain.trail import sealed as sealed_trail
from services.common.domain.verdict import Decision

REVIEWED = "reviewed:"
"""How the action of an entry begins that says that somebody has looked at a copy."""

CLOSED_FROM = {
    CopyState.SKIPPED: frozenset({CopyState.DETECTED}),
    CopyState.RECONCILED: frozenset({CopyState.EXECUTED}),
    CopyState.FAILED: frozenset({CopyState.EXECUTING, CopyState.EXECUTED}),
}
"""How a debt ends with its exit, and from where."""

SALES: dict[tuple[CopyState, CopyState], tuple[CopyState, Actor]] = {
    (CopyState.EXECUTING, CopyState.EXECUTED): (CopyState.EXECUTED, Actor.ENGINE),
    (CopyState.EXECUTED, CopyState.RECONCILED): (CopyState.RECONCILED, Actor.RECONCILER),
}
"""Where a debt goes, and by whom, from its state and that of the attempt that took it."""

FATES = SALES | {
    (CopyState.EXECUTING, CopyState.FAILED): (CopyState.FAILED, Actor.ENGINE),
    (CopyState.EXECUTING, CopyState.SKIPPED): (CopyState.FAILED, Actor.ENGINE),
    (CopyState.EXECUTED, CopyState.FAILED): (CopyState.FAILED, Actor.RECONCILER),
    (CopyState.FAILED, CopyState.EXECUTED): (CopyState.EXECUTED, Actor.RECONCILER),
    (CopyState.RECONCILED, CopyState.EXECUTED): (CopyState.EXECUTED, Actor.RECONCILER),
}
"""Where a group's member goes from its state and that of its eldest."""


def moved(copy: Copy, state: CopyState, actor: Actor, action: str, now: datetime) -> Copy:
    """The copy in its new state, with the entry that says so."""
    check(copy.state, state, actor)
    return replace(noted(copy, actor, action, now), state=state)


def noted(copy: Copy, actor: str, action: str, now: datetime) -> Copy:
    """The copy with the draft of one more trail entry. Call it on the copy as it was: what it said until now is in the entry."""
    before = contents.hashed(contents.of_copy(copy)) if copy.trail else ""
    return replace(copy, trail=lengthened(copy.trail, now, actor, action, copy.fence, before))


def sealed(copy: Copy) -> Copy:
    """The copy as it is written: the entries that its transition has drafted are sealed over what it says now."""
    if not is_draft(copy.trail):
        return copy
    return replace(copy, trail=sealed_trail(copy.trail, contents.hashed(contents.of_copy(copy))))


def detected(copy: Copy) -> Copy:
    """A new copy with its first entry."""
    return noted(copy, Actor.MONITOR, "detected", copy.detected_at)


def claimed(copy: Copy, worker: str, until: datetime) -> Copy:
    """The copy in the hands of `worker`: fence + 1, lease `until`. A copy that is executing stays so."""
    state = CopyState.EXECUTING if copy.state is CopyState.EXECUTING else CopyState.CLAIMED
    check(copy.state, state, Actor.ENGINE)
    return replace(copy, state=state, claimed_by=worker, fence=copy.fence + 1, claimable_at=until)


def released(copy: Copy, claimable_at: datetime, now: datetime, decision: Decision | None = None) -> Copy:
    """The copy untouched, claimable again at `claimable_at`; with the last report of the guards where one refused it for now.

    It may be refused every second for as long as an exit is owed: an entry says so where it is another guard than before.
    """
    check(copy.state, CopyState.DETECTED, Actor.ENGINE)
    held_back = f"held_back:{decision.refusals[0].guard}" if decision and decision.refusals else ""
    if held_back and not (copy.trail and copy.trail[-1].action == held_back):
        copy = noted(copy, Actor.ENGINE, held_back, now)
    return replace(
        copy,
        state=CopyState.DETECTED,
        claimed_by="",
        claimable_at=claimable_at,
        decision=decision or copy.decision,
    )


def parked(copy: Copy, exit_id: str, now: datetime) -> Copy:
    """A debt whose step is in its exit: it waits there, and is claimed no more."""
    return replace(
        moved(copy, CopyState.DETECTED, Actor.ENGINE, "parked", now), claimed_by="", claimable_at=None, exit_id=exit_id
    )


def owing(debt: Copy, known: Exit | None, step: Step, now: datetime) -> Exit:
    """The exit of a debt's follow and token with its step, a version on: whoever ends it has seen the debt. One that is over stays."""
    name = exit_id(debt.follow_id, debt.trade.token_id)
    known = known or Exit(name, debt.account_id, debt.follow_id, debt.trade.token_id, ExitState.OPEN, (), now)
    after = with_step(known, step, now)
    return after if after.state is not ExitState.OPEN else replace(after, version=known.version + 1)


def skipped(copy: Copy, reason: str, decision: Decision | None, now: datetime) -> Copy:
    """The copy refused by the guard `reason`, with the whole report where there is one."""
    after = moved(copy, CopyState.SKIPPED, Actor.ENGINE, f"skipped:{reason}", now)
    return replace(after, skip_reason=reason, decision=decision or copy.decision, claimable_at=None)


def voided(copy: Copy, reason: str, now: datetime) -> Copy | None:
    """The copy of a trade that there is no more, where it has had no order; None where it has."""
    if copy.intent is not None:
        return None
    after = moved(copy, CopyState.SKIPPED, Actor.MONITOR, f"skipped:{reason}", now)
    return replace(after, skip_reason=reason, claimable_at=None)


def refused(copy: Copy, failure: str, now: datetime) -> Copy:
    """The copy failed before any intent."""
    return replace(
        moved(copy, CopyState.FAILED, Actor.ENGINE, f"failed:{failure}", now), failure=failure, claimable_at=None
    )


def begun(copy: Copy, intent: Intent, decision: Decision, now: datetime) -> Copy:
    """The copy with its stored intent and first attempt."""
    after = moved(copy, CopyState.EXECUTING, Actor.ENGINE, f"intent:{intent.order_hash}", now)
    return replace(after, intent=intent, past_intents=copy.intents, decision=decision, failure="")


def joined(member: Copy, leader: str, now: datetime) -> Copy:
    """A parked debt that an exit attempt takes with it, or an entry that the eldest of its group does. It is claimed no more."""
    after = moved(member, CopyState.EXECUTING, Actor.ENGINE, f"joined:{leader}", now)
    return replace(after, member_of=leader, claimed_by="", claimable_at=None)


def signed(copy: Copy, signature: str) -> Copy:
    """The copy with its stored intent signed."""
    return _with_intent(copy, replace(_intent(copy), signature=signature))


def journaled(copy: Copy, attempt: Attempt, now: datetime) -> Copy:
    """The copy with one more attempt, before its bytes leave."""
    intent = _intent(copy)
    after = moved(copy, CopyState.EXECUTING, Actor.ENGINE, f"attempt:{attempt.number}", now)
    return _with_intent(after, replace(intent, attempts=(*intent.attempts, attempt)))


def recorded(copy: Copy, attempt: Attempt, claimable_at: datetime | None, now: datetime) -> Copy:
    """The copy with what became of an attempt; it stays executing."""
    after = moved(copy, CopyState.EXECUTING, Actor.ENGINE, f"outcome:{attempt.number}:{attempt.outcome}", now)
    after = _with_intent(after, _intent(copy).answered(attempt))
    return replace(after, claimable_at=claimable_at or copy.claimable_at)


def looked(copy: Copy, empty: bool, claimable_at: datetime, now: datetime) -> Copy:
    """The copy after a look-up of its unknown order; an empty one counts, evidence starts the count anew."""
    check(copy.state, CopyState.EXECUTING, Actor.ENGINE)
    intent = _intent(copy)
    after = _with_intent(copy, replace(intent, looked_at=now, empty_looks=intent.empty_looks + 1 if empty else 0))
    return replace(after, claimable_at=claimable_at)


def executed(copy: Copy, actor: Actor, attempt: Attempt | None, sums: tuple[int, int, int], now: datetime) -> Copy:
    """The copy with evidence of a match: shares, USDC and fee."""
    after = moved(copy, CopyState.EXECUTED, actor, f"executed:{sums[0]}", now)
    if after.intent is not None:
        after = _with_intent(after, replace(after.intent.answered(attempt), state=IntentState.FINAL))
    shares, usdc, fee = sums
    return replace(
        after,
        filled_micros=shares,
        paid_micros=usdc,
        fee_micros=fee,
        executed_at=copy.executed_at or now,
        claimable_at=None,
    )


def failed(
    copy: Copy,
    attempt: Attempt | None,
    failure: str,
    review: bool,
    final: bool,
    watch_until: datetime | None,
    now: datetime,
) -> Copy:
    """The copy whose order came to nothing: final, or given up and watched."""
    after = moved(copy, CopyState.FAILED, Actor.ENGINE, f"failed:{failure}", now)
    state = IntentState.FINAL if final else IntentState.PRESUMED_DEAD
    intent = replace(_intent(copy).answered(attempt), state=state, watch_until=watch_until)
    return replace(
        _with_intent(after, intent), failure=failure, needs_review=copy.needs_review or review, claimable_at=None
    )


def retried(copy: Copy, claimable_at: datetime, now: datetime) -> Copy:
    """A failed entry that may have another order from `claimable_at` on: its last is final, and nothing has filled (orders.md 5)."""
    if copy.kind is not CopyKind.ENTRY or not _intent(copy).is_final or copy.filled_micros or copy.needs_review:
        raise ForbiddenTransition(f"the last order of copy {copy.copy_id} may be followed by no other")
    again = copy.retry_count + 1
    after = moved(copy, CopyState.DETECTED, Actor.ENGINE, f"retry:{again}", now)
    return replace(after, claimed_by="", claimable_at=claimable_at, retry_count=again, last_retry_at=now)


def settled(copy: Copy, state: CopyState, sums: tuple[int, int, int], review: bool, now: datetime) -> Copy:
    """The copy as the reconciler found it to have ended, or to live again."""
    shares, usdc, fee = sums
    after = moved(copy, state, Actor.RECONCILER, f"{state}:{shares}", now)
    failure = (
        "settlement_failed" if state is CopyState.FAILED else copy.failure if state is not CopyState.EXECUTED else ""
    )
    if after.intent is not None and state is not CopyState.EXECUTED:
        # One that was given up and filled after all is watched no more once its trades are over.
        after = _with_intent(after, replace(after.intent, state=IntentState.FINAL))
    return replace(
        after,
        fence=copy.fence + 1,
        filled_micros=shares,
        paid_micros=usdc,
        fee_micros=fee,
        failure=failure,
        needs_review=copy.needs_review or review,
        executed_at=copy.executed_at or now,
        reconciled_at=now if state is CopyState.RECONCILED else copy.reconciled_at,
        claimable_at=None,
    )


def forgotten(copy: Copy, now: datetime) -> Copy:
    """A copy presumed dead whose watch has ended without a fill."""
    intent = _intent(copy)
    if copy.state is not CopyState.FAILED or intent.state is not IntentState.PRESUMED_DEAD:
        raise ForbiddenTransition(f"copy {copy.copy_id} is not watched")
    after = noted(replace(copy, fence=copy.fence + 1), Actor.RECONCILER, "watch_over", now)
    return _with_intent(after, replace(intent, state=IntentState.FINAL))


def followed(member: Copy, leader: Copy, now: datetime) -> Copy | None:
    """A copy that shares the fate of another; None where it already has.

    A debt shares what an attempt has sold; a failed attempt leaves it waiting: its exit still owes. An entry shares everything that
    becomes of the order it is part of, and ends where its leader is given up without one.
    """
    paths = FATES if member.kind is CopyKind.ENTRY else SALES
    path = paths.get((member.state, leader.state))
    if path is None:
        return None
    state, actor = path
    after = moved(member, state, actor, f"followed:{leader.state}", now)
    if state is CopyState.FAILED:
        return replace(after, failure=leader.skip_reason or leader.failure)
    if state is CopyState.EXECUTED:
        return replace(after, executed_at=member.executed_at or now, failure="")
    return replace(after, reconciled_at=now)


def acknowledged(copy: Copy, by: str, note: str, now: datetime) -> Copy | None:
    """The copy with its review over, because somebody has looked at it; None where it asks for none.

    One that may still be claimed keeps it: its worker goes on from the copy as it was claimed.
    """
    if not copy.needs_review or copy.state in {CopyState.DETECTED, CopyState.CLAIMED}:
        return None
    return replace(noted(copy, by, f"{REVIEWED}{note}", now), needs_review=False)


def closed(debt: Copy, state: CopyState, reason: str, now: datetime) -> Copy:
    """A debt that ends with its exit; entries and attempts end by what becomes of their orders."""
    if debt.kind is not CopyKind.DEBT or state not in CLOSED_FROM:
        raise ForbiddenTransition(f"a copy of kind {debt.kind} does not end as {state} with an exit")
    after = moved(debt, state, Actor.ENGINE, f"{state}:{reason}", now)
    if state is CopyState.SKIPPED:
        return replace(after, skip_reason=reason, claimable_at=None)
    if state is CopyState.RECONCILED:
        return replace(after, reconciled_at=now)
    return replace(after, failure=reason, claimable_at=None)


def blocks(other: Copy, copy: Copy, barred_leaders: Sequence[str] = ()) -> bool:
    """`copy` waits for `other`: same account and token, earlier in the chain, and not yet past its decision (orders.md 5.3).

    An exit attempt waits for nobody: what holds entries back would trap what is to be sold, and a BUY that it overtakes shrinks.
    Nobody waits for a leader who is barred: his copies may not be taken at all. Nor for a copy that is tried again: it had its turn.
    """
    if copy.kind is not CopyKind.ENTRY or other.trade.leader in barred_leaders or other.intent is not None:
        return False
    if (other.account_id, other.trade.token_id) != (
        copy.account_id,
        copy.trade.token_id,
    ) or other.copy_id == copy.copy_id:
        return False
    # A guard has put this attempt back, for who knows how long.
    put_back = other.kind is CopyKind.EXIT and other.decision is not None
    if other.state not in {CopyState.DETECTED, CopyState.CLAIMED} or other.claimable_at is None or put_back:
        return False
    return (other.trade.block_number, other.trade.log_index) < (copy.trade.block_number, copy.trade.log_index)


def _intent(copy: Copy) -> Intent:
    if copy.intent is None:
        raise ValueError(f"copy {copy.copy_id} has no intent")
    return copy.intent


def _with_intent(copy: Copy, intent: Intent) -> Copy:
    return replace(copy, intent=intent)
