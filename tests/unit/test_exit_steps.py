"""What an exit owes follows from its steps, its lots and what its owner keeps; and what each changes of it."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from services.common.domain.exit import (
    Exit,
    ExitState,
    Kept,
    Lot,
    Place,
    Step,
    exit_id,
    forgetting_step,
    owed_micros,
    owed_of,
    own,
    remaining,
    unowned,
    with_kept,
    with_step,
    without_step,
)
from tests.builders_case import NOON, YES, seconds

LATER = NOON + seconds(7)
HALF, THIRD = Step("half", Place(10, 2), 1, 2), Step("third", Place(20, 0), 1, 3)
GONE = replace(HALF, removed=True)


def an_exit(*steps: Step, **changes: Any) -> Exit:
    known = Exit("exit-1", "main", "main:0xa", YES, ExitState.OPEN, steps, NOON, version=4, overdue=True)
    return replace(known, **changes)


def a_lot(block: int, shares: int, order: int = 0) -> Lot:
    return Lot(f"copy-{block}", Place(block, order), shares)


def test_an_exit_is_named_by_follow_and_token():
    assert exit_id("main:0xa", "71") == "main:0xa:71"
    assert unowned("main") == "main:none"


def test_places_are_in_the_order_of_blocks_and_of_logs_in_them():
    assert Place(1, 9) < Place(2, 0)
    assert Place(2, 0) < Place(2, 1)
    assert not Place(2, 1) < Place(2, 1)
    assert not Place(2, 2) < Place(2, 1)
    assert Place(2, 1) < Place(2, 1).after == Place(2, 2)


@pytest.mark.parametrize(
    ("place", "left"),
    [
        (Place(10, 1), Fraction(1, 3)),
        (Place(10, 2), Fraction(2, 3)),
        (Place(19, 9), Fraction(2, 3)),
        (Place(20, 0), Fraction(1)),
    ],
    ids=["before both", "at the first", "before the second", "at the second"],
)
def test_a_step_leaves_of_what_was_bought_before_it_what_the_leader_kept(place, left):
    assert remaining(place, (HALF, THIRD)) == left


@pytest.mark.parametrize(
    ("decrease", "before", "fraction"),
    [
        (1, 3, Fraction(1, 3)),
        (0, 3, Fraction(0)),
        (-1, 3, Fraction(0)),
        (2, 3, Fraction(2, 3)),
        (3, 3, Fraction(1)),
        (4, 3, Fraction(1)),
        (1, 0, Fraction(1)),
        (1, -3, Fraction(1)),
    ],
)
def test_a_step_is_of_the_part_that_the_leader_gave_up_and_never_more_than_all(decrease, before, fraction):
    step = Step("s", Place(1, 0), decrease, before)

    assert step.fraction == fraction
    assert replace(step, removed=True).fraction == 0


def test_a_step_that_was_taken_back_leaves_everything():
    assert remaining(Place(1, 0), (GONE, THIRD)) == Fraction(2, 3)
    assert remaining(Place(1, 0), ()) == 1


def test_what_is_owed_is_rounded_down_for_each_lot():
    third = replace(THIRD, place=Place(20, 0))

    assert owed_micros([a_lot(9, 100), a_lot(11, 101), a_lot(20, 900)], (third,)) == 33 + 33
    assert owed_micros([a_lot(9, 100)], (HALF, third)) == 66


def test_what_was_kept_is_owed_no_more():
    lots = (a_lot(9, 100), a_lot(10, 50), a_lot(10, 30, order=1))
    kept = Kept(Place(10, 1), 0)

    assert own(lots, None) == lots
    assert own(lots, kept) == lots[2:]
    assert owed_of(an_exit(HALF), lots) == 50 + 25 + 15
    assert owed_of(an_exit(HALF, kept=kept), lots) == 15


def test_without_a_follow_what_is_owed_is_what_the_steps_say():
    lots = (a_lot(9, 100),)

    assert owed_of(an_exit(HALF, replace(THIRD, decrease_micros=9), follow_id="main:none"), lots) == 10
    assert owed_of(an_exit(GONE, replace(THIRD, decrease_micros=9), follow_id="main:none"), lots) == 9


def test_a_step_of_an_open_exit_takes_its_place_among_the_others():
    between = Step("between", Place(15, 0), 1, 4)
    known = an_exit(HALF, THIRD)

    assert with_step(known, between, LATER) == replace(known, steps=(HALF, between, THIRD), version=5)


def test_steps_of_one_block_are_in_the_order_of_its_logs():
    first, second = replace(HALF, key="a", place=Place(10, 1)), replace(HALF, key="b", place=Place(10, 3))

    assert with_step(with_step(an_exit(HALF), second, LATER), first, LATER).steps == (first, HALF, second)


def test_a_step_opens_a_closed_exit_again_whose_age_begins_anew():
    known = an_exit(HALF, state=ExitState.DUST)

    assert with_step(known, THIRD, LATER) == replace(
        known, steps=(HALF, THIRD), state=ExitState.OPEN, opened_at=LATER, overdue=False, version=5
    )


@pytest.mark.parametrize(
    ("kept", "step"), [(HALF, HALF), (HALF, GONE), (GONE, GONE)], ids=["known", "known and told as removed", "removed"]
)
def test_a_step_that_is_known_changes_nothing(kept, step):
    known = an_exit(kept, THIRD, state=ExitState.MET)

    assert with_step(known, step, LATER) is known


def test_a_step_that_a_reorg_took_back_may_come_back_elsewhere():
    back = replace(HALF, place=Place(30, 0))
    known = an_exit(GONE, THIRD)

    assert with_step(known, back, LATER) == replace(known, steps=(THIRD, back), version=5)


def test_a_step_is_taken_back_once():
    known = an_exit(HALF, THIRD)

    assert without_step(known, "half") == replace(known, steps=(GONE, THIRD), version=5)
    assert without_step(an_exit(GONE, THIRD), "half") is None
    assert without_step(known, "another") is None


def test_a_step_that_was_taken_back_for_good_is_forgotten_and_no_other():
    known = an_exit(GONE, THIRD)

    assert forgetting_step(known, "half") == replace(known, steps=(THIRD,), version=5)
    assert forgetting_step(an_exit(HALF, THIRD), "half") is None
    assert forgetting_step(known, "another") is None


def test_an_exit_is_over_whose_owner_keeps_what_it_was_about():
    known, kept = an_exit(HALF), Kept(Place(10, 0), 5)

    assert with_kept(known, kept) == replace(known, state=ExitState.KEPT, kept=kept, version=5)
