"""Exits of a leader's steps, the purchases and the sales that they are about, and what an exit may have to do."""

from datetime import timedelta
from itertools import count

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Exit, ExitState, Place, Step
from services.common.domain.intent import IntentState, Outcome
from services.common.domain.lifecycle import CopyState
from services.engine.exits import Due, DueKind
from tests.builders_case import NOON, SHARE, YES, a_copy, a_trade, an_intent

ALL = (20, 100, 100)
TENTH = (20, 10, 100)
HALF = (20, 1, 2)

NAMES = count()


def an_entry(block: int, filled: int, state: CopyState = CopyState.RECONCILED) -> Copy:
    """A BUY of ours that filled so many shares, for a leader's trade of that block."""
    trade = a_trade(block_number=block, log_index=0)
    return a_copy(copy_id=f"e{next(NAMES)}", trade=trade, state=state, filled_micros=filled * SHARE)


def an_attempt(filled: float, state: CopyState = CopyState.RECONCILED, *outcomes: Outcome, asked: float = 0) -> Copy:
    """An attempt of ours that sold so many shares of those it asked for."""
    intent = an_intent(IntentState.FINAL, *(outcomes or (Outcome.ACKED,)), shares_micros=round(asked * SHARE))
    return a_copy(
        copy_id=f"x{next(NAMES)}", kind=CopyKind.EXIT, state=state, filled_micros=round(filled * SHARE), intent=intent
    )


def an_exit(*steps: tuple[int, int, int]) -> Exit:
    """An exit with steps (block, decrease, before)."""
    kept = tuple(Step(f"s{block}", Place(block, 0), decrease, before) for block, decrease, before in steps)
    return Exit("exit", "main", "follow", YES, ExitState.OPEN, kept, NOON - timedelta(minutes=1))


def sale(shares: float) -> Due:
    return Due(DueKind.SELL, "owed", round(shares * SHARE))


def wait(reason: str) -> Due:
    return Due(DueKind.WAIT, reason)


def end(reason: str, state: ExitState) -> Due:
    return Due(DueKind.END, reason, state=state)
