"""What an event can cost: the worst of its ends, whatever of our orders fills; held to every way it can end, tried one by one."""

from collections.abc import Iterator, Mapping
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.domain.account import Holding, OpenIntent
from services.common.domain.market import Market, Side
from services.engine.case import Case, Draft
from services.engine.resolution import event_micros
from tests.builders_case import (
    CONDITION,
    DOLLAR,
    EVENT,
    NO,
    SHARE,
    YES,
    a_case,
    a_holding,
    a_market,
    an_account,
    an_open_intent,
)

NEG_RISK = a_market(neg_risk=True)
PLACES = {YES: 0, NO: 1, "81": 0, "82": 1, "91": 0, "92": 1}
MARKETS = {YES: CONDITION, NO: CONDITION, "81": "0xd", "82": "0xd", "91": "0xe", "92": "0xe"}
NOTHING = Draft(Side.BUY, YES, 0, 500_000, 0, 0)


def five_dollars(token: str = YES) -> Draft:
    """Ten shares at 50 cents, free of fees."""
    return Draft(Side.BUY, token, 10 * SHARE, 500_000, 5 * DOLLAR, 0)


def ten_at_fifty(token: str, **changes: object) -> Holding:
    return a_holding(token_id=token, condition_id=MARKETS[token], **changes)


def cost(market: Market, draft: Draft, *held: Holding, known: Mapping[str, int] = PLACES, **opened: OpenIntent) -> int:
    account = an_account(held={one.token_id: one for one in held}, open=opened)
    return event_micros(a_case(account=account, outcomes=known), market, draft)


@pytest.mark.parametrize(
    ("held", "dollars"),
    [
        ([], 5),
        ([ten_at_fifty(YES)], 10),
        ([ten_at_fifty(NO)], 5),
        ([ten_at_fifty(NO, shares_micros=4 * SHARE)], 6),
        ([ten_at_fifty("81")], 10),
        ([ten_at_fifty("81"), ten_at_fifty("82")], 5),
        ([ten_at_fifty("81"), ten_at_fifty("82", shares_micros=8 * SHARE)], 7),
        ([ten_at_fifty("81", event_id="else")], 5),
    ],
    ids=[
        "alone",
        "the same token",
        "the complement, which pays where this one does not",
        "part of the complement",
        "another market of the event",
        "both outcomes of another market pay a dollar a pair",
        "some pairs",
        "another event",
    ],
)
def test_markets_of_an_event_add_up_each_at_its_worst(held, dollars):
    assert cost(a_market(), five_dollars(), *held) == dollars * DOLLAR


def test_a_market_without_an_event_is_its_own():
    alone = a_market(event_id="")
    strange = a_holding(token_id="81", condition_id="0xd", event_id="")

    assert cost(alone, five_dollars(), strange) == 5 * DOLLAR
    assert cost(alone, five_dollars(), a_holding(event_id="")) == 10 * DOLLAR


@pytest.mark.parametrize(
    ("held", "draft", "dollars"),
    [
        (["81"], YES, 10),
        (["82"], YES, 10),
        (["82"], NO, 5),
        (["81", "91"], YES, 15),
        (["82", "92"], NO, 0),
        (["82", "92"], YES, 5),
    ],
    ids=[
        "two that may both lose",
        "the other may be the one that comes true",
        "NO of one pays where the other comes true",
        "three that may all lose",
        "three NOs lose one at most, and the others pay for it",
        "two NOs and a YES lose two at most, and one pays",
    ],
)
def test_one_market_of_a_neg_risk_event_comes_true_at_most(held, draft, dollars):
    assert cost(NEG_RISK, five_dollars(draft), *map(ten_at_fifty, held)) == dollars * DOLLAR


def test_a_token_of_unknown_place_is_taken_to_pay_nothing():
    assert cost(NEG_RISK, five_dollars(), ten_at_fifty("82"), known={}) == 10 * DOLLAR


def test_a_gain_that_is_certain_pays_for_nothing_else():
    pairs = [ten_at_fifty("81", cost_micros=1), ten_at_fifty("82", cost_micros=1)]

    assert cost(a_market(), five_dollars(), *pairs) == 5 * DOLLAR


def test_shares_that_are_being_sold_pay_no_more_than_they_are_sold_for():
    sale = an_open_intent(
        token_id=NO, side=Side.SELL, shares_micros=10 * SHARE, usdc_micros=3 * DOLLAR, fee_micros=DOLLAR
    )

    assert cost(a_market(), five_dollars(), ten_at_fifty(NO), other=sale) == 8 * DOLLAR


def test_an_order_in_flight_may_fill_or_not():
    other = an_open_intent(token_id=NO, usdc_micros=5 * DOLLAR, shares_micros=10 * SHARE, fee_micros=7)

    assert cost(a_market(), NOTHING, other=other) == 5 * DOLLAR + 7
    assert cost(a_market(), five_dollars(), other=other) == 5 * DOLLAR + 7
    assert cost(NEG_RISK, five_dollars(), other=other) == 5 * DOLLAR + 7


shares = st.integers(0, 20).map(lambda count: count * SHARE)
money = st.integers(0, 15).map(lambda dollars: dollars * DOLLAR)
token = st.sampled_from(sorted(PLACES))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Case, Market, Draft]:
    held = {
        one: ten_at_fifty(one, shares_micros=draw(shares) + 1, cost_micros=draw(money)) for one in draw(st.sets(token))
    }
    opened = {
        f"o{number}": an_open_intent(
            copy_id=f"o{number}",
            token_id=one,
            condition_id=MARKETS[one],
            side=side,
            shares_micros=draw(shares) if side is Side.BUY or one in held else 0,
            usdc_micros=draw(money),
            fee_micros=draw(st.integers(0, DOLLAR)),
        )
        for number, (one, side) in enumerate(draw(st.lists(st.tuples(token, st.sampled_from(Side)), max_size=3)))
    }
    market = a_market(neg_risk=draw(st.booleans()))
    known = {one: place for one, place in PLACES.items() if draw(st.booleans())}
    draft = Draft(
        Side.BUY, draw(st.sampled_from([YES, NO])), draw(shares), 500_000, draw(money), draw(st.integers(0, 9))
    )
    return a_case(account=an_account(held=held, open=opened), outcomes=known), market, draft


def ends(neg_risk: bool) -> Iterator[set[str]]:
    """Every set of tokens that may pay a dollar."""
    for truths in product([True, False], repeat=3):
        if not neg_risk or sum(truths) <= 1:
            yield {
                yes if true else no
                for true, (yes, no) in zip(truths, [(YES, NO), ("81", "82"), ("91", "92")], strict=True)
            }


def lost(case: Case, draft: Draft, paying: set[str], filled: tuple[bool, ...]) -> int:
    """What one end costs, where exactly these orders filled."""
    have = {one: holding.shares_micros for one, holding in case.account.exposure.held.items()}
    spent = sum(holding.cost_micros for holding in case.account.exposure.held.values())
    orders = [*case.account.exposure.open.values(), draft]
    for order, done in zip(orders, filled, strict=True):
        if done and order.side is Side.BUY:
            have[order.token_id] = have.get(order.token_id, 0) + order.shares_micros
            spent += order.usdc_micros + order.fee_micros
        elif done:
            sold = min(order.shares_micros, have.get(order.token_id, 0))
            have[order.token_id] = have.get(order.token_id, 0) - sold
            spent -= max(order.usdc_micros - order.fee_micros, 0) if sold else 0
    return spent - sum(count for one, count in have.items() if one in paying)


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_no_end_of_an_event_costs_more_than_was_said(world):
    case, market, draft = world

    said = event_micros(case, market, draft)

    orders = len(case.account.exposure.open) + 1
    worst = max(
        lost(case, draft, paying, filled)
        for paying in ends(market.neg_risk)
        for filled in product([True, False], repeat=orders)
    )
    assert said >= worst
    assert market.event_id == EVENT
