"""What an account already has at stake where one case would add to it. Sums of cost, in micro-USDC, over every leader."""

from collections.abc import Iterable

from services.common.domain.account import Holding
from services.common.domain.market import Side
from services.engine.case import Case


def market_micros(case: Case, condition_id: str) -> int:
    """Held and being bought in one market."""
    held = sum(holding.cost_micros for holding in _held(case) if holding.condition_id == condition_id)
    buying = sum(i.usdc_micros for i in case.in_flight(Side.BUY) if i.condition_id == condition_id)
    return held + buying


def gross_micros(case: Case) -> int:
    """Held and being bought in all."""
    return case.held_micros + sum(intent.usdc_micros for intent in case.in_flight(Side.BUY))


def leader_day_micros(case: Case) -> int:
    """Spent today (UTC) on copies of this leader."""
    leader = case.trade.leader.lower()
    day = case.account.exposure.day(case.now)
    return sum(spent for name, spent in day.leaders.items() if name.lower() == leader)


def selling_micros(case: Case, token_id: str) -> int:
    """Shares of a token in sales that are not settled."""
    return sum(intent.shares_micros for intent in case.in_flight(Side.SELL) if intent.token_id == token_id)


def promised_micros(case: Case) -> int:
    """Cash that purchases in flight may still take, their highest fees included."""
    return sum(intent.usdc_micros + intent.fee_micros for intent in case.in_flight(Side.BUY))


def _held(case: Case) -> Iterable[Holding]:
    return case.account.exposure.held.values()
