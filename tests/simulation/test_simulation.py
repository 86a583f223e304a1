"""The production monitor, engine and reconciler under crashes, stalls, lost answers and lying reads, on virtual time.

A seed is a whole run, and the same every time: `pytest tests/simulation -k whatever_dies --sim-seed 66` plays one again, and no other.
"""

from collections.abc import Sequence

import pytest

from tests.simulation.invariants import broken
from tests.simulation.mutants import MUTANTS
from tests.simulation.virtual_time import run
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
    2735,
    3609,
)
"""Seeds that have found something once; they are played for ever."""

CAUGHT_BY: dict[str, int] = {
    "a_timeout_is_signed_anew": 1,
    "an_order_is_sent_before_its_intent_is_stored": 0,
    "not_found_is_dead_and_signed_anew": 2,
    "an_impatient_timer_gives_up_and_signs_anew": 1,
    "an_impatient_timer_gives_up_and_nobody_watches": 4,
    "a_patient_timer_gives_up_and_signs_anew": 1,
    "a_patient_timer_gives_up_and_nobody_watches": 1,
    "a_server_error_is_a_rejection": 9,
    "a_duplicate_is_a_rejection": 231,
    "matched_is_final": 15,
    "keys_are_not_unique": 0,
    "the_cursor_moves_before_the_copies_exist": 21,
    "one_rejection_ends_the_order": 42,
    "a_zero_fill_is_final_while_an_attempt_is_unanswered": 202,
    "one_rejection_is_followed_by_another_order": 146,
    "a_zero_fill_is_followed_by_another_order_while_an_attempt_is_unanswered": 333,
    "what_was_given_up_is_followed_by_another_order": 64,
    "writes_carry_no_fence": 44,
    "nothing_is_ever_given_up": 3,
    "the_accounts_line_is_not_compared": 255,
    "a_resend_does_not_look_at_the_stop": 260,
    "an_exit_forgets_what_it_sold": 6,
    "attempts_of_an_exit_are_opened_side_by_side": 49,
    "a_failed_settlement_is_believed": 10,
}
"""A seed that breaks each variant of the protocol."""


def played(seed: int) -> World:
    return run(simulate(seed))


def off(seeds: Sequence[int]) -> dict[int, list[str]]:
    """What is broken, by seed."""
    found = ((seed, broken(played(seed))) for seed in seeds)
    return {seed: lines for seed, lines in found if lines}


def blocks(first: int, last: int) -> list[range]:
    return [range(start, start + BLOCK) for start in range(first, last, BLOCK)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "usual" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--sim-seed")
        seeds = [wanted] if wanted else blocks(0, USUAL)
        metafunc.parametrize("usual", seeds, ids=lambda some: f"{some[0]} to {some[-1]}")


def test_whatever_dies_every_trade_ends_with_one_order_or_a_named_reason(usual: Sequence[int]):
    assert off(usual) == {}


@pytest.mark.nightly
@pytest.mark.parametrize("seeds", blocks(USUAL, NIGHTLY), ids=lambda seeds: f"{seeds.start} to {seeds.stop - 1}")
def test_whatever_dies_every_night(seeds: range):
    assert off(seeds) == {}


def test_what_was_found_once_stays_mended():
    assert off(ONCE_BROKEN) == {}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_protocol_without_one_of_its_rules_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch):
    seed = CAUGHT_BY[name]
    whole = broken(played(seed))
    MUTANTS[name](monkeypatch)

    assert (whole, bool(broken(played(seed)))) == ([], True)


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
