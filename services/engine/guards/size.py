"""Guards of the order's size: that it is what the policy computes, that the venue takes it, and that it is not too big."""

from services.common.domain.amounts import InvalidAmounts, amounts
from services.common.domain.exit import Place, remaining
from services.common.domain.money import BPS, MICRO, mul_div, text
from services.common.domain.verdict import Verdict
from services.engine.case import Case
from services.engine.guards.answer import at_most, missing, unless
from services.engine.pricing import size_at
from services.engine.sizing import entry, least_entry, room_micros


def sizing(case: Case) -> Verdict:
    """The size is what the policy computes at the limit price, within its caps, and for an entry no less than the venue's minimum."""
    draft, market, book = case.draft, case.market, case.book
    if draft is None or market is None or book is None or draft.limit_micros <= 0:
        return missing("size")
    computed = size_at(case, market, book, draft.limit_micros)
    if computed is None:
        return missing("size")
    observed = {"shares": text(draft.shares_micros), "usdc": text(draft.usdc_micros)}
    reasons, limit = {"not_the_policys": computed != draft.shares_micros}, {"shares": text(computed)}
    if case.is_entry:
        least, room = least_entry(market, draft.limit_micros), max(room_micros(case, market), 0)
        small = draft.shares_micros < least
        reasons |= {
            "voided_by_exit": small and _overtaken(case),
            "below_minimum": small,
            "above_cap": draft.usdc_micros > room,
        }
        limit |= {"least_shares": text(least), "most_usdc": text(room), "policy_usdc": text(_spend(case))}
    return unless(reasons, observed, limit)


def _overtaken(case: Case) -> bool:
    """Whether the leader gave up part of it before it could be bought."""
    place = Place(case.trade.block_number, case.trade.log_index)
    return remaining(place, case.steps or ()) < 1


def _spend(case: Case) -> int:
    wanted = entry(case, case.market) if case.market else None
    return wanted.spend_micros if wanted else 0


def venue_validity(case: Case) -> Verdict:
    """Price, size and amounts are on the venue's grids, and the order is for the token that the leader traded."""
    draft, market = case.draft, case.market
    if draft is None or market is None:
        return missing("draft")
    observed = {
        "limit_price": text(draft.limit_micros),
        "shares": text(draft.shares_micros),
        "usdc": text(draft.usdc_micros),
    }
    limit = {"tick": text(market.tick_micros), "lot": "0.01"}
    try:
        amounts(draft.side, draft.shares_micros, draft.limit_micros, market.tick_micros)
    except InvalidAmounts as error:
        return unless({error.reason: True}, observed, limit)
    value = mul_div(draft.shares_micros, draft.limit_micros, MICRO)
    reasons = {
        "not_this_copy": (draft.side, draft.token_id) != (case.side, case.trade.token_id),
        "not_its_value": draft.usdc_micros != value,
    }
    return unless(reasons, observed, {**limit, "usdc": text(value)})


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
