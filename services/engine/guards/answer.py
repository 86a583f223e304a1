"""How a guard answers: yes, no with its figures, or no because a figure is not known."""

from collections.abc import Callable, Mapping
from functools import wraps

from services.common.domain.money import text
from services.common.domain.verdict import Verdict
from services.engine.case import Case

Judge = Callable[[Case], Verdict]


def allow(observed: Mapping[str, str], limit: Mapping[str, str], age_ms: int | None = None) -> Verdict:
    """The copy may pass, and why."""
    return Verdict("", True, "", observed, limit, age_ms)


def unless(
    reasons: Mapping[str, bool], observed: Mapping[str, str], limit: Mapping[str, str], age_ms: int | None = None
) -> Verdict:
    """The copy may pass unless one of the reasons holds; the first that does names the refusal."""
    reason = next((reason for reason, holds in reasons.items() if holds), "")
    return Verdict("", not reason, reason, observed, limit, age_ms)


def missing(*names: str) -> Verdict:
    """The copy may not pass: these facts are not known, or are no figures that could be."""
    return Verdict("", False, "missing", {"missing": ", ".join(names)}, {"missing": "none"})


def at_most(reason: str, name: str, observed: int, limit: int) -> Verdict:
    """Allow a figure of millionths up to its limit, itself included; neither may be negative."""
    if observed < 0 or limit < 0:
        return missing(name)
    return unless({reason: not observed <= limit}, {name: text(observed)}, {name: text(limit)})


def count_at_most(reason: str, name: str, observed: int, limit: int) -> Verdict:
    """Allow a count up to its limit, itself included; neither may be negative."""
    if observed < 0 or limit < 0:
        return missing(name)
    return unless({reason: not observed <= limit}, {name: str(observed)}, {name: str(limit)})


def of_everything(judge: Judge) -> Judge:
    """A guard of entries and exits, whose verdicts carry its name."""

    @wraps(judge)
    def named(case: Case) -> Verdict:
        verdict = judge(case)
        return Verdict(judge.__name__, verdict.ok, verdict.reason, verdict.observed, verdict.limit, verdict.age_ms)

    return named


def of_entries(judge: Judge) -> Judge:
    """A guard that exits pass unasked: limits on entries never trap a position."""

    @wraps(judge)
    def entries_only(case: Case) -> Verdict:
        return judge(case) if case.is_entry else allow({"kind": str(case.copy.kind)}, {"kind": "entry"})

    return of_everything(entries_only)
