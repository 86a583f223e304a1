"""Copies for the tests of transitions, and the entry that each adds to a trail."""

from dataclasses import replace

from services.common.domain import contents
from services.common.domain.copy import Copy
from services.common.domain.intent import Intent, IntentState, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.trail import TrailEntry, lengthened
from services.common.domain.verdict import Decision, Verdict
from tests.builders_case import NOON, a_copy, an_intent, seconds

S = CopyState
LATER = NOON + seconds(7)
SOON = NOON + seconds(60)
DECISION = Decision(NOON, 7, (Verdict("edge", False),))
OTHER_DECISION = Decision(NOON, 8, (Verdict("edge", True),))
SUMS = (9_000_000, 4_500_000, 30_000)
FINAL = an_intent(IntentState.FINAL, Outcome.REJECTED)


def a_used_copy(state: CopyState, **changes: object) -> Copy:
    """A copy with something in every field that a transition could change."""
    known = {
        "state": state,
        "claimable_at": NOON,
        "claimed_by": "w1",
        "fence": 4,
        "skip_reason": "edge",
        "failure": "venue_error",
        "decision": DECISION,
        "intent": an_intent(IntentState.OPEN, Outcome.UNKNOWN, Outcome.OPEN, empty_looks=2),
        "trail": (TrailEntry(1, NOON, "monitor", "detected", 0, after="a", digest="d1"),),
    }
    return a_copy(**known | changes)


def entry(copy: Copy, actor: str, action: str, at=LATER) -> tuple[TrailEntry, ...]:
    """The copy's trail with the draft that a transition of it adds."""
    return lengthened(copy.trail, at, actor, action, copy.fence, contents.hashed(contents.of_copy(copy)))


def answered(copy: Copy, *outcomes: Outcome, **changes: object) -> Intent:
    """The copy's intent with these outcomes of its attempts."""
    assert copy.intent
    pairs = zip(copy.intent.attempts, outcomes, strict=True)
    return replace(copy.intent, attempts=tuple(replace(one, outcome=outcome) for one, outcome in pairs), **changes)
