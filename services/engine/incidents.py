"""What went wrong with the orders of the last minutes: what the gate's brakes are made of."""

from collections.abc import Iterable, Iterator

from services.common.domain.copy import Copy
from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.recent_order import RecentOrder, market_of
from services.engine import evidence
from services.engine.process_facts import Incident, Trouble


def incidents(orders: Iterable[RecentOrder]) -> Iterator[Incident]:
    """What went wrong with these orders."""
    for order in orders:
        for trouble in _troubles(order):
            yield Incident(trouble, order.leader, order.market, order.sent_at)


def reviews(copies: Iterable[Copy]) -> Iterator[Incident]:
    """One for each copy that wants a review: it weighs until somebody acknowledges it, however old it is."""
    for copy in copies:
        yield Incident(Trouble.REVIEW, copy.trade.leader, market_of(copy), copy.detected_at)


def _troubles(order: RecentOrder) -> Iterator[Trouble]:
    # An order that the venue delays is in its hands, not lost.
    if any(attempt.outcome is Outcome.UNKNOWN and not evidence.has_arrived(attempt) for attempt in order.attempts):
        yield Trouble.UNKNOWN
    for _ in range(order.rejections):
        yield Trouble.REJECTED
    if order.failure == "settlement_failed":
        yield Trouble.UNSETTLED
