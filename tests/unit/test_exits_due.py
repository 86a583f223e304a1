"""What an exit does next, at each bound and one step beyond it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.common.domain.copy import Copy
from services.common.domain.exit import Exit, ExitState, Kept, Place
from services.common.domain.intent import Attempt, IntentState, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Market
from services.engine.exits import Due, DueKind, Stock, due, kept
from tests.builders_case import NOON, SHARE, a_market, an_intent, seconds
from tests.exit_builders import ALL, HALF, an_attempt, an_entry, an_exit, end, sale, wait

HUNDREDTH = 10_000
S = CopyState
PLENTY = Stock(1_000 * SHARE, 0, 0, False)
RESOLVED, EXTERNAL = end("resolved", ExitState.RESOLVED), end("sold_elsewhere", ExitState.EXTERNAL)
DUST, TOO_LITTLE = end("dust", ExitState.DUST), end("below_minimum", ExitState.DUST)
OVER = a_market(closed=True)


def next_of(
    exit_: Exit,
    entries: list[Copy],
    attempts: list[Copy] | None = None,
    stock: Stock = PLENTY,
    market: Market | None = a_market(),  # noqa: B008
) -> Due:
    return due(exit_, entries, attempts or [], stock, market, NOON)


def micro(micros: int, state: CopyState = S.RECONCILED, block: int = 10) -> Copy:
    """A BUY of ours that filled so many micro-shares."""
    return replace(an_entry(block, 0, state), filled_micros=micros)


def stocked(settled: int | None, **changes: Any) -> Stock:
    return replace(Stock(settled, 0, 0, False), **changes)


@pytest.mark.parametrize(
    ("bought", "expected"),
    [(HUNDREDTH - 1, end("met", ExitState.MET)), (HUNDREDTH, sale(0.01))],
    ids=["less than a hundredth", "a hundredth"],
)
def test_less_than_a_hundredth_of_a_share_is_nothing(bought, expected):
    assert next_of(an_exit(ALL), [micro(bought)]) == expected


def test_an_exit_that_is_over_waits_for_its_sales_to_settle_in_a_market_that_is_over_too():
    matched = [an_attempt(50, S.EXECUTED)]

    assert next_of(an_exit(HALF), [an_entry(10, 100)], matched) == wait("settling")
    assert next_of(an_exit(ALL), [an_entry(10, 100)], matched, market=OVER) == wait("settling")
    assert next_of(an_exit(ALL), [an_entry(10, 100)], [an_attempt(50)], market=OVER) == RESOLVED
    assert next_of(an_exit(ALL), [an_entry(10, 100)], matched) == sale(50)
    assert next_of(an_exit(HALF), [an_entry(10, 100)], [an_attempt(50)]) == end("met", ExitState.MET)


@pytest.mark.parametrize("state", [S.DETECTED, S.CLAIMED, S.EXECUTING, S.EXECUTED])
def test_an_exit_whose_owner_keeps_the_rest_waits_for_what_still_moves(state):
    assert kept([an_attempt(0, state)], [an_entry(10, 9)]) == wait("settling")
    assert kept([an_attempt(9)], [an_entry(10, 9, state)]) == wait("settling")


@pytest.mark.parametrize("state", [S.RECONCILED, S.FAILED, S.SKIPPED])
def test_an_exit_whose_owner_keeps_the_rest_ends_once_nothing_moves(state):
    assert kept([an_attempt(0, state)], [an_entry(10, 9, state)]) == end("kept", ExitState.KEPT)
    assert kept([], []) == end("kept", ExitState.KEPT)


KEPT = Kept(Place(15, 0), 0)


@pytest.mark.parametrize(
    ("exit_", "entries", "expected"),
    [
        (replace(an_exit(ALL), kept=KEPT), [an_entry(10, 9)], end("kept", ExitState.KEPT)),
        (replace(an_exit(ALL), kept=KEPT), [an_entry(10, 9), an_entry(30, 9)], end("met", ExitState.MET)),
        (an_exit(ALL), [an_entry(30, 9)], end("met", ExitState.MET)),
        (an_exit(ALL), [], end("nothing_held", ExitState.MET)),
        (replace(an_exit(), follow_id="main:none"), [], end("met", ExitState.MET)),
    ],
    ids=["all was kept", "some is bought since", "bought since the step", "nothing bought", "tokens of no follow"],
)
def test_an_exit_that_owes_nothing_says_why(exit_, entries, expected):
    assert next_of(exit_, entries) == expected


@pytest.mark.parametrize(
    ("stock", "market", "expected"),
    [
        (PLENTY, None, wait("market_unknown")),
        (stocked(None), None, wait("market_unknown")),
        (stocked(None), OVER, RESOLVED),
        (stocked(0, missing_micros=None), OVER, RESOLVED),
        (stocked(None), a_market(), wait("balance_unknown")),
        (stocked(None, missing_micros=None), a_market(), wait("balance_unknown")),
        (stocked(9 * SHARE, missing_micros=None), a_market(), wait("settling")),
        (PLENTY, a_market(closed=True), RESOLVED),
        (PLENTY, a_market(uma_status="resolved"), RESOLVED),
        (PLENTY, a_market(uma_status="proposed"), sale(9)),
    ],
)
def test_a_fact_that_is_not_known_is_waited_for_unless_the_market_is_over(stock, market, expected):
    assert next_of(an_exit(ALL), [an_entry(10, 9)], stock=stock, market=market) == expected


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (0, sale(50)),
        (40, sale(30)),
        (1, sale(49.5)),
        (90, sale(5)),
        (91, TOO_LITTLE),
        (100, EXTERNAL),
        (120, EXTERNAL),
    ],
)
def test_of_lots_that_a_person_has_sold_a_part_of_the_less_is_owed(missing, expected):
    stock = replace(PLENTY, missing_micros=missing * SHARE)

    assert next_of(an_exit(HALF), [an_entry(10, 60), an_entry(11, 40)], stock=stock) == expected


@pytest.mark.parametrize(
    ("missing", "expected"), [(100 * SHARE - 2 * HUNDREDTH, TOO_LITTLE), (100 * SHARE - 2 * HUNDREDTH + 1, EXTERNAL)]
)
def test_less_than_a_hundredth_that_a_person_has_left_is_nothing(missing, expected):
    stock = replace(PLENTY, missing_micros=missing)

    assert next_of(an_exit(HALF), [an_entry(10, 100)], stock=stock) == expected


def test_what_a_person_has_sold_is_missing_before_what_we_have_sold_is_taken_off():
    stock = replace(PLENTY, missing_micros=40 * SHARE)

    assert next_of(an_exit(HALF), [an_entry(10, 100)], [an_attempt(20)], stock) == sale(10)
    assert next_of(an_exit(HALF), [an_entry(10, 100)], [an_attempt(30)], stock) == EXTERNAL


def test_what_no_follow_owns_is_owed_whole_where_some_is_missing_too():
    exit_ = replace(an_exit((20, 9 * SHARE, 1)), follow_id="main:none")

    assert next_of(exit_, [], stock=replace(PLENTY, missing_micros=3)) == sale(9)


def test_where_a_person_sold_it_an_earlier_buy_is_waited_for_all_the_same():
    entries = [an_entry(10, 9), an_entry(11, 0, S.EXECUTING)]

    assert next_of(an_exit(ALL), entries, stock=replace(PLENTY, missing_micros=9 * SHARE)) == wait("entry_in_flight")
    assert next_of(an_exit(ALL), entries[1:]) == wait("entry_in_flight")


@pytest.mark.parametrize(
    ("settled", "expected"),
    [(3 * SHARE, sale(3)), (3 * SHARE - 1, sale(2.99)), (3 * SHARE - HUNDREDTH, sale(2.99)), (2_989_999, TOO_LITTLE)],
)
def test_the_whole_rest_is_tried_where_all_but_a_hundredth_of_it_is_free(settled, expected):
    assert next_of(an_exit(ALL), [an_entry(10, 3)], stock=stocked(settled)) == expected


def test_the_whole_rest_is_not_tried_while_more_may_come():
    entries = [an_entry(10, 3), an_entry(11, 0, S.DETECTED)]

    assert next_of(an_exit(ALL), entries) == wait("entry_unsent")
    assert next_of(an_exit(ALL), [an_entry(10, 3), an_entry(30, 3)]) == TOO_LITTLE


@pytest.mark.parametrize(
    ("bought", "settled", "settling", "expected"),
    [
        (10, 5_000_000, False, sale(5)),
        (10, 4_999_999, False, TOO_LITTLE),
        (10, 4_989_999, True, wait("settling")),
        (6, 2_990_000, True, TOO_LITTLE),
        (6, 2_989_999, True, wait("settling")),
        (10, 9_999, False, EXTERNAL),
        (10, 10_000, False, TOO_LITTLE),
        (10, 0, False, EXTERNAL),
        (9, 0, False, TOO_LITTLE),
    ],
    ids=[
        "an order",
        "no order",
        "no order yet",
        "all but a hundredth is there",
        "more is coming",
        "next to nothing is left",
        "something is left",
        "nothing is left",
        "nothing is left of what was no order",
    ],
)
def test_half_of_a_lot_is_sold_where_what_is_free_is_an_order(bought, settled, settling, expected):
    stock = stocked(settled, settling=settling)

    assert next_of(an_exit(HALF), [an_entry(10, bought)], stock=stock) == expected


@pytest.mark.parametrize(
    ("asked", "bought", "expected"), [(3, 3, DUST), (3, 4, sale(4)), (5, 5, sale(5)), (4.99, 4.99, DUST)]
)
def test_a_rest_below_the_minimum_is_dust_once_the_venue_has_rejected_it(asked, bought, expected):
    rejected = an_attempt(0, S.FAILED, Outcome.REJECTED, asked=asked)

    assert next_of(an_exit(ALL), [micro(round(bought * SHARE))], [rejected]) == expected


@pytest.mark.parametrize(
    "last",
    [
        an_attempt(0, S.FAILED, Outcome.ACKED, asked=3),
        an_attempt(0, S.FAILED, Outcome.REJECTED, Outcome.ACKED, asked=3),
        an_attempt(0, S.SKIPPED, Outcome.REJECTED, asked=3),
        replace(an_attempt(0, S.FAILED), intent=None),
    ],
    ids=["not rejected", "not always rejected", "not failed", "never sent"],
)
def test_a_rest_that_was_not_rejected_is_tried_again(last):
    assert next_of(an_exit(ALL), [an_entry(10, 3)], [last]) == sale(3)


def test_the_last_attempt_says_whether_the_rest_is_dust():
    rejected = an_attempt(0, S.FAILED, Outcome.REJECTED, asked=3)
    sold = an_attempt(1)

    assert next_of(an_exit(ALL), [an_entry(10, 4)], [sold, rejected]) == DUST
    assert next_of(an_exit(ALL), [an_entry(10, 4)], [rejected, sold]) == sale(3)


def a_failure(at, state: CopyState = S.FAILED) -> Copy:
    """An attempt that sold nothing, last sent at this time."""
    intent = an_intent(
        IntentState.FINAL, attempts=(Attempt(1, at - seconds(9), Outcome.UNKNOWN), Attempt(2, at, Outcome.ACKED))
    )
    return replace(an_attempt(0, state), intent=intent)


@pytest.mark.parametrize(
    ("attempts", "rests_until"),
    [
        ([a_failure(NOON - seconds(1))], None),
        ([a_failure(NOON - timedelta(microseconds=999_999))], NOON + timedelta(microseconds=1)),
        ([a_failure(NOON - seconds(9)), a_failure(NOON - seconds(1))], NOON + seconds(1)),
        ([a_failure(NOON), an_attempt(5)], None),
        ([an_attempt(5), a_failure(NOON)], NOON + seconds(1)),
        ([a_failure(NOON), a_failure(NOON), an_attempt(5), a_failure(NOON)], NOON + seconds(1)),
        ([a_failure(NOON, S.RECONCILED)], NOON + seconds(1)),
        ([a_failure(NOON), replace(a_failure(NOON), intent=None)], None),
        ([], None),
    ],
    ids=[
        "a second ago",
        "not quite a second ago",
        "the second in a row",
        "sold since",
        "the first since a sale",
        "only those since the last sale count",
        "settled with nothing sold",
        "never sent",
        "the first",
    ],
)
def test_an_exit_rests_after_each_attempt_that_sold_nothing(attempts, rests_until):
    step = next_of(an_exit(ALL), [an_entry(10, 30)], attempts)

    if rests_until is None:
        assert step.kind is DueKind.SELL
    else:
        assert step == Due(DueKind.WAIT, "resting", until=rests_until)


def a_watched(until, block: int = 10, **changes: Any) -> Copy:
    """A BUY that was given up and is watched."""
    intent = an_intent(IntentState.PRESUMED_DEAD, Outcome.UNKNOWN, watch_until=until)
    return replace(an_entry(block, 0, S.FAILED), **{"intent": intent} | changes)


SOON = NOON + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([an_entry(10, 0, S.EXECUTING), an_entry(11, 0, S.DETECTED), a_watched(SOON)], "entry_in_flight"),
        ([an_entry(11, 0, S.DETECTED), a_watched(SOON)], "entry_unsent"),
        ([an_entry(11, 0, S.CLAIMED), a_watched(SOON)], "entry_unsent"),
        ([a_watched(SOON)], "entry_watched"),
        ([a_watched(SOON, 19)], "entry_watched"),
        ([a_watched(SOON, 20)], ""),
        ([a_watched(NOON)], ""),
        ([a_watched(None)], ""),
        ([a_watched(SOON, intent=None)], ""),
        ([a_watched(SOON, intent=an_intent(IntentState.FINAL, watch_until=SOON))], ""),
        ([a_watched(SOON, state=S.SKIPPED)], ""),
        ([an_entry(20, 0, S.EXECUTING)], ""),
        ([an_entry(10, 0, S.FAILED)], ""),
    ],
)
def test_an_exit_that_owes_nothing_yet_waits_for_an_earlier_buy_that_may_fill(entries, reason):
    expected = wait(reason) if reason else end("nothing_held", ExitState.MET)

    assert next_of(an_exit(ALL), entries) == expected


def test_a_step_that_was_taken_back_waits_for_nobody():
    exit_ = an_exit(ALL)
    gone = replace(exit_, steps=(replace(exit_.steps[0], removed=True),))

    assert next_of(gone, [an_entry(10, 0, S.EXECUTING)]) == end("nothing_held", ExitState.MET)


def test_a_buy_that_its_owner_keeps_is_not_waited_for():
    exit_ = replace(an_exit(ALL), kept=Kept(Place(15, 0), 0))

    assert next_of(exit_, [an_entry(14, 0, S.EXECUTING)]) == end("kept", ExitState.KEPT)
    assert next_of(exit_, [an_entry(15, 0, S.EXECUTING)]) == wait("entry_in_flight")


def test_a_sale_that_was_given_up_is_waited_for_before_an_earlier_buy():
    watched = replace(
        an_attempt(0, S.FAILED), intent=an_intent(IntentState.PRESUMED_DEAD, Outcome.UNKNOWN, shares_micros=9 * SHARE)
    )
    entries = [an_entry(10, 9), an_entry(11, 0, S.EXECUTING)]

    assert next_of(an_exit(ALL), entries, [watched]) == wait("attempt_watched")


def test_what_was_sold_of_what_its_owner_keeps_is_not_sold_of_the_rest():
    exit_ = replace(an_exit(ALL), kept=Kept(Place(15, 0), 5 * SHARE))

    assert next_of(exit_, [an_entry(10, 9), an_entry(16, 20)], [an_attempt(8)]) == sale(17)


def test_the_leader_kept_something_of_a_lot_where_any_step_left_some():
    kept_lot = Kept(Place(15, 0), 0)

    assert next_of(an_exit(HALF), [an_entry(10, 6)]) == TOO_LITTLE
    assert next_of(an_exit(ALL, (30, 1, 2)), [an_entry(10, 3), an_entry(25, 3)]) == TOO_LITTLE
    assert next_of(replace(an_exit(ALL), kept=kept_lot), [an_entry(10, 3), an_entry(16, 3)]) == sale(3)
