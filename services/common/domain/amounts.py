"""The two amounts of an order: what its maker gives and gets, exact at the limit price (venue.md 3.9)."""

from dataclasses import dataclass
from math import gcd

from services.common.domain.market import Side
from services.common.domain.money import MICRO, InexactAmount

LOT_MICROS = 10_000
"""Order sizes are whole hundredths of a share."""

CENT_MICROS = 10_000
"""A marketable BUY gives whole cents."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """How many decimals the venue takes of a price, a size and the amount that follows from them."""

    price: int
    size: int
    amount: int


ROUNDING = {
    100_000: Rounding(1, 2, 3),
    10_000: Rounding(2, 2, 4),
    5_000: Rounding(3, 2, 5),
    2_500: Rounding(4, 2, 6),
    1_000: Rounding(3, 2, 5),
    100: Rounding(4, 2, 6),
}
"""The venue's rounding by tick, in millionths. A tick that is not here is not traded."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What an order gives (`maker_micros`) and gets at least (`taker_micros`), in base units of six decimals."""

    maker_micros: int
    taker_micros: int


def buy_amounts(shares_micros: int, price_micros: int, tick_micros: int) -> Amounts:
    """The amounts of a marketable BUY: whole cents for whole hundredths of a share.

    Raises `InexactAmount` where the cost at the limit price is no whole number of cents; `buy_lot` says which sizes are.
    """
    cost = _cost(shares_micros, price_micros, tick_micros)
    if cost % CENT_MICROS:
        raise InexactAmount(f"{shares_micros} at {price_micros} costs a part of a cent")
    return Amounts(cost, shares_micros)


def sell_amounts(shares_micros: int, price_micros: int, tick_micros: int) -> Amounts:
    """The amounts of a marketable SELL: whole hundredths of a share for at least their value at the limit price."""
    return Amounts(shares_micros, _cost(shares_micros, price_micros, tick_micros))


def order_amounts(side: Side, shares_micros: int, price_micros: int, tick_micros: int) -> Amounts:
    """The amounts of an order of either side; raises `InexactAmount` where the venue could not represent it."""
    of = buy_amounts if side is Side.BUY else sell_amounts
    return of(shares_micros, price_micros, tick_micros)


def buy_lot(price_micros: int) -> int:
    """The smallest number of micro-shares, in hundredths of a share, that costs whole cents at this price."""
    return LOT_MICROS * (MICRO // gcd(price_micros, MICRO))


def lot(side: Side, price_micros: int) -> int:
    """What the size of an order at this price must be a multiple of."""
    return buy_lot(price_micros) if side is Side.BUY else LOT_MICROS


def on_grid(price_micros: int, tick_micros: int) -> bool:
    """Whether the price is on the tick and within [tick, 1 − tick]."""
    return price_micros % tick_micros == 0 and tick_micros <= price_micros <= MICRO - tick_micros


def _cost(shares_micros: int, price_micros: int, tick_micros: int) -> int:
    rounding = ROUNDING.get(tick_micros)
    if rounding is None:
        raise InexactAmount(f"{tick_micros} is no tick of the venue")
    if not on_grid(price_micros, tick_micros):
        raise InexactAmount(f"{price_micros} is off the tick {tick_micros}")
    if shares_micros <= 0 or shares_micros % 10 ** (6 - rounding.size):
        raise InexactAmount(f"{shares_micros} is no whole number of hundredths of a share")
    cost, rest = divmod(shares_micros * price_micros, MICRO)
    if rest or cost % 10 ** (6 - rounding.amount):
        raise InexactAmount(f"{shares_micros} at {price_micros} has more decimals than the venue takes")
    return cost
