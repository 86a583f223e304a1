"""When an order may be sent again, and when a new one may be made for the same copy (orders.md 5)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.intent import Attempt, Intent, IntentState, Outcome
from services.common.polymarket.classify import may_pass

RESEND_AFTER = (timedelta(seconds=1), timedelta(seconds=3), timedelta(seconds=9))
"""How long after attempt n the same bytes are looked up and sent again; the last is the wait before giving up begins."""

MAX_ATTEMPTS = 3
RETRY_AFTER = (timedelta(seconds=1), timedelta(seconds=3))
"""How long after an order came to nothing the next may be made for the same copy: three orders in all, more no signer signs."""

EXIT_PAUSE = timedelta(seconds=1)
LONGEST_EXIT_PAUSE = timedelta(seconds=60)


def wait_after(attempts: int, waits: Sequence[timedelta] = RESEND_AFTER) -> timedelta:
    """How long an intent rests after its n-th attempt has come to nothing that is known."""
    return waits[min(max(attempts, 1), len(waits)) - 1]


def may_resend(intent: Intent, most: int = MAX_ATTEMPTS) -> bool:
    """Whether the same bytes may go out once more: the order may still live, and has not been sent too often."""
    return intent.state is IntentState.OPEN and len(intent.attempts) < most


def allows_another(copy: Copy) -> bool:
    """Whether a new order may be made for the copy: it has none, or the last is final and no generation has filled anything."""
    return copy.intent is None or (copy.intent.is_final and copy.filled_micros == 0)


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


def exit_pause(failures: int) -> timedelta:
    """How long an exit rests after so many attempts in a row that sold nothing; doubling, up to a minute."""
    return min(EXIT_PAUSE * 2 ** min(failures - 1, 10), LONGEST_EXIT_PAUSE) if failures > 0 else timedelta(0)
