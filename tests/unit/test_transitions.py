"""What each transition of the engine does to a copy: what it sets, what it leaves, and the entry that says so."""

from dataclasses import replace

import pytest

from services.common.domain import contents
from services.common.domain.copy import CopyKind
from services.common.domain.exit import Exit, ExitState, Place, Step
from services.common.domain.lifecycle import TERMINAL, TRANSITIONS, Actor, ForbiddenTransition, check
from services.common.domain.trail import TrailEntry
from services.common.domain.transitions import (
    claimed,
    detected,
    moved,
    noted,
    owing,
    parked,
    refused,
    released,
    sealed,
    skipped,
    voided,
)
from tests.builders import a_refusal
from tests.builders_case import LEADER, NOON, YES, a_copy
from tests.transition_world import DECISION, FINAL, LATER, OTHER_DECISION, SOON, S, a_used_copy, entry


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
