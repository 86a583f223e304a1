"""What an order did not spend counts against no day; what may have been spent always does."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from services.common.domain.account import Limits
from services.common.domain.exposure import applied
from services.common.domain.lifecycle import CopyState
from services.common.polymarket.environment import PRODUCTION
from services.engine.pipeline import Approved, decide
from services.engine.planner import Planner, unspent
from tests.builders_case import DOLLAR, LEADER, NOON, a_case, an_account
from tests.engine_world import World
from tests.scripted_venue import SHARE
from tests.still_clock import TestClock

ONE_ORDER = 5 * DOLLAR
CAPS = ["max_daily_spend_micros", "max_leader_day_micros"]


@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("how", ["unmatched", "reject", "not_sent"])
async def test_a_second_order_of_a_copy_has_the_day_of_the_first_that_came_to_nothing(cap: str, how: str):
    world = await World(Limits(**{cap: ONE_ORDER})).open()
    world.venue.script = [how] * (3 if how == "not_sent" else 1)
    copy = await world.buys(shares=10)
    world.start()

    await world.run(20)
    world.kill()

    done, account = await world.copy(copy), await world.account()
    assert (done.state, done.filled_micros) == (CopyState.EXECUTED, 10 * SHARE)
    assert {date: day.spent_micros for date, day in account.exposure.days.items()} == {"2026-11-24": ONE_ORDER}


async def test_what_was_given_up_may_have_been_spent_and_counts():
    world = await World(Limits(max_daily_spend_micros=ONE_ORDER)).open()
    world.venue.script = ["lost_before"] * 9
    await world.buys(1)
    world.start()
    await world.run(200)

    second = await world.buys(2)
    await world.run(20)
    world.kill()

    assert (await world.copy(second)).skip_reason == "daily_spend"


def test_an_order_that_ends_after_midnight_gives_back_to_the_day_that_it_was_made_on():
    late = NOON.replace(hour=23, minute=59, second=59)
    case, outcome = a_case(), decide(a_case())
    assert isinstance(outcome, Approved)
    plan = planner().plan(replace(outcome, case=replace(case, now=late)))

    account = replace(case.account, exposure=applied(case.account.exposure, plan.change))
    after = applied(account.exposure, unspent(case.copy, plan.intent))

    assert account.exposure.day(late).spent_micros == plan.intent.usdc_micros > 0
    assert (after.day(late).spent_micros, after.day(late).leaders[LEADER]) == (0, 0)
    assert after.day(late + timedelta(minutes=1)).spent_micros == 0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(100, 400), st.integers(0, 2)), max_size=12),
    st.integers(5, 60),
    st.integers(5, 60),
)
def test_a_days_caps_hold_for_what_is_spent_and_for_nothing_else(orders, most, most_of_leader):
    """Orders of so many shares of the leader's, each after as many of the same copy that came to nothing."""
    limits = {"max_daily_spend_micros": most * DOLLAR, "max_leader_day_micros": most_of_leader * DOLLAR}
    room, account, spent = min(limits.values()), an_account(limits), 0
    for number, (shares, nothings) in enumerate(orders):
        for left in range(nothings, -1, -1):
            trade = {"shares_micros": shares * SHARE, "usdc_micros": shares * DOLLAR // 2}
            # Only the day is asked about: nothing stays in flight.
            account = replace(account, exposure=replace(account.exposure, open={}))
            case = a_case(account=account, trade=trade, copy={"copy_id": f"copy-{number}"})
            assert case.draft is not None
            outcome = decide(case)
            fits = spent + case.draft.usdc_micros <= room
            event(f"fits {fits}, {left} to come to nothing")
            assert isinstance(outcome, Approved) == fits
            if not isinstance(outcome, Approved):
                continue
            plan = planner().plan(outcome)
            account = replace(account, exposure=applied(account.exposure, plan.change))
            assert account.exposure.day(NOON).spent_micros <= room
            if left:
                account = replace(account, exposure=applied(account.exposure, unspent(case.copy, plan.intent)))
            else:
                spent += plan.intent.usdc_micros
            assert account.exposure.day(NOON).spent_micros == account.exposure.day(NOON).leaders[LEADER] == spent


def planner() -> Planner:
    return Planner(PRODUCTION.contract, TestClock(), engine_version="test")
