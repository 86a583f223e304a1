"""How a copy ends: by the reconciler, by the order that it shares, by its exit; and for whom it waits until then."""

from dataclasses import replace

import pytest

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.intent import IntentState, Outcome
from services.common.domain.lifecycle import Actor, ForbiddenTransition
from services.common.domain.transitions import (
    CLOSED_FROM,
    FATES,
    SALES,
    acknowledged,
    blocks,
    closed,
    followed,
    forgotten,
    settled,
)
from tests.builders_case import NOON, a_copy, a_trade, an_intent
from tests.transition_world import DECISION, FINAL, LATER, SUMS, S, a_used_copy, entry


@pytest.mark.parametrize(
    ("origin", "state", "failure", "reconciled_at", "final"),
    [
        (S.EXECUTED, S.RECONCILED, "venue_error", LATER, True),
        (S.EXECUTED, S.FAILED, "settlement_failed", None, True),
        (S.FAILED, S.EXECUTED, "", None, False),
        (S.RECONCILED, S.EXECUTED, "", NOON, False),
    ],
    ids=["settled", "settlement failed", "filled after all", "taken back by a reorg"],
)
@pytest.mark.parametrize(("review", "asked", "kept"), [(False, False, False), (False, True, True), (True, False, True)])
@pytest.mark.parametrize(("before", "since"), [(None, LATER), (NOON, NOON)])
def test_the_reconciler_says_how_a_copy_ended_or_that_it_lives(
    origin, state, failure, reconciled_at, final, review, asked, kept, before, since
):
    watched = an_intent(IntentState.PRESUMED_DEAD, Outcome.UNKNOWN)
    earlier = NOON if origin is S.RECONCILED else None
    copy = a_used_copy(origin, intent=watched, needs_review=review, executed_at=before, reconciled_at=earlier)

    assert settled(copy, state, SUMS, asked, LATER) == replace(
        copy,
        state=state,
        fence=5,
        intent=replace(watched, state=IntentState.FINAL) if final else watched,
        filled_micros=9_000_000,
        paid_micros=4_500_000,
        fee_micros=30_000,
        failure=failure,
        needs_review=kept,
        executed_at=since,
        reconciled_at=reconciled_at,
        claimable_at=None,
        trail=entry(copy, "reconciler", f"{state}:9000000"),
    )


def test_what_shares_the_order_of_another_is_settled_without_an_intent():
    assert settled(a_used_copy(S.EXECUTED, intent=None), S.RECONCILED, SUMS, False, LATER).intent is None


def test_a_watch_that_ends_without_a_fill_ends_the_order():
    watched = an_intent(IntentState.PRESUMED_DEAD, Outcome.UNKNOWN)
    copy = a_used_copy(S.FAILED, intent=watched)
    fenced = replace(copy, fence=5)

    assert forgotten(copy, LATER) == replace(
        fenced,
        intent=replace(watched, state=IntentState.FINAL),
        trail=entry(fenced, "reconciler", "watch_over"),
    )


@pytest.mark.parametrize(
    ("state", "intent"),
    [(S.FAILED, IntentState.FINAL), (S.FAILED, IntentState.OPEN), (S.EXECUTED, IntentState.PRESUMED_DEAD)],
)
def test_what_is_not_watched_is_not_forgotten(state, intent):
    with pytest.raises(ForbiddenTransition) as refusal:
        forgotten(a_used_copy(state, intent=an_intent(intent, Outcome.UNKNOWN)), LATER)

    assert str(refusal.value) == "copy copy-1 is not watched"


def test_fates_are_shared_by_entries_and_sales_by_debts():
    sold = {
        (S.EXECUTING, S.EXECUTED): (S.EXECUTED, Actor.ENGINE),
        (S.EXECUTED, S.RECONCILED): (S.RECONCILED, Actor.RECONCILER),
    }
    ended = {
        (S.EXECUTING, S.FAILED): (S.FAILED, Actor.ENGINE),
        (S.EXECUTING, S.SKIPPED): (S.FAILED, Actor.ENGINE),
        (S.EXECUTED, S.FAILED): (S.FAILED, Actor.RECONCILER),
    }
    back = {(state, S.EXECUTED): (S.EXECUTED, Actor.RECONCILER) for state in (S.FAILED, S.RECONCILED)}

    assert sold == SALES
    assert sold | ended | back == FATES


KINDS = [CopyKind.ENTRY, CopyKind.DEBT]
PATHS = {CopyKind.ENTRY: FATES, CopyKind.DEBT: SALES}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mine", S)
@pytest.mark.parametrize("leaders", S)
def test_a_member_shares_the_fate_of_its_eldest_and_a_debt_that_of_a_sale(kind, mine, leaders):
    member = a_used_copy(mine, kind=kind, executed_at=None)
    leader = a_used_copy(leaders, skip_reason="", failure="rejected")

    after = followed(member, leader, LATER)

    if (mine, leaders) not in PATHS[kind]:
        assert after is None
        return
    state, actor = PATHS[kind][(mine, leaders)]
    said = {
        S.FAILED: {"failure": "rejected"},
        S.EXECUTED: {"executed_at": LATER, "failure": ""},
        S.RECONCILED: {"reconciled_at": LATER},
    }[state]
    assert after == replace(member, state=state, trail=entry(member, actor, f"followed:{leaders}"), **said)


def test_a_member_fails_for_what_its_eldest_was_skipped_for():
    after = followed(a_used_copy(S.EXECUTING), a_used_copy(S.SKIPPED, skip_reason="credit", failure="x"), LATER)

    assert after
    assert after.failure == "credit"


def test_a_member_that_matched_before_keeps_when():
    after = followed(a_used_copy(S.FAILED, executed_at=NOON), a_used_copy(S.EXECUTED), LATER)

    assert after
    assert after.executed_at == NOON


@pytest.mark.parametrize("state", [S.EXECUTING, S.EXECUTED, S.RECONCILED, S.SKIPPED, S.FAILED])
def test_a_review_is_over_when_somebody_has_looked(state):
    copy = a_used_copy(state, needs_review=True)

    assert acknowledged(copy, "ops", "seen", LATER) == replace(
        copy, needs_review=False, trail=entry(copy, "ops", "reviewed:seen")
    )
    assert acknowledged(replace(copy, needs_review=False), "ops", "seen", LATER) is None


@pytest.mark.parametrize("state", [S.DETECTED, S.CLAIMED])
def test_what_may_still_be_claimed_keeps_its_review(state):
    assert acknowledged(a_used_copy(state, needs_review=True), "ops", "seen", LATER) is None


@pytest.mark.parametrize(
    ("origin", "state", "said"),
    [
        (S.DETECTED, S.SKIPPED, {"skip_reason": "kept", "claimable_at": None}),
        (S.EXECUTED, S.RECONCILED, {"reconciled_at": LATER}),
        (S.EXECUTING, S.FAILED, {"failure": "kept", "claimable_at": None}),
        (S.EXECUTED, S.FAILED, {"failure": "kept", "claimable_at": None}),
    ],
)
def test_a_debt_ends_with_its_exit(origin, state, said):
    debt = a_used_copy(origin, kind=CopyKind.DEBT)

    assert origin in CLOSED_FROM[state]
    assert closed(debt, state, "kept", LATER) == replace(
        debt, state=state, trail=entry(debt, "engine", f"{state}:kept"), **said
    )


def test_debts_end_from_where_the_page_says():
    assert {
        S.SKIPPED: {S.DETECTED},
        S.RECONCILED: {S.EXECUTED},
        S.FAILED: {S.EXECUTING, S.EXECUTED},
    } == CLOSED_FROM


@pytest.mark.parametrize(
    ("kind", "state"), [(CopyKind.ENTRY, S.SKIPPED), (CopyKind.EXIT, S.FAILED), (CopyKind.DEBT, S.EXECUTED)]
)
def test_nothing_but_a_debt_ends_with_an_exit(kind, state):
    with pytest.raises(ForbiddenTransition) as refusal:
        closed(a_used_copy(S.DETECTED, kind=kind), state, "kept", LATER)

    assert str(refusal.value) == f"a copy of kind {kind} does not end as {state} with an exit"


def earlier(**changes: object) -> Copy:
    """An unsent entry in the same token, a log before that of `a_copy`."""
    trade = {"block_number": 10, "log_index": 2} | changes.pop("trade", {})
    return a_copy(
        **{"copy_id": "copy-0", "state": S.DETECTED, "claimable_at": NOON, "trade": a_trade(**trade)} | changes
    )


@pytest.mark.parametrize(
    ("other", "waits"),
    [
        (earlier(), True),
        (earlier(state=S.CLAIMED), True),
        (earlier(trade={"block_number": 9, "log_index": 4}), True),
        (earlier(trade={"log_index": 3}), False),
        (earlier(trade={"block_number": 11, "log_index": 0}), False),
        (earlier(state=S.EXECUTING), False),
        (earlier(state=S.SKIPPED), False),
        (earlier(claimable_at=None), False),
        (earlier(intent=FINAL), False),
        (earlier(account_id="second"), False),
        (earlier(trade={"token_id": "99"}), False),
        (earlier(copy_id="copy-1"), False),
        (earlier(kind=CopyKind.DEBT, decision=DECISION), True),
        (earlier(kind=CopyKind.EXIT), True),
        (earlier(kind=CopyKind.EXIT, decision=DECISION), False),
        (earlier(decision=DECISION), True),
    ],
    ids=[
        "the log before",
        "claimed",
        "the block before",
        "the same log",
        "a later block",
        "sent",
        "skipped",
        "parked",
        "tried again",
        "another account",
        "another token",
        "itself",
        "a debt",
        "an exit",
        "an exit that a guard put back",
        "an entry that a guard put back",
    ],
)
def test_an_entry_waits_for_what_is_before_it_and_undecided(other, waits):
    assert blocks(other, a_copy()) is waits


def test_an_exit_waits_for_nobody():
    assert not blocks(earlier(), a_copy(kind=CopyKind.EXIT))
    assert not blocks(earlier(), a_copy(kind=CopyKind.DEBT))


def test_nobody_waits_for_a_leader_who_is_barred():
    other = earlier()

    assert not blocks(other, a_copy(), (other.trade.leader,))
    assert blocks(other, a_copy(), ("0xanother",))
