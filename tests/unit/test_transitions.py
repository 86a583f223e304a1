"""What each transition of the engine does to a copy: what it sets, what it leaves, and the entry that says so."""

from dataclasses import replace

import pytest

from services.common.domain import contents
from services.common.domain.copy import CopyKind
from services.common.domain.exit import Exit, ExitState, Place, Step
from services.common.domain.intent import Attempt, IntentState, Outcome
from services.common.domain.lifecycle import TERMINAL, TRANSITIONS, Actor, ForbiddenTransition, check
from services.common.domain.trail import TrailEntry
from services.common.domain.transitions import (
    begun,
    claimed,
    detected,
    executed,
    failed,
    joined,
    journaled,
    looked,
    moved,
    noted,
    owing,
    parked,
    recorded,
    refused,
    released,
    retried,
    sealed,
    signed,
    skipped,
    voided,
)
from tests.builders import a_refusal
from tests.builders_case import LEADER, NOON, YES, a_copy, an_intent
from tests.transition_world import DECISION, FINAL, LATER, OTHER_DECISION, SOON, SUMS, S, a_used_copy, answered, entry


@pytest.mark.parametrize("origin", S)
@pytest.mark.parametrize("target", S)
@pytest.mark.parametrize("actor", Actor)
def test_a_copy_moves_as_the_table_says_and_not_otherwise(origin, target, actor):
    copy = a_used_copy(origin)

    if actor in TRANSITIONS.get((origin, target), ()):
        check(origin, target, actor)
        assert moved(copy, target, actor, "x", LATER) == replace(copy, state=target, trail=entry(copy, actor, "x"))
        return
    with pytest.raises(ForbiddenTransition) as refusal:
        moved(copy, target, actor, "x", LATER)
    assert str(refusal.value) == f"{actor} may not move a copy from {origin} to {target}"


def test_the_table_is_that_of_the_order_protocol():
    engine, reconciler, both = {Actor.ENGINE}, {Actor.RECONCILER}, {Actor.ENGINE, Actor.RECONCILER}

    assert {
        (S.DETECTED, S.CLAIMED): engine,
        (S.DETECTED, S.SKIPPED): engine | {Actor.MONITOR},
        (S.DETECTED, S.EXECUTING): engine,
        (S.CLAIMED, S.CLAIMED): engine,
        (S.CLAIMED, S.DETECTED): engine,
        (S.CLAIMED, S.SKIPPED): engine,
        (S.CLAIMED, S.FAILED): engine,
        (S.CLAIMED, S.EXECUTING): engine,
        (S.EXECUTING, S.EXECUTING): engine,
        (S.EXECUTING, S.EXECUTED): both,
        (S.EXECUTING, S.FAILED): engine,
        (S.EXECUTED, S.RECONCILED): both,
        (S.EXECUTED, S.FAILED): both,
        (S.FAILED, S.DETECTED): engine,
        (S.FAILED, S.EXECUTED): reconciler,
        (S.RECONCILED, S.EXECUTED): reconciler,
    } == TRANSITIONS


def test_what_is_over_is_settled_skipped_or_failed():
    assert {S.RECONCILED, S.SKIPPED, S.FAILED} == TERMINAL


def test_a_new_copy_begins_its_trail_when_it_was_detected():
    copy = a_copy(state=S.DETECTED, fence=0)

    assert detected(copy).trail == (TrailEntry(1, NOON, "monitor", "detected", 0),)
    assert replace(detected(copy), trail=()) == copy


def test_an_entry_of_a_trail_holds_what_the_copy_said_until_then():
    copy = a_used_copy(S.EXECUTING)

    (first, draft) = noted(copy, "ops", "looked at", LATER).trail

    assert first == copy.trail[0]
    assert draft == TrailEntry(2, LATER, "ops", "looked at", 4, contents.hashed(contents.of_copy(copy)), previous="d1")


def test_what_is_written_is_sealed_over_what_it_says_now():
    copy = a_used_copy(S.EXECUTING)
    drafted = moved(copy, S.EXECUTED, Actor.ENGINE, "x", LATER)

    whole = sealed(drafted)

    assert sealed(copy) is copy
    assert (whole.trail[0], whole.trail[1].after) == (copy.trail[0], contents.hashed(contents.of_copy(drafted)))
    assert whole.trail[1].digest
    assert replace(whole, trail=()) == replace(drafted, trail=())


@pytest.mark.parametrize(
    ("state", "after"), [(S.DETECTED, S.CLAIMED), (S.CLAIMED, S.CLAIMED), (S.EXECUTING, S.EXECUTING)]
)
def test_a_claim_takes_a_copy_with_a_fence_and_a_lease(state, after):
    copy = a_used_copy(state)

    assert claimed(copy, "w2", SOON) == replace(copy, state=after, claimed_by="w2", fence=5, claimable_at=SOON)


@pytest.mark.parametrize("state", [S.EXECUTED, S.RECONCILED, S.SKIPPED, S.FAILED])
def test_what_is_over_is_not_claimed(state):
    with pytest.raises(ForbiddenTransition):
        claimed(a_used_copy(state), "w2", SOON)


@pytest.mark.parametrize(("decision", "kept"), [(None, DECISION), (OTHER_DECISION, OTHER_DECISION)])
def test_a_copy_that_is_released_is_as_it_was(decision, kept):
    copy = a_used_copy(S.CLAIMED)

    after = released(copy, SOON, LATER, decision)

    assert after == replace(copy, state=S.DETECTED, claimed_by="", claimable_at=SOON, decision=kept)


def test_a_copy_of_a_trade_that_there_is_no_more_is_skipped_by_the_monitor_unless_it_had_an_order():
    copy = replace(a_used_copy(S.DETECTED), intent=None)

    assert voided(copy, "removed", LATER) == replace(
        copy,
        state=S.SKIPPED,
        skip_reason="removed",
        claimable_at=None,
        trail=entry(copy, "monitor", "skipped:removed"),
    )
    assert voided(replace(copy, intent=FINAL), "removed", LATER) is None


def test_only_what_is_claimed_is_released():
    with pytest.raises(ForbiddenTransition):
        released(a_used_copy(S.EXECUTING), SOON, LATER)


def test_a_guard_that_holds_a_copy_back_is_named_once_however_often_it_does():
    copy = a_used_copy(S.CLAIMED)

    first = sealed(released(copy, SOON, LATER, a_refusal()))
    again = released(claimed(first, "w1", SOON), SOON, LATER, a_refusal(account_seq=1))

    assert first.trail[:-1] == copy.trail
    assert (first.trail[-1].actor, first.trail[-1].action) == ("engine", "held_back:spread")
    assert again.trail == first.trail
    assert again.decision == a_refusal(account_seq=1)


def test_what_a_waiting_copy_says_does_not_change_with_the_last_report():
    copy = a_used_copy(S.CLAIMED)

    assert contents.of_copy(replace(copy, decision=a_refusal())) == contents.of_copy(replace(copy, decision=None))
    assert contents.attached(replace(copy, decision=a_refusal())) == {}
    assert contents.attached(replace(copy, state=S.SKIPPED, decision=a_refusal())) == {
        "decision": a_refusal().content()
    }


def test_a_debt_is_parked_in_its_exit():
    copy = a_used_copy(S.CLAIMED)

    assert parked(copy, "exit-1", LATER) == replace(
        copy,
        state=S.DETECTED,
        claimed_by="",
        claimable_at=None,
        exit_id="exit-1",
        trail=entry(copy, "engine", "parked"),
    )


STEP = Step("s1", Place(10, 3), 1, 2)
OWED = Exit(f"main:{LEADER}:{YES}", "main", f"main:{LEADER}", YES, ExitState.OPEN, (STEP,), NOON, version=4)


def test_what_a_debt_owes_is_a_step_of_the_exit_of_its_follow_and_token():
    debt, another = a_used_copy(S.CLAIMED, kind=CopyKind.DEBT), replace(STEP, key="s2", place=Place(11, 0))

    assert owing(debt, None, STEP, LATER) == replace(OWED, opened_at=LATER, version=1)
    assert owing(debt, OWED, another, LATER) == replace(OWED, steps=(STEP, another), version=5)


def test_a_step_that_is_known_moves_an_open_exit_on_and_leaves_one_that_is_over():
    debt, over = a_used_copy(S.CLAIMED, kind=CopyKind.DEBT), replace(OWED, state=ExitState.MET)

    assert owing(debt, OWED, STEP, LATER) == replace(OWED, version=5)
    assert owing(debt, over, STEP, LATER) is over


def test_a_new_step_opens_an_exit_that_is_over():
    debt, another = a_used_copy(S.CLAIMED, kind=CopyKind.DEBT), replace(STEP, key="s2", place=Place(11, 0))

    again = owing(debt, replace(OWED, state=ExitState.MET), another, LATER)

    assert again == replace(OWED, steps=(STEP, another), opened_at=LATER, version=5)


@pytest.mark.parametrize(("decision", "kept"), [(None, DECISION), (OTHER_DECISION, OTHER_DECISION)])
def test_a_copy_is_skipped_with_its_report(decision, kept):
    copy = a_used_copy(S.CLAIMED)

    assert skipped(copy, "credit", decision, LATER) == replace(
        copy,
        state=S.SKIPPED,
        skip_reason="credit",
        decision=kept,
        claimable_at=None,
        trail=entry(copy, "engine", "skipped:credit"),
    )


def test_a_copy_fails_before_any_intent():
    copy = a_used_copy(S.CLAIMED)

    assert refused(copy, "no_market", LATER) == replace(
        copy,
        state=S.FAILED,
        failure="no_market",
        claimable_at=None,
        trail=entry(copy, "engine", "failed:no_market"),
    )


def test_an_intent_begins_and_the_one_before_it_is_kept():
    copy = a_used_copy(S.CLAIMED, intent=FINAL)
    intent = an_intent(IntentState.OPEN, Outcome.OPEN, generation=2, order_hash="0xnext")

    assert begun(copy, intent, OTHER_DECISION, LATER) == replace(
        copy,
        state=S.EXECUTING,
        intent=intent,
        past_intents=(FINAL,),
        decision=OTHER_DECISION,
        failure="",
        trail=entry(copy, "engine", "intent:0xnext"),
    )


def test_a_member_joins_the_order_of_another():
    copy = a_used_copy(S.DETECTED)

    assert joined(copy, "eldest", LATER) == replace(
        copy,
        state=S.EXECUTING,
        member_of="eldest",
        claimed_by="",
        claimable_at=None,
        trail=entry(copy, "engine", "joined:eldest"),
    )


def test_a_signature_changes_nothing_else():
    copy = a_used_copy(S.EXECUTING)

    assert copy.intent
    assert signed(copy, "0xsig") == replace(copy, intent=replace(copy.intent, signature="0xsig"))


def test_an_attempt_is_journaled_after_the_others():
    copy = a_used_copy(S.EXECUTING)
    attempt = Attempt(3, LATER)

    assert copy.intent
    assert journaled(copy, attempt, LATER) == replace(
        copy,
        intent=replace(copy.intent, attempts=(*copy.intent.attempts, attempt)),
        trail=entry(copy, "engine", "attempt:3"),
    )


@pytest.mark.parametrize(("claimable_at", "kept"), [(None, NOON), (SOON, SOON)])
def test_an_outcome_is_recorded_and_the_copy_stays_executing(claimable_at, kept):
    copy = a_used_copy(S.EXECUTING)
    assert copy.intent
    attempt = replace(copy.intent.attempts[1], outcome=Outcome.ACKED)

    assert recorded(copy, attempt, claimable_at, LATER) == replace(
        copy,
        intent=answered(copy, Outcome.UNKNOWN, Outcome.ACKED),
        claimable_at=kept,
        trail=entry(copy, "engine", "outcome:2:acked"),
    )


@pytest.mark.parametrize(("empty", "count"), [(True, 3), (False, 0)])
def test_empty_looks_are_counted_until_there_is_evidence(empty, count):
    copy = a_used_copy(S.EXECUTING)

    assert copy.intent
    assert looked(copy, empty, SOON, LATER) == replace(
        copy, intent=replace(copy.intent, looked_at=LATER, empty_looks=count), claimable_at=SOON
    )


def test_only_an_order_that_may_live_is_looked_up():
    with pytest.raises(ForbiddenTransition):
        looked(a_used_copy(S.FAILED), True, SOON, LATER)


@pytest.mark.parametrize("actor", [Actor.ENGINE, Actor.RECONCILER])
@pytest.mark.parametrize(("before", "since"), [(None, LATER), (NOON, NOON)])
def test_a_match_ends_the_order_and_keeps_when_it_was_first_seen(actor, before, since):
    copy = a_used_copy(S.EXECUTING, executed_at=before)
    assert copy.intent
    attempt = replace(copy.intent.attempts[1], outcome=Outcome.ACKED)

    assert executed(copy, actor, attempt, SUMS, LATER) == replace(
        copy,
        state=S.EXECUTED,
        intent=answered(copy, Outcome.UNKNOWN, Outcome.ACKED, state=IntentState.FINAL),
        filled_micros=9_000_000,
        paid_micros=4_500_000,
        fee_micros=30_000,
        executed_at=since,
        claimable_at=None,
        trail=entry(copy, actor, "executed:9000000"),
    )


def test_what_shares_the_order_of_another_is_executed_without_an_intent():
    copy = a_used_copy(S.EXECUTING, intent=None)

    assert executed(copy, Actor.RECONCILER, None, SUMS, LATER).intent is None


@pytest.mark.parametrize(
    ("final", "state", "watch"), [(True, IntentState.FINAL, None), (False, IntentState.PRESUMED_DEAD, SOON)]
)
@pytest.mark.parametrize(
    ("review", "asked", "kept"), [(False, False, False), (False, True, True), (True, False, True), (True, True, True)]
)
def test_an_order_that_came_to_nothing_is_final_or_watched(final, state, watch, review, asked, kept):
    copy = a_used_copy(S.EXECUTING, needs_review=review)
    assert copy.intent
    attempt = replace(copy.intent.attempts[1], outcome=Outcome.REJECTED)

    assert failed(copy, attempt, "rejected", asked, final, watch, LATER) == replace(
        copy,
        state=S.FAILED,
        intent=answered(copy, Outcome.UNKNOWN, Outcome.REJECTED, state=state, watch_until=watch),
        failure="rejected",
        needs_review=kept,
        claimable_at=None,
        trail=entry(copy, "engine", "failed:rejected"),
    )


def test_a_failed_entry_is_tried_again():
    copy = a_used_copy(S.FAILED, intent=FINAL, retry_count=1)

    assert retried(copy, SOON, LATER) == replace(
        copy,
        state=S.DETECTED,
        claimed_by="",
        claimable_at=SOON,
        retry_count=2,
        last_retry_at=LATER,
        trail=entry(copy, "engine", "retry:2"),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": CopyKind.EXIT},
        {"kind": CopyKind.DEBT},
        {"intent": replace(FINAL, state=IntentState.PRESUMED_DEAD)},
        {"intent": an_intent(IntentState.FINAL, Outcome.UNKNOWN, Outcome.REJECTED)},
        {"filled_micros": 1},
        {"needs_review": True},
    ],
    ids=["an exit", "a debt", "one that may fill", "an attempt without an answer", "a fill", "a review"],
)
def test_nothing_follows_an_order_that(changes):
    copy = a_used_copy(S.FAILED, **{"intent": FINAL} | changes)

    with pytest.raises(ForbiddenTransition) as refusal:
        retried(copy, SOON, LATER)

    assert str(refusal.value) == "the last order of copy copy-1 may be followed by no other"


@pytest.mark.parametrize(
    "act",
    [
        lambda copy: signed(copy, "0xsig"),
        lambda copy: journaled(copy, Attempt(1, NOON), LATER),
        lambda copy: recorded(copy, Attempt(1, NOON), None, LATER),
        lambda copy: looked(copy, True, SOON, LATER),
        lambda copy: failed(copy, None, "x", False, True, None, LATER),
    ],
    ids=["signed", "journaled", "recorded", "looked", "failed"],
)
def test_what_is_about_an_order_needs_one(act):
    with pytest.raises(ValueError, match=r"^copy copy-1 has no intent$"):
        act(a_used_copy(S.EXECUTING, intent=None))
