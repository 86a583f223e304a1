"""When an order may be sent again, and when a new one may be made for the same copy (orders.md 5)."""

from collections.abc import Sequence
from datetime import timedelta

from services.common.domain.copy import Copy
from services.common.domain.intent import Intent, IntentState

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


def exit_pause(failures: int) -> timedelta:
    """How long an exit rests after so many attempts in a row that sold nothing; doubling, up to a minute."""
    return min(EXIT_PAUSE * 2 ** min(failures - 1, 10), LONGEST_EXIT_PAUSE) if failures > 0 else timedelta(0)
