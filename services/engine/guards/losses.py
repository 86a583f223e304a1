"""Guards of losses: the day's, and those since the account's best."""

from services.common.domain.money import BPS, mul_div_up, text
from services.common.domain.verdict import Verdict
from services.engine.case import Case
from services.engine.guards.answer import missing, unless


def daily_loss(case: Case) -> Verdict:
    """What was realised today and what holdings have lost on their marks stays within the cap; gains on one side pay for the other.

    A holding without a mark counts as worth nothing. `loss_cap` says that the cap is passed even if each were worth the most that a
    share can pay; `marks_missing` that it may be.
    """
    marked = case.marked_micros
    if marked is None:
        return missing("marks")
    realised = case.account.exposure.day(case.now).lost_micros
    lost = max(realised + case.held_micros - marked, 0)
    certain = max(lost - case.unmarked_micros, 0)
    cap = case.account.limits.max_daily_loss_micros
    if cap < 0:
        return missing("loss_usdc")
    reasons = {"loss_cap": not certain <= cap, "marks_missing": not lost <= cap}
    return unless(reasons, {"loss_usdc": text(lost), "certain_usdc": text(certain)}, {"loss_usdc": text(cap)})


def drawdown(case: Case) -> Verdict:
    """Equity is not too far below the best that it has been."""
    equity, best = case.equity_micros, case.account.exposure.high_water_micros
    if equity is None or equity < 0 or best < 0:
        return missing("equity")
    least = mul_div_up(best, BPS - case.account.limits.max_drawdown_bps, BPS)
    limit = {"equity": text(least), "high_water": text(best)}
    return unless({"too_deep": equity < least}, {"equity": text(equity)}, limit)
