"""A refusal tells the nearest figure that would have passed: with it the guard allows the order, and a step short of it does not."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from services.common.domain.verdict import Verdict
from services.engine.counterfactual import BOUNDS, Difference, Relation, difference
from services.engine.guards import GUARDS
from services.engine.pipeline import decide
from tests.counterfactuals import appliers, unlikely
from tests.guard_rows import ROWS

JUDGES = {guard.__name__: guard for guard in GUARDS}
APPLY = appliers(JUDGES)
REFUSED = {
    **{f"{guard}: {bound}": (guard, reason, beyond) for guard, bound, _, beyond, reason in ROWS if reason != "missing"},
    **{f"{guard}: {reason}": (guard, reason, lambda case=case: case) for (guard, reason), case in unlikely().items()},
}
# Of what has to equal one figure every other is refused: there is nothing a step short of it.
STEPPED = [name for name, (guard, reason, _) in REFUSED.items() if BOUNDS[guard, reason].relation is not Relation.EQUAL]
# Sizes that are drafted have steps of their own, by price and lot.
SIZES = Decimal("0.5")
IN_WHOLE = {
    "age_ms",
    "left_ms",
    "entries",
    "own_orders",
    "market_intents",
    "account_intents",
    "orders_per_second",
    "orders_per_minute",
}


def test_every_reason_of_every_guard_is_told_and_tried():
    assert {(guard, reason) for guard, reason, _ in REFUSED.values()} == set(BOUNDS)


@pytest.mark.parametrize("name", REFUSED)
def test_with_the_nearest_figure_the_guard_would_have_allowed_it(name):
    guard, reason, refused = REFUSED[name]
    case, judge = refused(), JUDGES[guard]
    verdict = judge(case)
    assert (verdict.ok, verdict.reason) == (False, reason)
    found = difference(verdict)

    assert found
    assert found.observed == verdict.observed[found.name]
    applied = judge(APPLY[guard, found.name](case, found.needed))
    assert applied.ok, (found, applied)


@pytest.mark.parametrize("name", STEPPED)
def test_a_step_short_of_the_nearest_figure_the_guard_refuses_still(name):
    guard, _, refused = REFUSED[name]
    case, judge = refused(), JUDGES[guard]
    found = difference(judge(case))

    assert found
    assert not judge(APPLY[guard, found.name](case, short_of(guard, found))).ok


def short_of(guard: str, found: Difference) -> str:
    """The figure next to what was needed, on the side where the case was."""
    if found.name == "traded_at":
        return (datetime.fromisoformat(found.needed) - timedelta(milliseconds=1)).isoformat()
    step = (
        SIZES if (guard, found.name) == ("sizing", "shares") else Decimal(1 if found.name in IN_WHOLE else "0.000001")
    )
    sign = {Relation.AT_MOST: 1, Relation.BELOW: 1, Relation.AT_LEAST: -1}[found.relation]
    return format(Decimal(found.needed) + sign * step, "f")


def test_a_guard_that_allowed_broke_or_is_not_known_tells_nothing():
    allowed = decide(ROWS[0][2]()).decision.verdicts

    assert {difference(verdict) for verdict in allowed} == {None}
    assert difference(Verdict("edge", False, "error", {"error": "KeyError"})) is None
    assert difference(Verdict("a_guard_of_old", False, "too_blue")) is None
    assert difference(Verdict("edge", False, "no_edge", {"edge": "1"})) is None


def test_a_fact_that_was_missing_had_only_to_be_known():
    assert difference(Verdict("parties", False, "missing", {"missing": "tags"}, {"missing": "none"})) == Difference(
        "tags", Relation.KNOWN, "", ""
    )
