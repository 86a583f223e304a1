"""Every guard at its bound and one step beyond it; beyond it, that guard alone refuses."""

import pytest

from services.engine.guards import GUARDS
from services.engine.pipeline import Approved, Refused, decide
from tests.guard_rows import IDS, ROWS


@pytest.mark.parametrize(("guard", "bound", "within", "beyond", "reason"), ROWS, ids=IDS)
def test_at_the_bound_a_copy_passes(guard, bound, within, beyond, reason):
    outcome = decide(within())

    assert isinstance(outcome, Approved), outcome.decision.refusals


@pytest.mark.parametrize(("guard", "bound", "within", "beyond", "reason"), ROWS, ids=IDS)
def test_one_step_beyond_the_bound_that_guard_alone_refuses(guard, bound, within, beyond, reason):
    outcome = decide(beyond())

    assert isinstance(outcome, Refused)
    assert [(verdict.guard, verdict.reason) for verdict in outcome.decision.refusals] == [(guard, reason)]
    assert outcome.skip_reason == guard


@pytest.mark.parametrize("removed", GUARDS, ids=lambda guard: guard.__name__)
def test_without_a_guard_something_passes_that_must_not(removed):
    rest = [guard for guard in GUARDS if guard is not removed]

    freed = [guard for guard, _, _, beyond, _ in ROWS if isinstance(decide(beyond(), rest), Approved)]

    assert set(freed) == {removed.__name__}


@pytest.mark.parametrize(("guard", "bound", "within", "beyond", "reason"), ROWS, ids=IDS)
def test_a_refusal_says_what_would_have_had_to_differ(guard, bound, within, beyond, reason):
    (refusal,) = decide(beyond()).decision.refusals

    assert refusal.observed
    assert refusal.limit
    assert all(isinstance(figure, str) for figure in (*refusal.observed.values(), *refusal.limit.values()))
