"""Guards of the wallet: that it can pay, and that it does not trade with itself."""

from services.common.domain.account import OpenIntent
from services.common.domain.market import Side
from services.common.domain.money import MICRO, text
from services.common.domain.verdict import Verdict
from services.engine.at_risk import promised_micros
from services.engine.case import Case, Draft, age_ms
from services.engine.guards.answer import at_most, missing, unless

MOST_LATE_MS = 60_000
"""How long after its deadline an order may still be on its way (orders.md 5.9)."""


def credit(case: Case) -> Verdict:
    """The balance, less what is in flight, pays for the order and its highest fee, and the exchange may take it.

    A SELL pays its fee from its proceeds; its shares are the position guard's.
    """
    draft, funds = case.draft, case.funds
    if draft is None:
        return missing("draft")
    if draft.side is Side.SELL:
        return at_most("fee_above_proceeds", "fee", draft.fee_micros, draft.usdc_micros)
    if funds is None or funds.balance_micros < 0 or funds.allowance_micros < 0:
        return missing("balance")
    limits, age = case.account.limits, age_ms(case.now, funds.read_at)
    needed, promised = draft.usdc_micros + draft.fee_micros, promised_micros(case)
    free, allowed = funds.balance_micros - promised, funds.allowance_micros - promised
    reasons = {
        "balance_too_old": age > limits.max_balance_age_ms or -age > limits.max_clock_ahead_ms,
        "balance_short": needed > free,
        "allowance_short": needed > allowed,
    }
    limit = {
        "balance": text(free),
        "allowance": text(allowed),
        "age_ms": str(limits.max_balance_age_ms),
        "least_age_ms": str(-limits.max_clock_ahead_ms),
    }
    return unless(reasons, {"needed": text(needed), "age_ms": str(age)}, limit, age)


def self_trade(case: Case) -> Verdict:
    """The order would meet none of our own in flight: of its own token, or of the complement, which meets it by minting or merging."""
    draft, market = case.draft, case.market
    complement = market.complement(case.trade.token_id) if market else None
    if draft is None or complement is None:
        return missing("complement")
    met = [i for i in case.in_flight() if not i.matched and not _is_over(case, i) and _meets(draft, i, complement)]
    observed = {"own_orders": str(len(met)), "limit_price": text(draft.limit_micros)}
    return unless({"own_order": bool(met)}, observed, {"own_orders": "0"})


def _is_over(case: Case, other: OpenIntent) -> bool:
    """It is long past its deadline: none of our orders rests, so it meets nobody, even where its cash is set aside for a day."""
    return age_ms(case.now, other.at) > case.account.limits.intent_lifetime_ms + MOST_LATE_MS


def _meets(draft: Draft, other: OpenIntent, complement: str) -> bool:
    if other.token_id == draft.token_id:
        buy, sell = (draft.limit_micros, other.price_micros)
        if draft.side is Side.SELL:
            buy, sell = sell, buy
        return other.side is not draft.side and buy >= sell
    if other.token_id != complement or other.side is not draft.side:
        return False
    both = draft.limit_micros + other.price_micros
    return both >= MICRO if draft.side is Side.BUY else both <= MICRO
