"""Guards of exposure: per market, per event, and over all, what an account may have at stake."""

from services.common.domain.market import Side
from services.common.domain.money import BPS, mul_div
from services.common.domain.verdict import Verdict
from services.engine.at_risk import gross_micros, market_micros
from services.engine.case import Case
from services.engine.guards.answer import at_most, missing
from services.engine.resolution import event_micros
from services.engine.sizing import free_micros


def position(case: Case) -> Verdict:
    """A BUY stays within the market's cap; a SELL takes only settled shares that no other sale and no other follow counts on."""
    draft, market = case.draft, case.market
    if draft is None or market is None:
        return missing("draft")
    if case.side is Side.BUY:
        would_be = market_micros(case, market.condition_id) + draft.usdc_micros
        return at_most("market_cap", "market_usdc", would_be, case.account.limits.max_market_micros)
    free = free_micros(case)
    if free is None:
        return missing("settled_shares")
    return at_most("not_settled", "shares", draft.shares_micros, free)


def event_exposure(case: Case) -> Verdict:
    """The worst that the event can cost at resolution stays within its cap, over all leaders."""
    draft, market = case.draft, case.market
    if draft is None or market is None:
        return missing("draft")
    would_be = event_micros(case, market, draft)
    return at_most("event_cap", "event_usdc", would_be, case.account.limits.max_event_micros)


def account_exposure(case: Case) -> Verdict:
    """All that is held and in flight stays within a part of the account's equity."""
    equity = case.equity_micros
    if case.draft is None or equity is None or equity < 0:
        return missing("equity")
    most = mul_div(equity, case.account.limits.max_exposure_bps, BPS)
    return at_most("capital_threshold", "gross_usdc", gross_micros(case) + case.draft.usdc_micros, most)
