"""What an exit does next: what is owed follows from lots and steps alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.domain.copy import Copy
from services.common.domain.exit import Exit, ExitState
from services.common.domain.intent import IntentState, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Market, Side
from services.engine.exits import Due, DueKind, Stock, due, holding_micros, lots, stock
from services.engine.generation import LONGEST_EXIT_PAUSE, exit_pause
from tests.builders_case import (
    NOON,
    SHARE,
    YES,
    a_market,
    an_account,
    an_intent,
    an_open_intent,
    seconds,
)
from tests.exit_builders import ALL, HALF, TENTH, an_attempt, an_entry, an_exit, end, sale, wait


def next_of(
    exit_: Exit,
    entries: list[Copy],
    attempts: list[Copy] | None = None,
    *,
    settled: int | None = 1_000,
    selling: int = 0,
    others: int = 0,
    settling: bool = False,
    market: Market | None = a_market(),  # noqa: B008
) -> Due:
    stocked = Stock(None if settled is None else settled * SHARE, selling * SHARE, others * SHARE, settling)
    return due(exit_, entries, attempts or [], stocked, market, NOON)


@pytest.mark.parametrize(
    ("exit_", "entries", "attempts", "expected"),
    [
        (an_exit(TENTH), [an_entry(10, 100)], [], sale(10)),
        (an_exit(HALF), [an_entry(10, 100), an_entry(30, 100)], [], sale(50)),
        (an_exit(HALF, (40, 1, 4)), [an_entry(10, 100), an_entry(30, 100)], [], sale(62.5 + 25)),
        (an_exit(HALF), [an_entry(10, 100)], [an_attempt(20)], sale(30)),
        (an_exit(HALF), [an_entry(10, 100)], [an_attempt(20, CopyState.EXECUTED)], sale(30)),
        (an_exit((20, 1, 3)), [an_entry(10, 100)], [], sale(33.33)),
        (an_exit(HALF), [an_entry(10, 100)], [an_attempt(50)], end("met", ExitState.MET)),
        (an_exit(HALF), [an_entry(10, 100)], [an_attempt(70)], end("met", ExitState.MET)),
        (an_exit(HALF), [], [], end("nothing_held", ExitState.MET)),
        (an_exit(HALF), [an_entry(30, 100)], [], end("met", ExitState.MET)),
        (an_exit((20, 5, 0)), [an_entry(10, 100)], [], sale(100)),
    ],
    ids=[
        "a tenth of the lot",
        "only lots before the step",
        "two steps",
        "less what is sold",
        "a sale not settled counts",
        "rounded down to hundredths",
        "met",
        "never below zero",
        "nothing held",
        "bought after the step",
        "a balance that is not known is all of it",
    ],
)
def test_what_is_owed_is_sold_once(exit_, entries, attempts, expected):
    assert next_of(exit_, entries, attempts) == expected


@pytest.mark.parametrize("state", [CopyState.DETECTED, CopyState.CLAIMED, CopyState.EXECUTING])
def test_one_attempt_is_open_at_a_time(state):
    assert next_of(an_exit(ALL), [an_entry(10, 100)], [an_attempt(0, state)]) == wait("attempt_open")


@pytest.mark.parametrize("state", [CopyState.SKIPPED, CopyState.FAILED])
def test_what_never_filled_or_never_settled_is_no_lot(state):
    assert lots([an_entry(10, 100, state)]) == ()


def test_what_a_sale_that_was_given_up_may_have_sold_is_not_sold_again_while_it_is_watched():
    lost = an_attempt(0, CopyState.FAILED, Outcome.UNKNOWN, asked=30)
    assert lost.intent is not None
    watched = replace(lost, intent=replace(lost.intent, state=IntentState.PRESUMED_DEAD))
    over = replace(lost, intent=replace(lost.intent, state=IntentState.FINAL))
    settled_long_ago = an_entry(5, 100)

    whole = next_of(an_exit((10, 30, 100)), [settled_long_ago], [watched])
    rest = next_of(an_exit((10, 50, 100)), [settled_long_ago], [watched])
    again = next_of(an_exit((10, 30, 100)), [settled_long_ago], [over])

    assert (whole, rest.shares_micros, again.shares_micros) == (wait("attempt_watched"), 20 * SHARE, 30 * SHARE)


def test_a_sale_that_never_settled_is_owed_again():
    attempts = [an_attempt(0, CopyState.FAILED, Outcome.ACKED), an_attempt(10)]

    assert next_of(an_exit(HALF), [an_entry(10, 100)], attempts) == sale(40)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (CopyState.EXECUTING, "entry_in_flight"),
        (CopyState.DETECTED, "entry_unsent"),
        (CopyState.CLAIMED, "entry_unsent"),
    ],
)
def test_an_exit_waits_for_an_earlier_buy_and_sells_what_it_can_meanwhile(state, reason):
    assert next_of(an_exit(ALL), [an_entry(10, 0, state)]) == wait(reason)
    assert next_of(an_exit(ALL), [an_entry(10, 0, state), an_entry(5, 9)]) == sale(9)
    assert next_of(an_exit(ALL), [an_entry(10, 0, state), an_entry(5, 3)]) == wait(reason)
    assert next_of(an_exit(ALL), [an_entry(30, 0, state)]) == end("nothing_held", ExitState.MET)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"settled": 100}, sale(50)),
        ({"settled": 50, "others": 20}, sale(30)),
        ({"settled": 50, "selling": 44}, sale(6)),
        ({"settled": 50, "others": 20, "selling": 24}, sale(6)),
        ({"settled": 3, "settling": True}, wait("settling")),
        ({"settled": 0, "settling": True}, wait("settling")),
        ({"settled": 20, "others": 20}, end("sold_elsewhere", ExitState.EXTERNAL)),
        ({"settled": 0}, end("sold_elsewhere", ExitState.EXTERNAL)),
        ({"settled": 3}, end("below_minimum", ExitState.DUST)),
        ({"settled": None}, wait("balance_unknown")),
        ({"market": None}, wait("market_unknown")),
        ({"market": a_market(closed=True)}, end("resolved", ExitState.RESOLVED)),
        ({"market": a_market(uma_status="resolved")}, end("resolved", ExitState.RESOLVED)),
    ],
)
def test_an_exit_sells_no_more_than_what_is_settled_and_its_own(facts, expected):
    assert next_of(an_exit(HALF), [an_entry(10, 100)], **facts) == expected


def test_what_is_below_the_minimum_accrues_until_the_next_step():
    entries = [an_entry(10, 40)]

    assert next_of(an_exit(TENTH), entries) == end("below_minimum", ExitState.DUST)
    assert next_of(an_exit(TENTH, (21, 10, 90)), entries) == sale(8)


def test_the_whole_rest_is_tried_however_small():
    assert next_of(an_exit(ALL), [an_entry(10, 3)]) == sale(3)
    assert next_of(an_exit((20, 99, 100)), [an_entry(10, 3)]) == end("below_minimum", ExitState.DUST)


def test_a_rest_that_the_venue_will_not_take_ends_as_dust():
    rejected = an_attempt(0, CopyState.FAILED, Outcome.REJECTED, asked=3)

    assert next_of(an_exit(ALL), [an_entry(10, 3)], [rejected]) == end("dust", ExitState.DUST)


def test_a_rejected_order_of_full_size_is_tried_again():
    rejected = an_attempt(0, CopyState.FAILED, Outcome.REJECTED, asked=30)

    assert next_of(an_exit(ALL), [an_entry(10, 30)], [rejected]).kind is DueKind.SELL


@pytest.mark.parametrize(("failures", "pause"), [(0, 0), (1, 1), (2, 2), (3, 4), (7, 60), (40, 60)])
def test_attempts_in_a_row_that_sell_nothing_rest_ever_longer(failures, pause):
    assert exit_pause(failures) == seconds(pause) <= LONGEST_EXIT_PAUSE


def test_an_exit_rests_after_attempts_that_sold_nothing():
    failed = an_attempt(0, CopyState.FAILED, Outcome.ACKED)
    assert failed.intent
    just = replace(failed, intent=an_intent(IntentState.FINAL, Outcome.ACKED))
    assert just.intent
    just = replace(just, intent=replace(just.intent, attempts=(replace(just.intent.attempts[0], at=NOON),)))

    resting = next_of(an_exit(ALL), [an_entry(10, 30)], [failed, just])

    assert resting == Due(DueKind.WAIT, "resting", until=NOON + seconds(2))
    assert next_of(an_exit(ALL), [an_entry(10, 30)], [just, an_attempt(5)]) == sale(25)


def test_what_a_follow_holds_is_bought_less_sold():
    assert holding_micros([an_entry(10, 30), an_entry(11, 5)], [an_attempt(12)]) == 23 * SHARE
    assert holding_micros([an_entry(10, 30)], [an_attempt(40)]) == 0


def test_stock_counts_sales_of_this_token_and_anything_unsettled_in_it():
    account = an_account(
        open={
            "a": an_open_intent(side=Side.SELL, shares_micros=4 * SHARE, matched=True),
            "b": an_open_intent(),
            "c": an_open_intent(side=Side.SELL, token_id="other"),
        }
    )

    assert stock(account, YES, 50 * SHARE, SHARE) == Stock(50 * SHARE, 4 * SHARE, SHARE, settling=True)
    assert not stock(an_account(), YES, 50 * SHARE, 0).settling


@given(
    bought=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 90)), max_size=5),
    steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 100)), max_size=4, unique_by=lambda step: step[0]),
    portions=st.lists(st.integers(1, 100), max_size=8),
    settled=st.integers(0, 400),
    others=st.integers(0, 30),
)
def test_an_exit_never_sells_more_than_is_owed_settled_or_its_own(bought, steps, portions, settled, others):
    entries = [an_entry(block, shares) for block, shares in bought]
    exit_ = an_exit(*((block, part, 100) for block, part in steps))
    total, attempts, left = sum(shares for _, shares in bought), [], settled

    for portion in portions:
        step = next_of(exit_, entries, attempts, settled=left, others=others)
        if step.kind is not DueKind.SELL:
            break
        assert 0 < step.shares_micros <= max(left - others, 0) * SHARE
        part = step.shares_micros // SHARE * portion // 100
        attempts.append(an_attempt(part))
        left -= part

    sold = sum(attempt.filled_micros for attempt in attempts)
    owed = sum(lot * (1 - _left(block, steps)) for block, lot in bought)
    assert sold <= owed * SHARE + 1
    assert sold <= total * SHARE


def _left(block: int, steps: list[tuple[int, int]]) -> float:
    left = 1.0
    for at, part in steps:
        left *= 1 - part / 100 if block < at else 1
    return left
