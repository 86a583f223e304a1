"""When a follow's own rules ask for an exit: at the bound and one step before it, once for what was bought."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.common.domain.account import Limits
from services.common.domain.copy import Copy
from services.common.domain.exit import Cause, Exit, ExitState, Kept, Place, Step
from services.common.domain.follow import FollowState, Leaving, Policy
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Book, Level
from services.engine.marks import mark_micros, reference_micros
from services.engine.own_steps import wanted
from tests.builders import a_follow
from tests.builders_case import NOON, SHARE, YES, a_copy, a_market, a_trade

RULES = Policy(take_profit_bps=2_000, stop_loss_bps=1_000, max_holding_ms=60_000)


def a_lot(block: int = 10, shares: int = 100, price: int = 500_000, **changes: Any) -> Copy:
    """So many shares bought for a leader's trade of that block, at this price in millionths."""
    trade = a_trade(block_number=block, log_index=0)
    bought = {"filled_micros": shares * SHARE, "paid_micros": shares * price, "executed_at": NOON}
    return a_copy(copy_id=f"e{block}", trade=trade, **{"state": CopyState.RECONCILED, **bought, **changes})


def an_exit(*steps: Step, kept: Kept | None = None) -> Exit:
    return Exit("exit", "main", "follow", YES, ExitState.MET, steps, NOON, kept=kept)


def asked(*lots: Copy, mark: int | None = 500_000, at_ms: int = 0, kept: Exit | None = None, **follow: Any):
    rules = a_follow(**{"policy": RULES, **follow})
    return wanted(rules, YES, lots, kept, mark, NOON + timedelta(milliseconds=at_ms))


def cause(step: Step | None) -> Cause | None:
    return step.cause if step else None


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        (500_000, None),
        (599_999, None),
        (600_000, Cause.TAKE_PROFIT),
        (450_001, None),
        (450_000, Cause.STOP_LOSS),
        (None, None),
    ],
)
def test_a_price_asks_at_its_bound_and_never_where_it_is_not_known(mark: int | None, expected: Cause | None):
    assert cause(asked(a_lot(), mark=mark)) == expected


def test_the_bounds_are_of_what_was_paid_with_the_fee_on_average_over_what_is_left():
    lots = [a_lot(10, 100, 400_000), a_lot(20, 100, 600_000, fee_micros=10 * SHARE)]

    assert asked(*lots, mark=659_999) is None
    assert cause(asked(*lots, mark=660_000)) is Cause.TAKE_PROFIT
    # The first is sold: what is left has cost 0.70.
    sold = an_exit(Step("s", Place(15, 0), 1, 1))
    assert cause(asked(*lots, mark=630_000, kept=sold)) is Cause.STOP_LOSS


def test_without_what_was_paid_there_is_no_bound():
    assert asked(a_lot(paid_micros=0), mark=999_000) is None


@pytest.mark.parametrize(("at_ms", "expected"), [(59_999, None), (60_000, Cause.TIME)])
def test_time_asks_at_its_bound_and_needs_no_price(at_ms: int, expected: Cause | None):
    assert cause(asked(a_lot(), mark=None, at_ms=at_ms)) == expected


def test_time_sells_what_is_old_and_leaves_what_is_not():
    lots = [a_lot(10), a_lot(20, executed_at=NOON + timedelta(seconds=30))]

    step = asked(*lots, at_ms=60_000)

    assert step is not None
    assert (step.place, step.decrease_micros, step.fraction) == (Place(10, 1), 100 * SHARE, 1)


def test_a_rule_asks_once_for_what_was_bought_and_again_for_what_is_bought_later():
    first = asked(a_lot(10), mark=600_000)
    assert first is not None
    known = an_exit(first)

    assert asked(a_lot(10), mark=600_000, kept=known) is None
    later = asked(a_lot(10), a_lot(20), mark=600_000, kept=known)
    assert later is not None
    assert later.key != first.key
    assert asked(a_lot(10), mark=700_000) == first


def test_rules_that_are_off_ask_for_nothing():
    assert asked(a_lot(), mark=1, at_ms=10**10, policy=Policy()) is None


@pytest.mark.parametrize("state", [CopyState.DETECTED, CopyState.CLAIMED, CopyState.EXECUTING, CopyState.EXECUTED])
def test_a_follow_that_is_closed_gives_up_what_it_holds_and_what_is_under_way(state: CopyState):
    pending = a_lot(20, state=state, filled_micros=SHARE if state is CopyState.EXECUTED else 0)

    step = asked(a_lot(10), pending, state=FollowState.CLOSING, leaving=Leaving.CLOSE, policy=Policy())

    assert (cause(step), step and step.place) == (Cause.UNFOLLOW, Place(20, 1))


def test_a_follow_that_stays_or_keeps_gives_up_nothing():
    for leaving in (Leaving.STAY, Leaving.KEEP):
        assert asked(a_lot(10), state=FollowState.CLOSING, leaving=leaving, policy=Policy()) is None


def test_what_its_owner_keeps_is_no_longer_the_follows():
    kept = an_exit(kept=Kept(Place(10, 1), 0))

    assert asked(a_lot(10), mark=900_000, kept=kept) is None
    assert cause(asked(a_lot(10), a_lot(20), mark=900_000, kept=kept)) is Cause.TAKE_PROFIT


def a_book(bid: int | None, ask: int | None, *, live: bool = True) -> Book:
    sides = [(Level(price, SHARE),) if price else () for price in (bid, ask)]
    return Book(YES, *sides, NOON, live=live)


@pytest.mark.parametrize(
    ("book", "mark", "reference"),
    [
        (a_book(490_000, 510_000), 500_000, 500_000),
        (a_book(400_000, 500_000), 450_000, 450_000),
        (a_book(399_000, 500_000), None, 399_000),
        (a_book(510_000, 490_000), None, 510_000),
        (a_book(490_000, None), None, 490_000),
        (a_book(None, 490_000), None, None),
        (a_book(490_000, 510_000, live=False), None, 490_000),
        (None, None, None),
    ],
)
def test_a_mark_is_the_mid_of_a_live_and_narrow_book(book: Book | None, mark: int | None, reference: int | None):
    assert (mark_micros(book, a_market(), Limits()), reference_micros(book, a_market(), Limits())) == (mark, reference)


def test_without_its_market_a_book_has_no_mark():
    assert mark_micros(a_book(490_000, 510_000), None, Limits()) is None


def test_a_step_that_was_removed_asks_for_nothing():
    step = Step("s", Place(15, 0), 1, 1)

    assert replace(step, removed=True).fraction == 0
