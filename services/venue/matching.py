"""What an incoming order takes from a book: pure, in exact integers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd

from services.venue.model import MICRO, Order, Side


@dataclass(frozen=True, slots=True)
class Take:
    """Shares that one resting order gives, what it pays or earns for them, and what the taker does."""

    maker: Order
    shares_micros: int
    maker_usdc_micros: int
    taker_usdc_micros: int


def takes(taker: Order, facing: Iterable[Order], *, by_dollars: bool) -> list[Take]:
    """Every take in price-time order. A marketable BUY is matched by its dollars, everything else by its shares (venue.md 3.9)."""
    found: list[Take] = []
    shares, usdc = 0, 0
    for maker in facing:
        if maker.posted.wallet == taker.posted.wallet:
            continue
        price = taker_price(taker, maker)
        wanted = taker.remaining_micros - shares
        if by_dollars:
            wanted = (taker.posted.usdc_micros - taker.spent_micros - usdc) * MICRO // price
        if wanted < step(price):
            break
        amount = min(wanted, maker.remaining_micros) // step(price) * step(price)
        if not amount:
            continue
        paid = amount * price // MICRO
        found.append(Take(maker, amount, _maker_usdc(taker, maker, amount, paid), paid))
        shares, usdc = shares + amount, usdc + paid
    return found


def totals(found: Sequence[Take]) -> tuple[int, int]:
    """The taker's shares and what he pays or gets for them."""
    return sum(take.shares_micros for take in found), sum(take.taker_usdc_micros for take in found)


def step(price_micros: int) -> int:
    """The step of sizes whose cost at this price is a whole number of micro-USDC."""
    return MICRO // gcd(price_micros, MICRO)


def taker_price(taker: Order, maker: Order) -> int:
    """What the taker pays or gets for a share: the maker's price, in terms of the taker's token."""
    same = taker.posted.token_id == maker.posted.token_id
    return maker.price_micros if same else MICRO - maker.price_micros


def _maker_usdc(taker: Order, maker: Order, shares: int, paid: int) -> int:
    # Two buyers share the dollar that mints a pair, two sellers the dollar that a merged pair returns.
    return paid if taker.posted.side is not maker.posted.side else shares - paid


def fills_whole(taker: Order, found: Iterable[Take], *, by_dollars: bool) -> bool:
    """Whether nothing worth a cent is left of the order: what fill-or-kill asks."""
    listed = list(found)
    if by_dollars:
        return taker.posted.usdc_micros - sum(take.taker_usdc_micros for take in listed) < 10_000
    return taker.remaining_micros - sum(take.shares_micros for take in listed) < 10_000


def marketable_by_dollars(order: Order) -> bool:
    """FAK and FOK orders to buy name dollars; resting orders and sales name shares."""
    return order.posted.side is Side.BUY and not order.posted.order_type.rests
