"""What went wrong with the orders of the last minutes: what the gate's brakes are made of."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.common.domain.intent import Outcome
from services.common.domain.recent_order import RecentOrder
from services.engine import evidence
from services.engine.process_facts import Incident, Trouble


def incidents(orders: Iterable[RecentOrder], since: datetime) -> Iterator[Incident]:
    """What went wrong with the orders sent since then. A review weighs until somebody acknowledges it, however old it is."""
    for order in orders:
        found = _troubles(order) if order.sent_at >= since else ()
        for trouble in (*found, *((Trouble.REVIEW,) if order.needs_review else ())):
            yield Incident(trouble, order.leader, order.market, order.sent_at)


def _troubles(order: RecentOrder) -> Iterator[Trouble]:
    # An order that the venue delays is in its hands, not lost.
    if any(attempt.outcome is Outcome.UNKNOWN and not evidence.has_arrived(attempt) for attempt in order.attempts):
        yield Trouble.UNKNOWN
    for _ in range(order.rejections):
        yield Trouble.REJECTED
    if order.failure == "settlement_failed":
        yield Trouble.UNSETTLED
