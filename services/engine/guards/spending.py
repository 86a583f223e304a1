"""Guards of the day's spending, per leader and in all."""

from services.common.domain.verdict import Verdict
from services.engine.at_risk import leader_day_micros
from services.engine.case import Case
from services.engine.guards.answer import at_most, missing


def leader_day(case: Case) -> Verdict:
    """What is copied from this leader today (UTC) stays within its cap."""
    if case.draft is None:
        return missing("draft")
    would_be = leader_day_micros(case) + case.draft.usdc_micros
    return at_most("leader_cap", "leader_day_usdc", would_be, case.account.limits.max_leader_day_micros)


def daily_spend(case: Case) -> Verdict:
    """What is sent to buy today (UTC) stays within its cap."""
    if case.draft is None:
        return missing("draft")
    would_be = case.account.exposure.day(case.now).spent_micros + case.draft.usdc_micros
    return at_most("spend_cap", "day_usdc", would_be, case.account.limits.max_daily_spend_micros)
