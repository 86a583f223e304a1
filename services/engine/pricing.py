"""Which price an order may take, how far into the book it reaches, and the order that follows."""

from dataclasses import replace
from datetime import timedelta

from services.common.domain.amounts import TICKS_MICROS, exact_shares_micros
from services.common.domain.market import Book, Level, Market, Side, Sweep, sweep
from services.common.domain.money import BPS, MICRO, mul_div, mul_div_up
from services.engine.case import Case, Draft
from services.engine.sizing import Entry, entry, exit_shares, least_entry

WIDENING = timedelta(minutes=10)
"""How long an unmet exit takes to reach the policy's floor."""

LEAST_SLIPPAGE_TICKS = 2
LOSS_BPS = 100
"""A lower limit price is taken rather than lose more than this part of the order to whole cents."""


def drafted(case: Case) -> Case:
    """The case with the order that sizing and pricing propose; without one where market, book or size are not known."""
    return replace(case, draft=_draft(case))


def slippage_micros(case: Case, tick_micros: int) -> int:
    """How much worse than the leader's price an order may be: the policy's part of it, two ticks at least."""
    bps = case.policy.slippage_bps if case.is_entry else exit_bps(case)
    return max(LEAST_SLIPPAGE_TICKS * tick_micros, mul_div(case.trade.price_micros, bps, BPS))


def exit_bps(case: Case) -> int:
    """An exit's slippage, widening with its age from the policy's bound to its floor; the bound while its age is not known."""
    start, floor = case.policy.exit_slippage_bps, case.policy.exit_floor_bps
    if case.exit_opened_at is None or floor <= start:
        return start
    age = min(max(case.now - case.exit_opened_at, timedelta(0)), WIDENING)
    return start + (floor - start) * (age // timedelta(milliseconds=1)) // (WIDENING // timedelta(milliseconds=1))


def slippage_bound(case: Case, tick_micros: int) -> int:
    """The worst price that slippage allows, not yet on the grid."""
    slip = slippage_micros(case, tick_micros)
    return case.trade.price_micros + slip if case.side is Side.BUY else max(case.trade.price_micros - slip, 0)


def collar_bound(case: Case, market: Market, book: Book) -> int | None:
    """The worst price that the collar around mid allows; None where the book has no mid. An exit may fall to the policy's floor,
    from the best bid where nothing is offered."""
    limits = case.account.limits
    mid = book.mid_micros
    if case.side is Side.BUY:
        width = max(limits.min_collar_ticks * market.tick_micros, mul_div(mid or 0, limits.max_collar_bps, BPS))
        return None if mid is None else mid + width
    reference = book.best_bid_micros if mid is None else mid
    return None if reference is None else mul_div_up(reference, BPS - case.policy.exit_floor_bps, BPS)


def furthest_limit(case: Case, market: Market, book: Book) -> int:
    """The furthest price on the grid within slippage, collar and, for an entry, the price band."""
    tick = market.tick_micros
    bound, collar = slippage_bound(case, tick), collar_bound(case, market, book)
    if case.side is Side.BUY:
        worst = min(bound, MICRO - tick, max(case.account.limits.max_price_micros, case.trade.price_micros))
        return max(min(worst, worst if collar is None else collar) // tick * tick, tick)
    worst = max(bound, tick, 0 if collar is None else collar)
    return min(mul_div_up(worst, 1, tick) * tick, MICRO - tick)


def spend(levels: tuple[Level, ...], usdc_micros: int, bound_micros: int) -> Sweep:
    """What a BUY gets for its money, no further than `bound_micros`: the venue spends all of it, whatever the shares."""
    shares = spent = worst = 0
    for level in levels:
        if level.price_micros > bound_micros or spent >= usdc_micros:
            break
        here = min(mul_div(level.size_micros, level.price_micros, MICRO), usdc_micros - spent)
        shares += mul_div(here, MICRO, level.price_micros)
        spent += here
        worst = level.price_micros
    return Sweep(shares, spent, worst)


def reach(draft: Draft, book: Book, bound_micros: int) -> Sweep:
    """What the order would get from this book, no further than `bound_micros`."""
    if draft.side is Side.BUY:
        return spend(book.asks, draft.usdc_micros, bound_micros)
    return sweep(book.bids, draft.shares_micros, bound_micros, Side.SELL)


def size_at(case: Case, market: Market, book: Book, limit_micros: int) -> int | None:
    """The size of the order at a limit price: what the policy computes, cut to the depth inside the limit.

    A BUY that the depth would cut below the venue's minimum is left whole: the slippage guard names what is missing.
    """
    if case.side is Side.SELL:
        return exit_shares(case, market)
    wanted = entry(case, market)
    return None if wanted is None else _cut(wanted, market, book, limit_micros)


def _draft(case: Case) -> Draft | None:
    market, book = case.market, case.book
    if market is None or book is None or market.tick_micros not in TICKS_MICROS or not case.trade.price_micros:
        return None
    limit = furthest_limit(case, market, book)
    wanted = entry(case, market) if case.side is Side.BUY else None
    if wanted:
        limit = _limit(wanted, market, book, limit)
    shares = size_at(case, market, book, limit)
    if shares is None:
        return None
    usdc = mul_div(shares, limit, MICRO)
    return Draft(
        case.side, case.trade.token_id, shares, limit, usdc, _highest_fee(market, book, case.side, usdc, limit)
    )


def _cut(wanted: Entry, market: Market, book: Book, limit_micros: int) -> int:
    shares = wanted.shares_at(market, limit_micros)
    within = spend(book.asks, mul_div(shares, limit_micros, MICRO), limit_micros)
    cut = exact_shares_micros(Side.BUY, mul_div(within.usdc_micros, MICRO, limit_micros), limit_micros)
    return cut if cut >= least_entry(market, limit_micros) else shares


def _limit(wanted: Entry, market: Market, book: Book, furthest_micros: int) -> int:
    """The furthest limit at which whole cents cost next to nothing of the order, else the one at which they cost least.

    None lower than what the book asks for it, so that rounding never costs depth.
    """
    needed = spend(book.asks, wanted.spend_micros, furthest_micros).worst_micros or furthest_micros
    limits = range(furthest_micros, needed - 1, -market.tick_micros)
    enough = mul_div_up(wanted.spend_micros, BPS - LOSS_BPS, BPS)
    ranks = {limit: _rank(wanted, market, limit) for limit in limits}
    return next((limit for limit in limits if ranks[limit] >= (True, enough)), max(limits, key=ranks.__getitem__))


def _rank(wanted: Entry, market: Market, limit_micros: int) -> tuple[bool, int]:
    """Whether the order at this limit reaches the venue's minimum, and what it spends."""
    shares = wanted.shares_at(market, limit_micros)
    return shares >= least_entry(market, limit_micros), mul_div(shares, limit_micros, MICRO)


def _highest_fee(market: Market, book: Book, side: Side, usdc_micros: int, limit_micros: int) -> int:
    """The fee at the worst price between the best in the book and the limit; a BUY spends its money on as many shares as it gets."""
    facing = book.facing(side)
    best = facing[0].price_micros if facing else limit_micros
    low, high = min(best, limit_micros), max(best, limit_micros)
    shares = mul_div_up(usdc_micros, MICRO, low if side is Side.BUY else limit_micros)
    return market.fee.most(shares, low, high)
