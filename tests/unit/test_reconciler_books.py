"""The books' arithmetic: average cost and profit add up to the micro, and two sources are compared for what they can show."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.domain.fill import Discrepancy, Fill, Position, TradeStatus
from services.common.domain.market import Side
from services.reconciler import diff, ledger
from tests.builders import ACCOUNT, CONDITION, NOON, TOKEN

SHARE = 1_000_000
EMPTY = Position(ACCOUNT, ACCOUNT, TOKEN, CONDITION, 0, 0, 0, 0, 0, NOON)


def a_fill(side: Side, shares: int, usdc: int, fee: int = 0, number: int = 1) -> Fill:
    return Fill(
        ACCOUNT, f"t{number}", "0xo", "copy", CONDITION, TOKEN, side, shares, usdc, fee, TradeStatus.CONFIRMED, NOON
    )


def booked(*fills: Fill) -> list[ledger.Booked]:
    position, made = EMPTY, []
    for fill in fills:
        made.append(ledger.book(position, fill, "7", NOON))
        position = made[-1].position
    return made


def test_a_buy_costs_what_it_paid_with_its_fee():
    (made,) = booked(a_fill(Side.BUY, 10 * SHARE, 5 * SHARE, 100))

    assert (made.position.shares_micros, made.position.cost_micros, made.position.fees_micros) == (
        10 * SHARE,
        5_000_100,
        100,
    )
    assert (made.line.usdc_micros, made.line.fee_micros, made.line.realized_micros) == (-5 * SHARE, 100, 0)
    assert made.position.average_micros == 500_010


def test_a_sale_takes_its_part_of_the_cost_and_realises_the_rest():
    *_, made = booked(a_fill(Side.BUY, 3 * SHARE, 1_000_000), a_fill(Side.SELL, 1 * SHARE, 900_000, 50))

    assert (made.position.cost_micros, made.line.realized_micros) == (666_667, 900_000 - 50 - 333_333)
    assert (made.held.shares_micros, made.held.cost_micros) == (-SHARE, -333_333)


def test_a_sale_of_more_than_is_held_takes_out_what_there_is():
    *_, made = booked(a_fill(Side.BUY, 2 * SHARE, SHARE), a_fill(Side.SELL, 5 * SHARE, 3 * SHARE))

    assert (made.position.shares_micros, made.position.cost_micros, made.line.shares_micros) == (0, 0, -2 * SHARE)
    assert made.line.realized_micros == 2 * SHARE


def test_a_sale_of_nothing_held_realises_what_it_brought():
    (made,) = booked(a_fill(Side.SELL, 5 * SHARE, 3 * SHARE, 10))

    assert (made.position.shares_micros, made.line.shares_micros, made.line.realized_micros) == (0, 0, 3 * SHARE - 10)


AMOUNT = st.integers(1, 10**12)
FILLS = st.lists(st.tuples(st.sampled_from(Side), AMOUNT, AMOUNT, st.integers(0, 10**6)), max_size=30)


@given(FILLS)
def test_cash_cost_and_profit_add_up_to_the_micro(fills):
    made = booked(*(a_fill(*fill, number=number) for number, fill in enumerate(fills)))
    position = made[-1].position if made else EMPTY

    paid = sum(usdc + fee if side is Side.BUY else fee - usdc for side, _, usdc, fee in fills)
    assert position.cost_micros - position.realized_micros == paid
    assert position.shares_micros == sum(one.line.shares_micros for one in made)
    assert position.realized_micros == sum(one.line.realized_micros for one in made)
    assert position.cost_micros == sum(one.held.cost_micros for one in made)
    assert position.fees_micros == sum(fee for *_, fee in fills)


@given(FILLS)
def test_a_position_is_never_negative_and_costs_nothing_when_nothing_is_held(fills):
    for one in booked(*(a_fill(*fill, number=number) for number, fill in enumerate(fills))):
        assert one.position.shares_micros >= 0
        assert one.position.cost_micros >= 0
        assert one.position.shares_micros or one.position.cost_micros == 0


@given(AMOUNT, AMOUNT, st.lists(st.integers(1, 10**12), max_size=20))
def test_sales_in_any_portions_leave_the_average_within_a_micro_for_each(shares, usdc, portions):
    made = booked(
        a_fill(Side.BUY, shares, usdc), *(a_fill(Side.SELL, part, 1, 0, n) for n, part in enumerate(portions, 2))
    )
    last = made[-1].position

    ideal = usdc * last.shares_micros / shares
    assert last.cost_micros >= ideal - 1
    assert last.cost_micros <= ideal + len(portions) + 1


def test_equal_balances_are_no_discrepancy():
    assert diff.with_chain({"a": 5, "b": 0}, {"a": 5}) == ()
    assert diff.with_data_api({"a": 500_000}, {"a": 500_000}, ()) == ()


@pytest.mark.parametrize(
    ("ours", "theirs"), [(5, 4), (5, 6), (0, 1), (1, 0)], ids=["the chain has less", "more", "one we lack", "none"]
)
def test_the_chain_is_compared_exactly(ours: int, theirs: int):
    assert diff.with_chain({"a": ours, "b": 9}, {"a": theirs, "b": 9}) == (Discrepancy("a", "chain", ours, theirs),)


@pytest.mark.parametrize(
    ("ours", "theirs", "named"),
    [
        (SHARE, 990_000, False),
        (SHARE, 989_999, True),
        (SHARE, 1_010_001, True),
        (100_000, 0, False),
        (100_001, 0, True),
        (0, 10_000, False),
        (0, 10_001, True),
        (200_000, 100_000, True),
    ],
)
def test_the_data_api_is_compared_beyond_what_it_hides_and_rounds(ours: int, theirs: int, named: bool):
    found = diff.with_data_api({"a": ours} if ours else {}, {"a": theirs} if theirs else {}, ())

    assert found == ((Discrepancy("a", "data_api", ours, theirs),) if named else ())


def test_a_position_that_only_the_data_api_knows_is_named_and_what_is_under_way_waits():
    reported = {"unknown": 7 * SHARE, "busy": 3 * SHARE}

    assert diff.with_data_api({}, reported, ["busy"]) == (Discrepancy("unknown", "data_api", 0, 7 * SHARE),)


def test_an_average_is_rounded_to_the_nearest_and_nothing_has_none():
    assert replace(EMPTY, shares_micros=3, cost_micros=2).average_micros == 666_667
    assert EMPTY.average_micros == 0
