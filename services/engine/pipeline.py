"""The choke point: the only place where an order is approved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from services.common.domain.verdict import Decision, Verdict
from services.engine.case import Case, Draft
from services.engine.decision_record import kept
from services.engine.guards import GUARDS

Guard = Callable[[Case], Verdict]


@dataclass(frozen=True, slots=True)
class Approved:
    """An order that every guard allowed. The executor accepts nothing else."""

    case: Case
    draft: Draft
    decision: Decision


@dataclass(frozen=True, slots=True)
class Refused:
    """An order that a guard refused, or that no guard was asked about."""

    case: Case
    decision: Decision

    @property
    def skip_reason(self) -> str:
        """The guard whose refusal comes first."""
        refusals = self.decision.refusals
        return refusals[0].guard if refusals else "no_guards"


def decide(case: Case, guards: Sequence[Guard] = GUARDS) -> Approved | Refused:
    """Ask every guard; approve only when none refuses. The decision keeps the whole report and the case it was made on."""
    verdicts = tuple(_ask(guard, case) for guard in guards)
    if case.draft is None:
        verdicts = (*verdicts, Verdict("draft", False, "missing", {"missing": "draft"}))
    market = case.market.condition_id if case.market else ""
    decision = Decision(case.now, case.account.seq, verdicts, kept(case), market)
    if case.draft is None or not decision.allowed:
        return Refused(case, decision)
    return Approved(case, case.draft, decision)


def _ask(guard: Guard, case: Case) -> Verdict:
    name = getattr(guard, "__name__", repr(guard))
    try:
        return replace(guard(case), guard=name)
    except Exception as error:  # noqa: BLE001  a guard that breaks has not allowed anything
        return Verdict(name, False, "error", {"error": type(error).__name__})
