"""What an order gives and takes, exactly: the venue's grids of price, size and sum (venue.md 3.9)."""

from math import gcd

from services.common.domain.market import Side
from services.common.domain.money import MICRO

LOT_MICROS = 10_000
CENT_MICROS = 10_000
TICKS_MICROS = frozenset({100_000, 10_000, 5_000, 2_500, 1_000, 100})


class InvalidAmounts(ValueError):
    """An order that the venue's grids do not have. The class names the rule, `reason` is its name in reports."""

    reason = "invalid_amounts"


class UnknownTick(InvalidAmounts):
    """A price grid that the venue does not use."""

    reason = "unknown_tick"


class PriceOffTick(InvalidAmounts):
    """A price between two ticks."""

    reason = "price_off_tick"


class PriceOutOfRange(InvalidAmounts):
    """A price outside [tick, 1 − tick]."""

    reason = "price_out_of_range"


class SizeOffLot(InvalidAmounts):
    """A size that is no positive multiple of 0.01 share."""

    reason = "size_off_lot"


class SumOffCent(InvalidAmounts):
    """A marketable BUY whose cost is not in whole cents."""

    reason = "sum_off_cent"


def buy_amounts(shares_micros: int, limit_micros: int, tick_micros: int) -> tuple[int, int]:
    """(maker, taker) of a marketable BUY: micro-USDC to spend, micro-shares to get at least. Raises `InvalidAmounts`."""
    check_price(limit_micros, tick_micros)
    check_size(shares_micros)
    cost, rest = divmod(shares_micros * limit_micros, MICRO)
    if rest or cost % CENT_MICROS:
        raise SumOffCent(f"{shares_micros} micro-shares at {limit_micros} do not cost whole cents")
    return cost, shares_micros


def sell_amounts(shares_micros: int, limit_micros: int, tick_micros: int) -> tuple[int, int]:
    """(maker, taker) of a marketable SELL: micro-shares to give, micro-USDC to get at least. Raises `InvalidAmounts`."""
    check_price(limit_micros, tick_micros)
    check_size(shares_micros)
    return shares_micros, shares_micros * limit_micros // MICRO


def amounts(side: Side, shares_micros: int, limit_micros: int, tick_micros: int) -> tuple[int, int]:
    """(maker, taker) of a marketable order of either side."""
    build = buy_amounts if side is Side.BUY else sell_amounts
    return build(shares_micros, limit_micros, tick_micros)


def share_step_micros(side: Side, limit_micros: int) -> int:
    """The step in which the size of an order at this price can change and stay exact: 0.01 share, coarser for a BUY."""
    if side is Side.SELL:
        return LOT_MICROS
    return LOT_MICROS * (MICRO // gcd(limit_micros, MICRO))


def exact_shares_micros(side: Side, shares_micros: int, limit_micros: int) -> int:
    """The largest size within `shares_micros` that is exactly representable at this price; 0 when none is."""
    step = share_step_micros(side, limit_micros)
    return shares_micros // step * step


def check_price(price_micros: int, tick_micros: int) -> None:
    """Raise `InvalidAmounts` unless the price is on the grid and inside it."""
    if tick_micros not in TICKS_MICROS:
        raise UnknownTick(f"{tick_micros} is no tick of the venue")
    if not tick_micros <= price_micros <= MICRO - tick_micros:
        raise PriceOutOfRange(f"{price_micros} is outside [tick, 1 - tick]")
    if price_micros % tick_micros:
        raise PriceOffTick(f"{price_micros} is not on the grid of {tick_micros}")


def check_size(shares_micros: int) -> None:
    """Raise `SizeOffLot` unless the size is a positive multiple of 0.01 share."""
    if shares_micros <= 0 or shares_micros % LOT_MICROS:
        raise SizeOffLot(f"{shares_micros} is no positive multiple of 0.01 share")
