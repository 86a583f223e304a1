"""Exact amounts: every size, price and sum of money is an int of millionths (micro-USDC, micro-shares, millionths of a dollar)."""

from decimal import ROUND_FLOOR, Decimal, InvalidOperation

MICRO = 1_000_000
BPS = 10_000


class InexactAmount(ValueError):
    """An amount that has no exact representation in millionths, or is no number at all."""


def micros(value: Decimal | int | str) -> int:
    """The amount in millionths; raises `InexactAmount` when it has more than six decimals or is not finite."""
    scaled = _decimal(value) * MICRO
    if scaled != scaled.to_integral_value():
        raise InexactAmount(f"{value}: more than six decimals")
    return int(scaled)


def micros_floor(value: Decimal | int | str) -> int:
    """The amount in millionths, rounded down; for figures that a feed has already rounded (Data API sizes are floats)."""
    return int((_decimal(value) * MICRO).to_integral_value(rounding=ROUND_FLOOR))


def decimal(amount_micros: int) -> Decimal:
    """The amount as a plain decimal number, without trailing zeros: 1_500_000 is 1.5."""
    return Decimal(text(amount_micros))


def text(amount_micros: int) -> str:
    """The amount as people and JSON read it, never in scientific notation."""
    whole, part = divmod(abs(amount_micros), MICRO)
    fraction = f".{part:06d}".rstrip("0") if part else ""
    return f"{'-' if amount_micros < 0 else ''}{whole}{fraction}"


def mul_div(amount: int, numerator: int, denominator: int) -> int:
    """`amount × numerator ÷ denominator`, floored, without an intermediate rounding."""
    return amount * numerator // denominator


def mul_div_up(amount: int, numerator: int, denominator: int) -> int:
    """`amount × numerator ÷ denominator`, rounded up."""
    return -(-amount * numerator // denominator)


def _decimal(value: Decimal | int | str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise InexactAmount(f"{value!r} is not a number") from error
    if not number.is_finite():
        raise InexactAmount(f"{value!r} is not finite")
    return number
