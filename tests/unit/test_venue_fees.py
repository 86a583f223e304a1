"""Takers' fees against those that were charged on mainnet (venue.md 7)."""

from decimal import Decimal

import pytest

from services.venue.fees import taker_fee_micros

SHARE = 1_000_000


@pytest.mark.parametrize(
    ("rate", "shares_micros", "usdc_micros", "fee_micros"),
    [
        # One price: 539 at 0.99, and at 0.89 what a purchase by dollars got.
        ("0.07", 539 * SHARE, 533_610_000, 373_520),
        ("0.07", 112_359_545, 99_999_995, 769_990),
        # The total of a transaction is floored: 1.741824 here, where floors of its three fills add up to 1.741810.
        ("0.07", 108 * SHARE, 38_880_000, 1_741_820),
        ("0.07", 5 * SHARE, 1_600_000, 76_160),
        ("0.05", 22_840_000, 11_876_800, 285_040),
        ("0.05", 18 * SHARE, 9_900_000, 222_750),
        # Several prices: their average.
        ("0.04", 155_030_000, 13_402_400, 489_750),
        ("0.04", 10 * SHARE, 10 * SHARE, 0),
        # Less than a hundred-thousandth of a dollar is nothing.
        ("0.07", 5_000, 50, 0),
        ("0", 539 * SHARE, 533_610_000, 0),
    ],
)
def test_a_fee_is_that_of_the_average_price_floored_to_five_decimals(rate, shares_micros, usdc_micros, fee_micros):
    assert taker_fee_micros(Decimal(rate), shares_micros, usdc_micros) == fee_micros
