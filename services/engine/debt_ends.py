"""How a leader's SELL ends with its exit: with what was sold for it, or by the name of why nothing was. Pure."""

from collections.abc import Sequence

from services.common.domain.copy import Copy
from services.common.domain.exit import ExitState
from services.common.domain.lifecycle import CopyState

NOTHING_HELD = "nothing_held"
REMOVED = "removed"

REFUSED_BY = {
    "below_minimum": "sizing",
    "resolved": "viability",
    "sold_elsewhere": "position",
    "kept": "parties",
    REMOVED: REMOVED,
}
"""The guard whose rule ends an exit, by the reason of its end: a skipped debt names it as a skipped entry does."""

REASONS = {
    ExitState.DUST: "below_minimum",
    ExitState.RESOLVED: "resolved",
    ExitState.EXTERNAL: "sold_elsewhere",
    ExitState.KEPT: "kept",
}


def ending(debt: Copy, attempts: Sequence[Copy], reason: str, refused_by: str) -> tuple[CopyState, str] | None:
    """How a debt ends with its exit, once none of its attempts is under way any more: where, and why; None where it has ended.

    One that no attempt took with it is skipped for `refused_by`. What was sold with one may have failed to settle since, and be sold
    again by an attempt that it is no part of.
    """
    match debt.state:
        case CopyState.DETECTED:
            return CopyState.SKIPPED, refused_by
        case CopyState.EXECUTING:
            return CopyState.FAILED, reason
        case CopyState.EXECUTED if any(one.state is CopyState.RECONCILED and one.filled_micros for one in attempts):
            return CopyState.RECONCILED, ""
        case CopyState.EXECUTED:
            return CopyState.FAILED, "settlement_failed"
        case _:
            return None
