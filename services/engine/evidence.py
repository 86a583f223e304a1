"""What shows that an order matched, and how much: an answer, trades that name its hash, logs of its hash. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.domain.fill import TradeStatus
from services.common.domain.intent import Attempt, Intent, Outcome
from services.common.domain.market import Side
from services.common.domain.money import MICRO, mul_div
from services.common.ports.chain import FillLog
from services.common.ports.venue import Answer, VenueTrade

ARRIVED = frozenset({"matched", "delayed", "live"})
"""The venue's words for an order that it has: sending it again would tell nothing new."""


@dataclass(frozen=True, slots=True)
class Match:
    """What an order is known to have moved, in micro-shares and micro-USDC; provisional until settled."""

    shares_micros: int
    usdc_micros: int
    fee_micros: int = 0


def of_answer(answer: Answer, intent: Intent) -> Match | None:
    """The amounts of a matched answer, trusted only where they cannot exceed the intent: their units are not settled (venue.md 3.5)."""
    shares, usdc = answer.shares_micros, answer.usdc_micros
    if answer.outcome is not Outcome.ACKED or not shares or not usdc or shares < 0 or usdc < 0:
        return None
    return Match(shares, usdc) if _within(shares, usdc, intent) else None


def _within(shares: int, usdc: int, intent: Intent) -> bool:
    # One cent of slack: the venue rounds its sums.
    worst = mul_div(shares, intent.limit_micros, MICRO)
    if intent.fields.side is Side.BUY:
        return usdc <= intent.fields.maker_amount and usdc <= worst + 10_000
    return shares <= intent.fields.maker_amount and usdc + 10_000 >= worst


def of_trades(trades: Sequence[VenueTrade]) -> Match | None:
    """The sum of the trades of an order. Failed ones count only where there is nothing else: settlement decides what they were."""
    alive = [trade for trade in trades if trade.status is not TradeStatus.FAILED] or list(trades)
    shares = sum(trade.shares_micros for trade in alive)
    return Match(shares, sum(mul_div(t.shares_micros, t.price_micros, MICRO) for t in alive)) if shares else None


def of_logs(logs: Sequence[FillLog]) -> Match | None:
    """The sum of an order's logs, fee included."""
    fills = [log.fill for log in logs if not log.removed]
    shares = sum(fill.shares_micros for fill in fills)
    usdc, fee = sum(fill.usdc_micros for fill in fills), sum(fill.fee for fill in fills)
    return Match(shares, usdc, fee) if shares else None


def is_zero(answer: Answer) -> bool:
    """The venue says that this order has matched nothing and never will; no amounts yet of one that is delayed are no such word."""
    return answer.outcome is Outcome.ACKED and answer.status == "unmatched" and not answer.shares_micros


def has_arrived(attempt: Attempt) -> bool:
    """The venue has said that it holds this order, whatever became of it."""
    return attempt.outcome is Outcome.DUPLICATED or attempt.code in ARRIVED


def left_the_host(intent: Intent) -> bool:
    """Whether any attempt may have reached the venue."""
    return any(attempt.outcome is not Outcome.NOT_SENT for attempt in intent.attempts)
