"""Getting out, whatever dies: every exit is met, or somebody is told; and exits without one of their rules are found out."""

import warnings

import pytest

from services.common.domain.exit import Cause, ExitState
from services.common.domain.follow import FollowState
from tests.simulation.leaving import LeavingWorld, quicker, simulate, states
from tests.simulation.pins import LEAVING
from tests.simulation.virtual_time import run

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

USUAL = 120
BLOCK = 20
NIGHTLY = 20_000


@pytest.fixture(autouse=True)
def told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    quicker(monkeypatch)


def played(seed: int) -> LeavingWorld:
    return run(simulate(seed))


def blocks(first: int, last: int) -> list[range]:
    return [range(start, start + BLOCK) for start in range(first, last, BLOCK)]


@pytest.mark.parametrize("seeds", blocks(0, USUAL), ids=lambda seeds: f"{seeds.start} to {seeds.stop - 1}")
def test_whatever_dies_every_exit_is_met_or_somebody_is_told(seeds: range):
    assert LEAVING.off(seeds) == {}


@pytest.mark.nightly
@pytest.mark.parametrize("seeds", blocks(USUAL, NIGHTLY), ids=lambda seeds: f"{seeds.start} to {seeds.stop - 1}")
def test_every_exit_is_met_every_night(seeds: range):
    assert LEAVING.off(seeds) == {}


@pytest.mark.parametrize("name", LEAVING.variants)
def test_exits_without_one_of_their_rules_are_found_out(name: str):
    pinned = LEAVING.pinned().get(name, [])
    seed = next(LEAVING.found(name, pinned, 300), None)

    assert seed is not None
    if seed not in pinned:
        warnings.warn(f"python -m tests.simulation.pins {name}: none of {pinned} catches it, {seed} does", stacklevel=1)


def test_the_usual_seeds_meet_what_they_are_for():
    seen = [played(seed) for seed in range(BLOCK)]

    exits = [exit_ for world in seen for exit_ in world.stores.database.exits.values()]
    causes = {step.cause for exit_ in exits for step in exit_.steps}
    assert causes >= {Cause.LEADER, Cause.TIME, Cause.REQUEST}
    assert {exit_.state for exit_ in exits} >= {ExitState.MET, ExitState.KEPT}
    assert any(exit_.overdue for exit_ in exits)
    assert any(FollowState.CLOSED in states(world).values() for world in seen)
    assert any(given.orders == 0 for world in seen for given in world.given.values())
