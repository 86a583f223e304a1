"""Guards of flow: how much may be unsettled, how fast orders may follow each other, how often one token may be bought."""

from datetime import timedelta

from services.common.domain.money import BPS
from services.common.domain.verdict import Verdict
from services.engine.case import Case
from services.engine.guards.answer import count_at_most, missing

VENUE_ORDERS_PER_SECOND = 500
VENUE_ORDERS_PER_MINUTE = 12_000
"""The venue's own quota of orders (venue.md 3.11)."""

SHARE_OF_QUOTA_BPS = 2_000


def in_flight(case: Case) -> Verdict:
    """With this order, no more intents are unsettled or unknown than the market and the account may have."""
    if case.market is None:
        return missing("market")
    limits, others = case.account.limits, tuple(case.in_flight())
    here = sum(1 for intent in others if intent.condition_id == case.market.condition_id)
    market = count_at_most("market_in_flight", "market_intents", here + 1, limits.max_in_flight_market)
    account = count_at_most("account_in_flight", "account_intents", len(others) + 1, limits.max_in_flight_account)
    return account if market.ok else market


def message_rate(case: Case) -> Verdict:
    """With this order, no more are sent per second and minute than the account's limits and a part of the venue's quota allow."""
    if case.recent_orders is None:
        return missing("recent_orders")
    limits = case.account.limits
    second = min(limits.max_orders_per_second, VENUE_ORDERS_PER_SECOND * SHARE_OF_QUOTA_BPS // BPS)
    minute = min(limits.max_orders_per_minute, VENUE_ORDERS_PER_MINUTE * SHARE_OF_QUOTA_BPS // BPS)
    fast = count_at_most("per_second", "orders_per_second", _since(case, timedelta(seconds=1)) + 1, second)
    slow = count_at_most("per_minute", "orders_per_minute", _since(case, timedelta(minutes=1)) + 1, minute)
    return slow if fast.ok else fast


def repetition(case: Case) -> Verdict:
    """With this order, no more entries in one token than its window allows without a human's acknowledgement."""
    if case.repetitions is None or case.repetitions < 0:
        return missing("repetitions")
    return count_at_most("repeated", "entries", case.repetitions + 1, case.account.limits.max_repetitions)


def _since(case: Case, window: timedelta) -> int:
    return sum(1 for at in case.recent_orders or () if at > case.now - window)
