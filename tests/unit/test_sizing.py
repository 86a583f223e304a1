"""How much is copied, at which limit price, and what the book gives for it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.domain.account import Day
from services.common.domain.amounts import CENT_MICROS, LOT_MICROS, TICKS_MICROS, amounts
from services.common.domain.exit import Place, Step
from services.common.domain.follow import Policy, SizingMode, Tier
from services.common.domain.market import Side
from services.engine.pricing import WIDENING, exit_bps, furthest_limit, spend
from services.engine.sizing import Entry, entry, exit_shares, free_micros, least_entry, policy_micros
from tests.builders_case import (
    DOLLAR,
    LEADER,
    NOON,
    SHARE,
    YES,
    a_book,
    a_case,
    a_holding,
    a_market,
    an_account,
    an_exit_case,
    an_open_intent,
    levels,
)

TIERS = (Tier(10 * DOLLAR, 5_000), Tier(100 * DOLLAR, 1_000), Tier(0, 10_000))


@pytest.mark.parametrize(
    ("policy", "notional", "copied"),
    [
        (Policy(SizingMode.FIXED, fixed_micros=7 * DOLLAR), 50 * DOLLAR, 7 * DOLLAR),
        (Policy(SizingMode.FIXED), 50 * DOLLAR, None),
        (Policy(SizingMode.FIXED, fixed_micros=1), 50 * DOLLAR, 1),
        (Policy(SizingMode.RATIO, ratio_bps=1_000), 50 * DOLLAR, 5 * DOLLAR),
        (Policy(SizingMode.RATIO, ratio_bps=333), 10 * DOLLAR + 1, 333_000),
        (
            Policy(SizingMode.PROPORTIONAL, bankroll_micros=100 * DOLLAR, leader_bankroll_micros=3_000 * DOLLAR),
            50 * DOLLAR,
            1_666_666,
        ),
        (Policy(SizingMode.PROPORTIONAL, bankroll_micros=100 * DOLLAR), 50 * DOLLAR, None),
        (Policy(SizingMode.PROPORTIONAL, leader_bankroll_micros=100 * DOLLAR), 50 * DOLLAR, None),
        (Policy(SizingMode.PROPORTIONAL, bankroll_micros=1, leader_bankroll_micros=1), 50 * DOLLAR, 50 * DOLLAR),
        (Policy(SizingMode.TIERED, tiers=TIERS), 10 * DOLLAR - 1, 10 * DOLLAR - 1),
        (Policy(SizingMode.TIERED, tiers=TIERS), 10 * DOLLAR, 5 * DOLLAR),
        (Policy(SizingMode.TIERED, tiers=TIERS), 100 * DOLLAR, 10 * DOLLAR),
        (Policy(SizingMode.TIERED, tiers=TIERS[:2]), 9 * DOLLAR, 0),
    ],
)
def test_a_policy_sizes_by_its_mode(policy, notional, copied):
    assert policy_micros(policy, notional) == copied


def test_a_mode_that_nobody_knows_copies_nothing():
    assert policy_micros(Policy("another"), 50 * DOLLAR) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "exposure", "spent"),
    [
        ({}, {}, 5 * DOLLAR),
        ({"max_trade_micros": 4 * DOLLAR}, {}, 4 * DOLLAR),
        ({"max_market_micros": 9 * DOLLAR}, {"held": {YES: a_holding()}}, 4 * DOLLAR),
        ({"max_market_micros": 9 * DOLLAR}, {"held": {YES: a_holding(condition_id="0xd")}}, 5 * DOLLAR),
        ({"max_market_micros": 6 * DOLLAR}, {"open": {"other": an_open_intent()}}, 2 * DOLLAR),
        ({"max_market_micros": 6 * DOLLAR}, {"open": {"other": an_open_intent(side=Side.SELL)}}, 5 * DOLLAR),
        ({"max_market_micros": 4 * DOLLAR}, {"held": {YES: a_holding()}}, 0),
    ],
)
def test_caps_only_reduce(policy, exposure, spent):
    case = a_case(policy=policy, account=an_account(**exposure))

    sized = entry(case, a_market())

    assert sized
    assert sized.spend_micros == spent


def test_a_leaders_day_leaves_what_is_left_of_it():
    day = {NOON.date().isoformat(): Day(leaders={LEADER: 2 * DOLLAR})}
    sized = entry(a_case(policy={"max_day_micros": 3 * DOLLAR}, account=an_account(days=day)), a_market())

    assert sized
    assert sized.spend_micros == DOLLAR


@pytest.mark.parametrize(
    ("policy", "shares"),
    [
        ({"ratio_bps": 100}, 1 * SHARE),
        ({"ratio_bps": 100, "raise_to_minimum": True}, 5 * SHARE),
        ({"ratio_bps": 0, "raise_to_minimum": True}, 0),
        ({"ratio_bps": 100, "raise_to_minimum": True, "max_trade_micros": 2_500_000}, 5 * SHARE),
        ({"ratio_bps": 100, "raise_to_minimum": True, "max_trade_micros": 2_499_999}, 1 * SHARE),
        ({"ratio_bps": 100, "raise_to_minimum": True, "max_market_micros": 2_499_999}, 1 * SHARE),
        ({"ratio_bps": 100, "raise_to_minimum": True, "max_day_micros": 2_499_999}, 1 * SHARE),
    ],
)
def test_a_small_copy_is_raised_only_by_choice_and_within_every_cap(policy, shares):
    sized = entry(a_case(policy=policy), a_market())

    assert sized
    assert sized.shares_at(a_market(), 500_000) == shares


@pytest.mark.parametrize(("spend", "raised"), [(0, False), (1, True)])
def test_only_what_is_copied_at_all_may_be_raised(spend, raised):
    policy = {"max_trade_micros": spend, "raise_to_minimum": True}

    assert entry(a_case(policy=policy), a_market()) == Entry(spend, spend, raised)


@pytest.mark.parametrize(
    ("spend", "room", "raised", "cents", "shares"),
    [
        (3_000_000, 3_000_000, False, 30, 10_000_000),
        (3_000_000, 3_000_000, False, 37, 8_000_000),
        (1_000_000, 2_500_000, True, 50, 5_000_000),
        (1_000_000, 2_499_999, True, 50, 2_000_000),
        (1_000_000, 2_500_000, False, 50, 2_000_000),
        (2_500_000, 9_000_000, True, 50, 5_000_000),
        (2_520_000, 9_000_000, True, 50, 5_040_000),
    ],
    ids=["exact", "in whole cents", "raised", "no room", "not raised", "the minimum", "more than the minimum"],
)
def test_the_shares_of_an_entry_are_exact_at_its_price(spend, room, raised, cents, shares):
    assert Entry(spend, room, raised).shares_at(a_market(), cents * 10_000) == shares


@pytest.mark.parametrize(
    ("cents", "least"), [(50, 5_000_000), (37, 5_000_000), (13, 8_000_000), (10, 10_000_000), (99, 5_000_000)]
)
def test_the_least_entry_is_five_shares_and_a_dollar_in_whole_cents(cents, least):
    assert least_entry(a_market(), cents * 10_000) == least


def step(block: int, decrease: int, before: int) -> Step:
    return Step(f"s{block}", Place(block, 0), decrease, before)


@pytest.mark.parametrize(
    ("steps", "spent"),
    [
        ((step(9, 1, 2),), 5_000_000),
        ((step(11, 1, 2),), 2_500_000),
        ((step(11, 1, 2), step(12, 1, 5)), 2_000_000),
        ((step(11, 1, 3),), 3_333_333),
        ((step(11, 2, 2),), 0),
    ],
    ids=["a step before the trade", "half given up", "half, then a fifth", "a third", "all"],
)
def test_an_exit_that_overtakes_an_unsent_buy_shrinks_it(steps, spent):
    sized = entry(a_case(steps=steps), a_market())

    assert sized
    assert sized.spend_micros == spent


def test_what_an_exit_has_shrunk_is_not_raised_again():
    sized = entry(a_case(steps=(step(11, 9, 10),), policy={"raise_to_minimum": True}), a_market())

    assert sized
    assert sized.shares_at(a_market(), 500_000) == SHARE


@pytest.mark.parametrize("tick", sorted(TICKS_MICROS))
def test_the_smallest_entry_is_an_order_that_the_venue_takes(tick):
    market = a_market(tick_micros=tick)
    for price in range(tick, 1_000_000, max(tick, 7_000 // tick * tick)):
        shares = least_entry(market, price)

        cost, _ = amounts(Side.BUY, shares, price, tick)
        assert shares >= 5 * SHARE
        assert cost >= DOLLAR


@given(
    price=st.integers(1, 99),
    shares=st.integers(1, 10_000_00),
    ratio=st.integers(1, 20_000),
    tick=st.sampled_from([10_000, 1_000]),
    raised=st.booleans(),
    depth=st.integers(1, 3_000),
)
def test_whatever_is_proposed_is_exact_on_the_grid_and_within_the_policy(price, shares, ratio, tick, raised, depth):
    trade = {"shares_micros": shares * LOT_MICROS, "usdc_micros": shares * price * 100}
    asks = levels((str(min(price + 1, 99)), depth))
    case = a_case(
        trade=trade,
        policy={"ratio_bps": ratio, "raise_to_minimum": raised},
        market=a_market(tick_micros=tick),
        book=a_book(asks=asks, bids=levels((str(max(price - 1, 0.5)), depth))),
    )
    draft, market = case.draft, case.market

    assert draft
    assert market
    if draft.shares_micros:
        cost, got = amounts(Side.BUY, draft.shares_micros, draft.limit_micros, tick)
        assert (cost, got) == (draft.usdc_micros, draft.shares_micros)
        assert cost % CENT_MICROS == 0
    least = draft.shares_micros == least_entry(market, draft.limit_micros)
    assert draft.usdc_micros <= 250 * DOLLAR
    assert draft.usdc_micros <= shares * price * 100 * ratio // 10_000 or (raised and least)


def test_a_limit_is_the_leaders_price_and_the_slippage_on_the_grid():
    case = a_case(policy={"slippage_bps": 700})

    assert furthest_limit(case, a_market(), a_book(bids=levels(("52", 9)), asks=levels(("53", 9)))) == 530_000
    assert furthest_limit(case, a_market(tick_micros=1_000), a_book(bids=levels(("52", 9)))) == 535_000


def test_a_limit_is_never_beyond_the_collar_so_that_a_better_price_is_taken():
    cheaper = a_book(bids=levels(("43", 999)), asks=levels(("44", 999)), mid_then_micros=None)

    assert furthest_limit(a_case(), a_market(), cheaper) == 460_000


def test_a_limit_a_little_nearer_is_taken_rather_than_lose_shares_to_whole_cents():
    draft = a_case(policy={"ratio_bps": 1_100}).draft

    assert draft
    assert (draft.limit_micros, draft.usdc_micros) == (520_000, 5_460_000)
    nearer = a_case().draft
    assert nearer
    assert (nearer.limit_micros, nearer.usdc_micros) == (500_000, 5_000_000)


def test_a_buy_is_cut_to_the_depth_inside_its_limit():
    draft = a_case(
        policy={"ratio_bps": 10_000},
        book=a_book(asks=levels(("50", 10), ("51", 20), ("60", 999)), mid_then_micros=None),
    ).draft

    assert draft
    assert 15_000_000 <= draft.usdc_micros <= 15_200_000
    assert draft.limit_micros >= 510_000


def test_a_buy_spends_its_money_however_many_shares_it_gets():
    got = spend(levels(("40", 10), ("50", 10)), 6 * DOLLAR, 500_000)

    assert (got.usdc_micros, got.shares_micros, got.worst_micros) == (6 * DOLLAR, 14 * SHARE, 500_000)
    assert spend(levels(("40", 10), ("50", 10)), 6 * DOLLAR, 499_999).usdc_micros == 4 * DOLLAR


@pytest.mark.parametrize(
    ("age", "bps"),
    [(timedelta(0), 500), (WIDENING / 2, 2_750), (WIDENING, 5_000), (WIDENING * 9, 5_000), (-WIDENING, 500)],
)
def test_the_bound_of_an_exit_widens_with_its_age_to_the_floor(age, bps):
    assert exit_bps(an_exit_case(exit_opened_at=NOON - age)) == bps


def test_an_exit_sells_what_is_free_where_that_is_an_order_at_all():
    sizes = [
        exit_shares(an_exit_case(settled_micros=settled), a_market()) for settled in (7_009_999, 5_000_000, 4_999_999)
    ]

    assert sizes == [7 * SHARE, 5 * SHARE, 20 * SHARE]


@pytest.mark.parametrize("fact", ["settled_micros", "others_micros"])
def test_an_exit_of_which_nobody_knows_what_is_free_is_for_what_is_owed(fact):
    case = an_exit_case(**{fact: None})

    assert free_micros(case) is None
    assert exit_shares(case, a_market()) == 20 * SHARE


def test_an_exit_leaves_what_other_follows_hold_and_what_is_being_sold():
    selling = an_open_intent(side=Side.SELL, shares_micros=8 * SHARE)
    case = an_exit_case(
        settled_micros=40 * SHARE, others_micros=20 * SHARE, account=an_account(open={"other": selling})
    )

    assert case.draft
    assert case.draft.shares_micros == 12 * SHARE


@pytest.mark.parametrize(
    ("settled", "others", "selling", "free"), [(9, 2, 3, 4), (9, 6, 3, 0), (9, 6, 4, 0), (9, 0, 0, 9)]
)
def test_what_is_free_is_settled_and_neither_being_sold_nor_anothers(settled, others, selling, free):
    sales = {
        "one": an_open_intent(side=Side.SELL, shares_micros=selling),
        "two": an_open_intent(side=Side.SELL, shares_micros=99, token_id="73"),
        "three": an_open_intent(shares_micros=99),
    }
    case = an_exit_case(settled_micros=settled, others_micros=others, account=an_account(open=sales))

    assert free_micros(case) == free


def test_an_odd_rest_is_sold_in_whole_hundredths():
    draft = an_exit_case(owed=12_345_678).draft

    assert draft
    assert draft.shares_micros == 12_340_000


@pytest.mark.parametrize("part", ["market", "book"])
def test_without_a_market_or_a_book_nothing_is_proposed(part):
    assert replace(a_case(**{part: None})).draft is None


def test_highest_fee_covers_every_price_between_the_best_and_the_limit():
    draft = a_case(policy={"ratio_bps": 10_000, "slippage_bps": 500}).draft
    market = a_market()

    assert draft
    for price in range(500_000, draft.limit_micros + 1, 10_000):
        assert market.fee.of(draft.usdc_micros * 1_000_000 // price, price) <= draft.fee_micros
