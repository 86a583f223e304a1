"""How long the signature of an order is kept: sealed from the first, and no longer than its copy may be asked about (security.md 8)."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.common.domain.copy import Copy
from services.common.domain.intent import Intent, IntentState
from services.common.domain.lifecycle import TERMINAL
from services.common.domain.transitions import REVIEWED

KEPT = timedelta(days=30)
"""After the copy is final."""

BARE = "0x"


def checked(signature: str) -> str:
    """What may be stored. Raises `ValueError` for a signature that anybody could read."""
    if not signature or signature.startswith(BARE):
        raise ValueError("a signature is stored sealed or not at all")
    return signature


def forget_at(copy: Copy) -> datetime | None:
    """When the signatures of its orders are deleted; None while it is not final, or has none."""
    over = copy.state in TERMINAL and copy.intent is not None and copy.intent.state is IntentState.FINAL
    if not over or not any(intent.signature for intent in copy.intents):
        return None
    # Looking at a copy that is over does not make it younger.
    moves = (entry.at for entry in reversed(copy.trail) if not entry.action.startswith(REVIEWED))
    return next(moves, copy.detected_at) + KEPT


def forgotten(copy: Copy) -> Copy:
    """The copy without signatures: what its trail vouches for stays as it is."""
    past = tuple(_bare(intent) for intent in copy.past_intents)
    return replace(copy, intent=_bare(copy.intent) if copy.intent else None, past_intents=past)


def _bare(intent: Intent) -> Intent:
    return replace(intent, signature="")
