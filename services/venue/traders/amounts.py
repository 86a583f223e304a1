"""Sizes that the venue takes: whole hundredths of a share, and purchases of whole cents."""

from __future__ import annotations

from math import gcd, lcm

MICRO = 1_000_000
SHARE_STEP = 10_000
CENT_STEP = 10_000


def buy_step(price_micros: int) -> int:
    """The smallest number of micro-shares, and its multiples, whose cost at this price is whole cents."""
    whole_cents = CENT_STEP * MICRO
    return lcm(SHARE_STEP, whole_cents // gcd(price_micros, whole_cents))


def buyable(shares_micros: int, price_micros: int) -> int:
    """No more than that many shares, payable in whole cents."""
    step = buy_step(price_micros)
    return shares_micros // step * step


def sellable(shares_micros: int) -> int:
    return shares_micros // SHARE_STEP * SHARE_STEP
