"""Getting out, whatever dies: every exit is met, or somebody is told; and exits without one of their rules are found out."""

import warnings

import pytest

from services.common.domain.exit import Cause, ExitState
from services.common.domain.follow import FollowState
from tests.simulation.leaving import LeavingWorld, quicker, simulate, states
from tests.simulation.leaving_invariants import broken
from tests.simulation.leaving_mutants import MUTANTS
from tests.simulation.virtual_time import run

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

USUAL = 60
BLOCK = 20
NIGHTLY = 20_000

PINS: dict[str, int] = {
    "a_request_is_not_kept": 1,
    "a_request_dies_with_its_maker": 31,
    "what_is_given_away_is_not_seen": 0,
    "every_order_of_a_transaction_is_a_step": 2,
    "what_came_earlier_in_the_block_is_forgotten": 0,
    "keeping_is_not_noted": 33,
    "an_exit_ends_while_its_sale_settles": 5,
    "nobody_is_told_of_an_exit_that_is_stuck": 76,
    "what_is_old_is_held_on": 5,
    "a_deleted_follow_sells_nothing": 2,
}
"""A seed that breaks each variant; where the code has moved, the next one that does is found."""


@pytest.fixture(autouse=True)
def told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    quicker(monkeypatch)


def played(seed: int) -> LeavingWorld:
    return run(simulate(seed))


def off(seeds: range) -> dict[int, list[str]]:
    found = ((seed, broken(played(seed))) for seed in seeds)
    return {seed: lines for seed, lines in found if lines}


def blocks(first: int, last: int) -> list[range]:
    return [range(start, start + BLOCK) for start in range(first, last, BLOCK)]


@pytest.mark.parametrize("seeds", blocks(0, USUAL), ids=lambda seeds: f"{seeds.start} to {seeds.stop - 1}")
def test_whatever_dies_every_exit_is_met_or_somebody_is_told(seeds: range):
    assert off(seeds) == {}


@pytest.mark.nightly
@pytest.mark.parametrize("seeds", blocks(USUAL, NIGHTLY), ids=lambda seeds: f"{seeds.start} to {seeds.stop - 1}")
def test_every_exit_is_met_every_night(seeds: range):
    assert off(seeds) == {}


@pytest.mark.parametrize("name", MUTANTS)
def test_exits_without_one_of_their_rules_are_found_out(name: str):
    seed = next((one for one in (PINS[name], *range(300)) if _is_broken_by(name, one)), None)

    assert seed is not None
    assert broken(played(seed)) == []
    if seed != PINS[name]:
        warnings.warn(f"{name} is caught by {seed} now", stacklevel=1)


def _is_broken_by(name: str, seed: int) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name](patch)
        return bool(broken(played(seed)))


def test_the_usual_seeds_meet_what_they_are_for():
    seen = [played(seed) for seed in range(BLOCK)]

    exits = [exit_ for world in seen for exit_ in world.stores.database.exits.values()]
    causes = {step.cause for exit_ in exits for step in exit_.steps}
    assert causes >= {Cause.LEADER, Cause.TIME, Cause.REQUEST}
    assert {exit_.state for exit_ in exits} >= {ExitState.MET, ExitState.KEPT}
    assert any(exit_.overdue for exit_ in exits)
    assert any(FollowState.CLOSED in states(world).values() for world in seen)
    assert any(given.orders == 0 for world in seen for given in world.given.values())
