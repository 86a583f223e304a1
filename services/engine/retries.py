"""Whether a trade whose order came to nothing is tried again with another, and when (orders.md 5, 7)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.intent import Attempt, Outcome
from services.common.polymarket.classify import may_pass
from services.engine.generation import RETRY_AFTER


def retry_after(
    copy: Copy, attempts: Sequence[Attempt], most_age_ms: int, now: datetime, waits: Sequence[timedelta] = RETRY_AFTER
) -> timedelta | None:
    """How long a copy whose order has just become final, with nothing filled, waits for another; None where there is to be none.

    An exit opens its own attempts. An entry may be tried again while its trade is fresh, if none of the answers to these attempts
    would be given to any other order as well.
    """
    if copy.kind is not CopyKind.ENTRY or copy.retry_count >= len(waits):
        return None
    if not all(_may_pass(attempt) for attempt in attempts):
        return None
    wait = waits[copy.retry_count]
    age = now + wait - copy.trade.traded_at
    return wait if age <= timedelta(milliseconds=most_age_ms) else None


def _may_pass(attempt: Attempt) -> bool:
    """What came of it says nothing of the next order: it was not sent, met nobody, or was refused for a reason that may pass."""
    match attempt.outcome:
        case Outcome.NOT_SENT:
            return True
        case Outcome.ACKED:
            return attempt.code == "unmatched"
        case Outcome.REJECTED:
            return may_pass(attempt.code)
        case _:
            return False
