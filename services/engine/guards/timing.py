"""Guards of time: how old the leader's trade is, and how much of the intent's life is left."""

from datetime import timedelta

from services.common.domain.verdict import Verdict
from services.engine.case import Case, age_ms
from services.engine.guards.answer import missing, unless


def trade_time(case: Case) -> Verdict:
    """The leader traded after the follow was made, not too long ago, and not ahead of the database's clock."""
    if case.follow is None:
        return missing("follow")
    limits, age = case.account.limits, case.age_ms
    observed = {"age_ms": str(age), "traded_at": case.trade.traded_at.isoformat()}
    limit = {
        "age_ms": str(limits.max_trade_age_ms),
        "least_age_ms": str(-limits.max_clock_ahead_ms),
        "followed_at": case.follow.created_at.isoformat(),
    }
    reasons = {
        "before_follow": case.trade.traded_at < case.follow.created_at,
        "in_future": -age > limits.max_clock_ahead_ms,
        "too_old": age > limits.max_trade_age_ms,
    }
    return unless(reasons, observed, limit, age)


def deadline(case: Case) -> Verdict:
    """What is left until the intent's deadline is enough to send it, and the deadline is no longer off than an intent may live."""
    if case.deadline_at is None:
        return missing("deadline")
    limits = case.account.limits
    left = age_ms(case.deadline_at, case.now)
    observed = {"left_ms": str(left)}
    limit = {"least_ms": str(limits.send_budget_ms), "most_ms": str(limits.intent_lifetime_ms)}
    reasons = {
        "too_late": case.now + timedelta(milliseconds=limits.send_budget_ms) > case.deadline_at,
        "too_far": case.deadline_at > case.now + timedelta(milliseconds=limits.intent_lifetime_ms),
    }
    return unless(reasons, observed, limit)
