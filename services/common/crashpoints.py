"""Named places where a process can be made to die or freeze, so that tests prove that it may (orders.md 8).

`POLYCOPY_CRASH=after_record:3` kills the process at the third passage; `after_record:3:stop` freezes it. Unset, they cost a look-up.
"""

import os
import signal
from collections import Counter
from dataclasses import dataclass

CRASHPOINTS = frozenset({
    "before_insert",
    "after_insert_before_cursor",
    "after_cursor",
    "before_claim",
    "after_claim",
    "mid_decide",
    "after_decide",
    "mid_intent",
    "after_intent_before_sign",
    "after_sign_before_send",
    "mid_send",
    "after_answer_before_record",
    "after_record",
    "mid_resolve",
    "before_resend",
    "after_resend_journaled",
    "before_presumed_dead",
    "after_presumed_dead",
    "mid_group",
    "mid_exit_owed",
    "after_exit_owed",
    "mid_settle",
    "after_settle",
    "mid_reconcile",
    "mid_stop",
    "mid_release",
    "mid_shutdown",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """At which passage of which point to stop, and by which signal."""

    point: str
    passage: int
    signal: signal.Signals


def read(text: str) -> Plan | None:
    """The plan written in `POLYCOPY_CRASH`; raises ValueError for a name or form that is not known."""
    if not text:
        return None
    point, _, rest = text.partition(":")
    passage, _, how = rest.partition(":")
    if point not in CRASHPOINTS or how not in {"", "stop"}:
        raise ValueError(f"POLYCOPY_CRASH: {text!r} is not point[:passage[:stop]]")
    return Plan(point, int(passage or 1), signal.SIGSTOP if how else signal.SIGKILL)


_plan = read(os.environ.get("POLYCOPY_CRASH", ""))
_passages: Counter[str] = Counter()


def crashpoint(point: str) -> None:
    """Die or freeze here if the environment says so."""
    if _plan is None or _plan.point != point:
        return
    _passages[point] += 1
    if _passages[point] == _plan.passage:
        os.kill(os.getpid(), _plan.signal)
