"""The grids of price, size and sum."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.domain.amounts import (
    TICKS_MICROS,
    PriceOffTick,
    PriceOutOfRange,
    SizeOffLot,
    SumOffCent,
    UnknownTick,
    amounts,
    buy_amounts,
    exact_shares_micros,
    sell_amounts,
    share_step_micros,
)
from services.common.domain.market import Side
from services.common.domain.money import MICRO


@pytest.mark.parametrize(
    ("shares", "limit", "tick", "expected"),
    [
        (10_000_000, 510_000, 10_000, (5_100_000, 10_000_000)),
        (5_000_000, 290_000, 10_000, (1_450_000, 5_000_000)),
        (20_000_000, 575_000, 5_000, (11_500_000, 20_000_000)),
        (10_000_000, 123_000, 1_000, (1_230_000, 10_000_000)),
        (100_000_000, 123_400, 100, (12_340_000, 100_000_000)),
    ],
)
def test_a_buy_spends_whole_cents_at_exactly_the_limit(shares, limit, tick, expected):
    assert buy_amounts(shares, limit, tick) == expected


def test_a_sell_gives_its_shares_and_asks_for_exactly_the_limit():
    assert sell_amounts(16_220_000, 370_000, 10_000) == (16_220_000, 6_001_400)


@pytest.mark.parametrize(
    ("side", "shares", "limit", "tick", "error"),
    [
        (Side.BUY, 1_500_000, 370_000, 10_000, SumOffCent),
        (Side.BUY, 10_000_000, 505_000, 10_000, PriceOffTick),
        (Side.BUY, 10_000_000, 503_000, 5_000, PriceOffTick),
        (Side.SELL, 10_000_000, 0, 10_000, PriceOutOfRange),
        (Side.SELL, 10_000_000, 1_000_000, 10_000, PriceOutOfRange),
        (Side.SELL, 10_005_000, 500_000, 10_000, SizeOffLot),
        (Side.SELL, 0, 500_000, 10_000, SizeOffLot),
        (Side.BUY, -10_000, 500_000, 10_000, SizeOffLot),
        (Side.BUY, 10_000_000, 500_000, 20_000, UnknownTick),
    ],
)
def test_what_the_grids_do_not_have_is_refused_by_name(side, shares, limit, tick, error):
    with pytest.raises(error):
        amounts(side, shares, limit, tick)


PRICES = st.sampled_from(sorted(TICKS_MICROS)).flatmap(
    lambda tick: st.integers(1, MICRO // tick - 1).map(lambda steps: (steps * tick, tick))
)


@given(st.sampled_from(Side), PRICES, st.integers(0, 10**12))
def test_what_is_cut_to_the_grid_is_always_accepted_and_never_larger(side, price, wanted):
    limit, tick = price
    shares = exact_shares_micros(side, wanted, limit)

    assert 0 <= wanted - shares < share_step_micros(side, limit)
    if shares:
        maker, taker = amounts(side, shares, limit, tick)
        usdc = maker if side is Side.BUY else taker
        assert Fraction(usdc, shares) == Fraction(limit, MICRO)
        assert side is Side.SELL or usdc % 10_000 == 0
