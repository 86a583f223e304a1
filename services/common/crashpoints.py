"""Named places where a process can be made to die or freeze, so that tests prove that it may (orders.md 8).

`POLYCOPY_CRASH=after_record:3` kills the process at the third passage; `after_record:3:stop` freezes it. With `POLYCOPY_CRASH=@file` that is
read from a file at each passage, so that a process that runs already can be struck. Unset, they cost a look-up.
"""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

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
    "mid_close_positions",
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


class Trap:
    """What `POLYCOPY_CRASH` asks for: a plan, or where one may come to stand."""

    def __init__(self, said: str) -> None:
        self._file = Path(said[1:]) if said.startswith("@") else None
        self._plan = None if self._file else read(said)
        self._written: tuple[int, str] | None = None
        self.passages: Counter[str] = Counter()

    def strikes(self, point: str) -> signal.Signals | None:
        """By which signal this passage ends; None where it does not."""
        if self._file:
            self._look(self._file)
        if self._plan is None or self._plan.point != point:
            return None
        self.passages[point] += 1
        return self._plan.signal if self.passages[point] == self._plan.passage else None

    def _look(self, file: Path) -> None:
        try:
            written = file.stat().st_mtime_ns, file.read_text().strip()
        except FileNotFoundError:
            written = None
        if written != self._written:
            self._written, self._plan = written, read(written[1]) if written else None
            self.passages.clear()


_trap = Trap(os.environ.get("POLYCOPY_CRASH", ""))


def crashpoint(point: str) -> None:
    """Die or freeze here if the environment says so."""
    if (how := _trap.strikes(point)) is not None:
        os.kill(os.getpid(), how)
