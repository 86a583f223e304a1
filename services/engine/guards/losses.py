"""Guards of losses: the day's, and those since the account's best."""

from services.common.domain.exposure import is_opening
from services.common.domain.money import BPS, mul_div_up, text
from services.common.domain.verdict import Verdict
from services.engine.case import Case
from services.engine.guards.answer import missing, unless


def daily_loss(case: Case) -> Verdict:
    """What was realised today and what holdings have lost on their marks since the day began stays within the cap; gains on one side pay
    for the other.

    A holding without a mark counts as worth nothing. While it is not known what the day began with, all that holdings ever lost counts.
    `loss_cap` says that the cap is passed even if each holding without a mark were worth the most that a share can pay; `marks_missing`
    that it may be, and `opening_missing` that it may be and will be known in a moment.
    """
    marked = case.marked_micros
    if marked is None:
        return missing("marks")
    day, cap = case.account.exposure.day(case.now), case.account.limits.max_daily_loss_micros
    if cap < 0:
        return missing("loss_usdc")
    begun, awaited = day.opening_micros, day.opening_micros is None and is_opening(case.now)
    lost = max(day.lost_micros + case.held_micros - marked - (begun or 0), 0)
    certain = 0 if awaited else max(lost - case.unmarked_micros, 0)
    beyond = not lost <= cap
    reasons = {"loss_cap": not certain <= cap, "opening_missing": awaited and beyond, "marks_missing": beyond}
    observed = {"loss_usdc": text(lost), "certain_usdc": text(certain)}
    if begun is not None:
        observed["opening_usdc"] = text(begun)
    return unless(reasons, observed, {"loss_usdc": text(cap)})


def drawdown(case: Case) -> Verdict:
    """Equity is not too far below the best that it has been."""
    equity, best = case.equity_micros, case.account.exposure.high_water_micros
    if equity is None or equity < 0 or best < 0:
        return missing("equity")
    least = mul_div_up(best, BPS - case.account.limits.max_drawdown_bps, BPS)
    limit = {"equity": text(least), "high_water": text(best)}
    return unless({"too_deep": equity < least}, {"equity": text(equity)}, limit)
