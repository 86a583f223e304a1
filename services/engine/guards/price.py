"""Guards of the price: the band, the edge, the slippage, and the collar around mid."""

from services.common.domain.market import Market, Side
from services.common.domain.money import BPS, MICRO, mul_div, mul_div_up, text
from services.common.domain.verdict import Verdict
from services.engine.case import Case, Draft
from services.engine.guards.answer import allow, missing, unless
from services.engine.pricing import collar_bound, reach, slippage_bound, slippage_micros
from services.engine.sizing import least_entry


def price_band(case: Case) -> Verdict:
    """Neither the leader's price nor our limit is so near to certain that a copy has nothing to win or lose."""
    if case.draft is None:
        return missing("draft")
    low, high = case.account.limits.min_price_micros, case.account.limits.max_price_micros
    leader, ours = case.trade.price_micros, case.draft.limit_micros
    observed = {"leader": text(leader), "ours": text(ours)}
    limit = {"least": text(low), "most": text(high)}
    reasons = {"leader_outside": not low <= leader <= high, "ours_outside": not low <= ours <= high}
    return unless(reasons, observed, limit)


def edge(case: Case) -> Verdict:
    """What the copy is worth at a fair price, less its cost and fee, is above the least edge.

    Fair is the leader's price, decaying towards mid over the age that a trade may have; the least edge is what slippage and the fee
    bound allow to lose, so that a copy at the leader's own price passes.
    """
    draft, market, book = case.draft, case.market, case.book
    if draft is None or market is None or book is None or book.mid_micros is None:
        return missing("mid")
    bought = reach(draft, book, MICRO)
    if not draft.usdc_micros:
        # An order of nothing loses nothing; that it is none is what sizing refuses.
        return allow({"edge": "0"}, {}, case.age_ms)
    if not bought.shares_micros:
        return missing("vwap")
    fair = _fair(case, book.mid_micros)
    gain = mul_div(bought.shares_micros, fair, MICRO) - bought.usdc_micros - draft.fee_micros
    slip = mul_div_up(bought.shares_micros, slippage_micros(case, market.tick_micros), MICRO)
    least = -slip - mul_div_up(draft.usdc_micros, case.account.limits.max_fee_bps, BPS)
    observed = {"edge": text(gain), "fair": text(fair), "vwap": text(bought.vwap_micros), "fee": text(draft.fee_micros)}
    return unless({"no_edge": gain < least}, observed, {"edge": text(least)}, case.age_ms)


def _fair(case: Case, mid_micros: int) -> int:
    leader, most = case.trade.price_micros, max(case.account.limits.max_trade_age_ms, 1)
    age = min(max(case.age_ms, 0), most)
    return leader + (mid_micros - leader) * age // most


def slippage(case: Case) -> Verdict:
    """The limit, and so the average over the depth inside it, is no worse than the leader's price by more than the bound; and
    inside it is depth for an order that the venue takes."""
    draft, market, book = case.draft, case.market, case.book
    if draft is None or market is None or book is None:
        return missing("book")
    bound, got = slippage_bound(case, market.tick_micros), reach(draft, book, draft.limit_micros)
    buys = case.side is Side.BUY
    observed = {"limit_price": text(draft.limit_micros), "vwap": text(got.vwap_micros), "depth": text(got.usdc_micros)}
    least = _least_depth(draft, market)
    limit = {"bound": text(bound), "leader": text(case.trade.price_micros), "depth": text(least)}
    beyond = draft.limit_micros > bound if buys else draft.limit_micros < bound
    return unless({"beyond_bound": beyond, "no_depth": got.usdc_micros < least}, observed, limit)


def _least_depth(draft: Draft, market: Market) -> int:
    """What the book must hold inside the limit: the venue's minimum of a BUY (the order itself, if that is less), anything for a SELL."""
    if draft.side is Side.SELL:
        return 1
    return max(min(mul_div(least_entry(market, draft.limit_micros), draft.limit_micros, MICRO), draft.usdc_micros), 1)


def price_collar(case: Case) -> Verdict:
    """The limit price is no further beyond mid than the collar; an exit's no further than the policy's floor."""
    draft, market, book = case.draft, case.market, case.book
    if draft is None or market is None or book is None:
        return missing("book")
    bound = collar_bound(case, market, book)
    if bound is None:
        return missing("mid")
    observed, limit = {"limit_price": text(draft.limit_micros)}, {"collar": text(bound)}
    beyond = draft.limit_micros > bound if case.side is Side.BUY else draft.limit_micros < bound
    return unless({"beyond_collar": beyond}, observed, limit)
