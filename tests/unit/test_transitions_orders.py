"""What each transition does to a copy that has an order: from its intent to its end, and to the order that may follow."""

from dataclasses import replace

import pytest

from services.common.domain.copy import CopyKind
from services.common.domain.intent import Attempt, IntentState, Outcome
from services.common.domain.lifecycle import Actor, ForbiddenTransition
from services.common.domain.transitions import (
    begun,
    executed,
    failed,
    joined,
    journaled,
    looked,
    recorded,
    retried,
    signed,
)
from tests.builders_case import NOON, an_intent
from tests.transition_world import FINAL, LATER, OTHER_DECISION, SOON, SUMS, S, a_used_copy, answered, entry


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
