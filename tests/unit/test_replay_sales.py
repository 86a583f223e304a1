"""An exit's sale, divided among the leader's sales that it met."""

from hypothesis import given
from hypothesis import strategies as st

from services.cli.replay.sales import Amounts, sold
from services.common.domain.copy import CopyKind
from services.common.domain.market import Side
from tests.builders import NOON, a_copy, a_trade

MEMBER = "attempt"


def a_debt(number, shares_micros, member_of=MEMBER):
    trade = a_trade(number, side=Side.SELL, shares_micros=shares_micros)
    return a_copy(number, kind=CopyKind.DEBT, trade=trade, member_of=member_of)


def an_attempt(filled, paid, fee=0, number=999, **changes):
    changes = {"copy_id": MEMBER, "trade": a_trade(1, side=Side.SELL), **changes}
    return a_copy(
        number, kind=CopyKind.EXIT, filled_micros=filled, paid_micros=paid, fee_micros=fee, now=NOON, **changes
    )


@given(
    st.lists(st.integers(1, 10**12), min_size=1, max_size=8),
    st.integers(1, 10**12),
    st.integers(0, 10**12),
    st.integers(0, 10**9),
)
def test_the_parts_add_up_to_the_sale_to_the_last_millionth(sizes, filled, paid, fee):
    debts = [a_debt(number, size) for number, size in enumerate(sizes, start=1)]

    found = sold([*debts, an_attempt(filled, paid, fee)])

    assert set(found) == {debt.copy_id for debt in debts}
    parts = found.values()
    assert sum(part.shares_micros for part in parts) == filled
    assert sum(part.usdc_micros for part in parts) == paid
    assert sum(part.fee_micros for part in parts) == fee
    assert all(min(part.shares_micros, part.usdc_micros, part.fee_micros) >= 0 for part in parts)


def test_each_gets_as_much_of_it_as_the_leader_sold_of_the_whole():
    found = sold([a_debt(1, 10), a_debt(2, 30), an_attempt(80, 40)])

    assert list(found.values()) == [Amounts(20, 10), Amounts(60, 30)]


def test_an_attempt_that_took_no_debt_with_it_sold_for_the_one_that_it_speaks_for():
    debt = a_debt(1, 10, member_of="an earlier attempt")
    earlier = an_attempt(5, 3, copy_id="an earlier attempt", trade=debt.trade)
    later = an_attempt(2, 1, number=998, trade=debt.trade)

    assert sold([debt, earlier, later]) == {debt.copy_id: Amounts(7, 4)}


def test_an_attempt_that_sold_nothing_gives_nobody_anything():
    assert sold([a_debt(1, 10), an_attempt(0, 0)]) == {}
