"""Trades that one order copies: which belong together, what they are as one, and what of the order is each one's."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.domain.copy import AT_ONCE
from services.common.domain.exit import Place, Step
from services.common.domain.follow import Grouping, Policy, SizingMode, Tier
from services.common.domain.grouping import group_of, together
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.domain.verdict import Decision
from services.engine import grouping
from services.engine.decision_record import kept
from services.engine.guards import GUARDS
from services.engine.pipeline import Approved, decide
from services.monitor import detect
from tests.builders import NOON, a_copy, a_follow, an_intent
from tests.builders import a_trade as a_fill
from tests.builders_case import DOLLAR, SHARE, a_case, a_trade, seconds

MS = timedelta(milliseconds=1)
BY_TOKEN = Policy(grouping=Grouping.TOKEN, group_window_ms=5_000)
BY_ORDER = Policy(grouping=Grouping.ORDER, group_window_ms=5_000)


def keys(policy: Policy, *fills, at=NOON) -> list[str]:
    found = [group_of(fill, a_follow(policy=policy), at) for fill in fills]
    return ["" if one is None else one.key for one in found]


def test_fills_of_one_order_belong_together_and_so_do_purchases_of_one_token():
    one, same_order, other = a_fill(1), replace(a_fill(2), order_hash=a_fill(1).order_hash), a_fill(3)
    elsewhere = a_fill(4, token_id="9")

    assert len(set(keys(BY_ORDER, one, same_order, other, elsewhere))) == 3
    assert len(set(keys(BY_TOKEN, one, same_order, other, elsewhere))) == 2


@pytest.mark.parametrize(
    ("policy", "changes"),
    [(Policy(), {}), (BY_TOKEN, {"side": Side.SELL}), (replace(BY_TOKEN, group_window_ms=0), {})],
    ids=["no grouping", "a sale", "no window"],
)
def test_some_trades_stand_alone(policy, changes):
    assert group_of(a_fill(1, **changes), a_follow(policy=policy), NOON) is None


def test_trades_are_waited_for_until_their_window_ends():
    follow, fill = a_follow(policy=BY_TOKEN), a_fill(1)
    first, last, next_one = (
        group_of(fill, follow, NOON + after) for after in (seconds(0), seconds(5) - MS, seconds(5))
    )

    assert first == last
    assert first
    assert next_one
    assert (first.ends_at, next_one.ends_at) == (NOON + seconds(5), NOON + seconds(10))
    assert first.key != next_one.key
    (copy,) = detect.copies(fill, [follow], None, NOON + seconds(2))
    assert (copy.claimable_at, copy.group_key) == (NOON + seconds(5), first.key)
    (alone,) = detect.copies(fill, [a_follow()], None, NOON)
    assert (alone.claimable_at, alone.group_key) == (AT_ONCE, "")


def test_trades_of_two_follows_never_belong_together():
    other = a_follow("0x" + "b" * 40, policy=BY_TOKEN)

    assert group_of(a_fill(1), other, NOON) != group_of(a_fill(1), a_follow(policy=BY_TOKEN), NOON)


def test_trades_are_one_at_their_average_price_as_old_as_the_oldest():
    others = (
        a_trade(
            shares_micros=300 * SHARE, usdc_micros=90 * DOLLAR, traded_at=NOON - seconds(9), counterparties=("0x1",)
        ),
        a_trade(shares_micros=100 * SHARE, usdc_micros=60 * DOLLAR, counterparties=("0x1", "0x2")),
    )

    one = together(a_trade(counterparties=()), others)

    assert (one.shares_micros, one.usdc_micros, one.price_micros) == (500 * SHARE, 200 * DOLLAR, 400_000)
    assert one.traded_at == NOON - seconds(9)
    assert one.counterparties == ("0x1", "0x2")
    assert together(a_trade(), ()) == a_trade()


def test_whom_one_of_them_met_is_not_known_where_it_is_not_known_of_one():
    assert together(a_trade(), (a_trade(counterparties=None),)).counterparties is None


def grouped(*members, **changes):
    return a_case(members=members, **changes)


def test_a_trade_too_small_for_an_order_is_copied_with_others_and_each_counts_once():
    small = {"shares_micros": 18 * SHARE, "usdc_micros": 9 * DOLLAR}
    other = a_trade(**small)

    alone = decide(a_case(trade=small))
    both = decide(grouped(other, *[other] * 3, trade=small, policy={"max_trade_micros": 250 * DOLLAR}))

    assert not isinstance(alone, Approved)
    assert isinstance(both, Approved)
    # A tenth of five trades of nine dollars, and not a cent of any of them twice.
    assert both.draft.usdc_micros == 5 * 900_000


@pytest.mark.parametrize(
    ("policy", "dollars"),
    [
        ({"mode": SizingMode.FIXED, "fixed_micros": 7 * DOLLAR}, 7),
        ({"mode": SizingMode.TIERED, "tiers": (Tier(0, 100), Tier(100 * DOLLAR, 1_000))}, 10),
        ({"ratio_bps": 1_000, "max_trade_micros": 5_200_000}, 5.2),
    ],
    ids=["fixed, once", "the tier of the sum", "the cap of one copy"],
)
def test_a_group_is_sized_as_one_trade(policy, dollars):
    outcome = decide(grouped(a_trade(), policy=policy))

    assert isinstance(outcome, Approved)
    assert outcome.draft.usdc_micros == dollars * DOLLAR


def test_a_group_is_as_old_as_its_eldest_and_is_judged_so():
    refused = decide(grouped(a_trade(traded_at=NOON - seconds(31))))

    assert [verdict.guard for verdict in refused.decision.refusals] == ["trade_time"]


def test_each_trade_of_a_group_shrinks_by_the_steps_after_it():
    before, after = a_trade(block_number=8), a_trade(block_number=30, usdc_micros=150 * DOLLAR)
    half = Step("s", Place(20, 0), 1, 2)

    assert grouped(before, after, steps=(half,)).left == Fraction(25 + 25 + 150, 250)
    assert grouped(before, steps=None).left == 1
    assert grouping.left((), ()) == 1
    assert grouping.left((a_trade(usdc_micros=0),), (half,)) == Fraction(1, 2)


def executed(case, filled):
    """A copy that was decided as this case, and bought so many shares."""
    decision = Decision(NOON, 1, (), kept(case))
    return replace(
        a_copy(1, state=CopyState.EXECUTED),
        trade=case.copy.trade,
        decision=decision,
        intent=an_intent(),
        filled_micros=filled,
    )


def test_what_an_order_bought_is_shared_out_by_what_was_asked_for_each():
    other = a_trade(block_number=30, log_index=7, usdc_micros=150 * DOLLAR)

    parts = list(grouping.shares([executed(grouped(other), 10 * SHARE)]))

    assert [(one.filled_micros, grouping.place(one.trade)) for one in parts] == [
        (2_500_000, Place(10, 3)),
        (7_500_000, Place(30, 7)),
    ]


def test_what_a_step_took_before_the_order_was_made_is_not_bought_for_that_trade():
    other = a_trade(block_number=30)
    all_of_it = Step("s", Place(20, 0), 1, 1)

    parts = grouping.shares([executed(grouped(other, steps=(all_of_it,)), 10 * SHARE)])

    assert [one.filled_micros for one in parts] == [0, 10 * SHARE]


def test_an_order_for_one_trade_or_none_is_left_as_it_is():
    alone = executed(a_case(), 10 * SHARE)
    waiting = a_copy(2)

    assert list(grouping.shares([alone, waiting])) == [alone, waiting]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6), st.integers(0, 10**9))
def test_the_parts_of_an_order_are_all_of_it(amounts, filled):
    members = tuple(a_trade(block_number=20 + n, usdc_micros=amount) for n, amount in enumerate(amounts))

    parts = [one.filled_micros for one in grouping.shares([executed(grouped(*members), filled)])]

    assert sum(parts) == filled
    assert min(parts) >= 0


def test_every_guard_is_asked_of_a_group_and_its_decision_is_the_same_again():
    from services.engine.decision_record import read_case

    outcome = decide(grouped(a_trade(block_number=30)))

    assert len(outcome.decision.verdicts) == len(GUARDS)
    assert decide(read_case(outcome.decision.case)).decision.verdicts == outcome.decision.verdicts
