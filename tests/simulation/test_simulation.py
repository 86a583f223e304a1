"""The production monitor, engine and reconciler under crashes, stalls, lost answers and lying reads, on virtual time.

A seed is a whole run, and the same every time: `pytest tests/simulation -k whatever_dies --sim-seed 66` plays one again, and no other.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from services.monitor.removals import REASON
from tests.simulation.pins import COPYING
from tests.simulation.virtual_time import run
from tests.simulation.weather import Weather
from tests.simulation.world import World, simulate

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""A process that dies leaves calls behind that never began."""

BLOCK = 50
USUAL = 500
NIGHTLY = 100_000

ONCE_BROKEN = (
    66,
    67,
    101,
    114,
    158,
    390,
    546,
    604,
    670,
    692,
    776,
    839,
    965,
    1131,
    1224,
    1442,
    1474,
    440,
    442,
    613,
    910,
    1828,
    2735,
    3609,
    4599,
    9208,
    10529,
)
"""Seeds that have found something once; they are played for ever."""


def played(seed: int) -> World:
    return run(simulate(seed))


def blocks(first: int, last: int) -> list[range]:
    return [range(start, start + BLOCK) for start in range(first, last, BLOCK)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "usual" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--sim-seed")
        seeds = [wanted] if wanted else blocks(0, USUAL)
        metafunc.parametrize("usual", seeds, ids=lambda some: f"{some[0]} to {some[-1]}")


def test_whatever_dies_every_trade_ends_with_one_order_or_a_named_reason(usual: Sequence[int]):
    assert COPYING.off(usual) == {}


@pytest.mark.nightly
@pytest.mark.parametrize("seeds", blocks(USUAL, NIGHTLY), ids=lambda seeds: f"{seeds.start} to {seeds.stop - 1}")
def test_whatever_dies_every_night(seeds: range):
    assert COPYING.off(seeds) == {}


def test_what_was_found_once_stays_mended(monkeypatch: pytest.MonkeyPatch):
    drawn = Weather.drawn

    def as_it_was(seed: int, random: Random) -> Weather:
        """They were found before anybody stopped for long, and before settlements were taken back."""
        now = drawn(seed, random)
        return replace(now, undoings=0, long_stop=False, reorgs=0.3 if now.reorgs else 0)

    monkeypatch.setattr(Weather, "drawn", staticmethod(as_it_was))

    assert COPYING.off(ONCE_BROKEN) == {}


@pytest.mark.parametrize("name", COPYING.variants)
def test_the_protocol_without_one_of_its_rules_is_found_out(name: str):
    pinned = COPYING.pinned().get(name, [])
    seed = next(COPYING.found(name, pinned, 4 * USUAL), None)

    assert seed is not None
    if seed not in pinned:
        warnings.warn(f"python -m tests.simulation.pins {name}: none of {pinned} catches it, {seed} does", stacklevel=1)


def test_the_same_seed_is_the_same_run():
    once, again = played(7), played(7)

    assert [copy.trail for copy in once.copies] == [copy.trail for copy in again.copies]
    assert once.copies


def test_the_usual_seeds_meet_what_they_are_for():
    seen = [played(seed) for seed in range(40)]

    states = {(copy.state, copy.failure) for world in seen for copy in world.copies}
    attempts = max(len(copy.intent.attempts) for world in seen for copy in world.copies if copy.intent)
    assert {"presumed_dead", "settlement_failed", "unmatched", "rejected"} <= {failure for _, failure in states}
    assert attempts == 3
    assert any(world.stores.database.exits for world in seen)
    tried = [one for world in seen for copy in world.copies for intent in copy.intents for one in intent.attempts]
    assert {"ReadTimeout", "ConnectError", "not enough balance / allowance"} <= {one.code for one in tried}
    assert any(world.reorgs for world in seen)
    assert any(world.venue.undone for world in seen)
    assert any(copy.skip_reason == REASON for world in seen for copy in world.copies)
    assert any(world.weather.signer for world in seen)
    assert any(feed.trades(known) for world in seen for feed in world.feeds for known in world.venue.arrived)
    assert {bool(world.weather.clocks) for world in seen} == {True, False}
