"""A taker's fee (venue.md 7): shares × rate × p·(1−p) at the average price, floored to five decimals of a dollar."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

STEP_MICROS = 10


def taker_fee_micros(rate: Decimal, shares_micros: int, usdc_micros: int) -> int:
    """The fee in micro-USDC for one transaction's total."""
    if not rate or not shares_micros:
        return 0
    price = Decimal(usdc_micros) / shares_micros
    raw = Decimal(shares_micros) * rate * price * (1 - price)
    return int((raw / STEP_MICROS).to_integral_value(ROUND_FLOOR)) * STEP_MICROS
