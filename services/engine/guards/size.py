"""Guards of the order's size: that it is what the policy computes, that the venue takes it, and that it is not too big."""

from services.common.domain.amounts import TICKS_MICROS, InvalidAmounts, amounts, share_step_micros
from services.common.domain.market import Market
from services.common.domain.money import BPS, MICRO, mul_div, text
from services.common.domain.verdict import Verdict
from services.engine.case import Case, Draft
from services.engine.guards.answer import at_most, missing, unless
from services.engine.pricing import size_at
from services.engine.sizing import entry, least_entry, room_micros


def sizing(case: Case) -> Verdict:
    """The size is what the policy computes at the limit price, within its caps, and for an entry no less than the venue's minimum."""
    draft, market, book = case.draft, case.market, case.book
    if draft is None or market is None or book is None or draft.limit_micros <= 0:
        return missing("size")
    wanted = entry(case, market) if case.is_entry else None
    computed = size_at(case, market, book, draft.limit_micros)
    if computed is None:
        return missing("size")
    observed = {"shares": text(draft.shares_micros), "usdc": text(draft.usdc_micros)}
    reasons, limit = {"not_the_policys": computed != draft.shares_micros}, {"shares": text(computed)}
    if wanted is not None:
        least, room = least_entry(market, draft.limit_micros), max(room_micros(case, market), 0)
        small = draft.shares_micros < least
        reasons |= {
            "voided_by_exit": small and case.left < 1,
            "below_minimum": small,
            "above_cap": draft.usdc_micros > room,
        }
        limit |= {"least_shares": text(least), "most_usdc": text(room), "policy_usdc": text(wanted.spend_micros)}
    return unless(reasons, observed, limit)


def venue_validity(case: Case) -> Verdict:
    """Price, size and amounts are on the venue's grids, and the order is for the token that the leader traded."""
    draft, market = case.draft, case.market
    if draft is None or market is None:
        return missing("draft")
    value = mul_div(draft.shares_micros, draft.limit_micros, MICRO)
    observed = {
        "limit_price": text(draft.limit_micros),
        "shares": text(draft.shares_micros),
        "usdc": text(draft.usdc_micros),
        "tick": text(market.tick_micros),
        "order_of": f"{draft.side} {draft.token_id}",
    }
    limit = {"copy_of": f"{case.side} {case.trade.token_id}", "usdc": text(value), **_grid(draft, market)}
    reasons = {
        **dict.fromkeys(_off_the_grids(draft, market), True),
        "not_this_copy": observed["order_of"] != limit["copy_of"],
        "not_its_value": draft.usdc_micros != value,
    }
    return unless(reasons, observed, limit)


def _off_the_grids(draft: Draft, market: Market) -> tuple[str, ...]:
    try:
        amounts(draft.side, draft.shares_micros, draft.limit_micros, market.tick_micros)
    except InvalidAmounts as error:
        return (error.reason,)
    return ()


def _grid(draft: Draft, market: Market) -> dict[str, str]:
    """The nearest price and size that the venue has; the size is one that this price has."""
    tick = max(market.tick_micros, 1)
    price = min(max(nearest(draft.limit_micros, tick), tick), MICRO - tick)
    step = share_step_micros(draft.side, price)
    return {
        "ticks": ", ".join(map(text, sorted(TICKS_MICROS))),
        "tick": text(market.tick_micros),
        "most_price": text(MICRO - market.tick_micros),
        "grid_price": text(price),
        "grid_shares": text(max(nearest(draft.shares_micros, step), step)),
    }


def nearest(figure: int, step: int) -> int:
    """The multiple of `step` that is nearest, the lower of two."""
    return (2 * figure + step - 1) // (2 * step) * step


def order_size(case: Case) -> Verdict:
    """Neither shares nor notional of one order are above the account's caps."""
    if case.draft is None:
        return missing("draft")
    limits = case.account.limits
    shares = at_most("too_many_shares", "shares", case.draft.shares_micros, limits.max_order_shares_micros)
    return at_most("too_big", "usdc", case.draft.usdc_micros, limits.max_order_micros) if shares.ok else shares


def fee_bound(case: Case) -> Verdict:
    """The highest fee is no more than a part of the notional."""
    if case.draft is None:
        return missing("draft")
    most = mul_div(case.draft.usdc_micros, case.account.limits.max_fee_bps, BPS)
    return at_most("fee_too_high", "fee", case.draft.fee_micros, most)
