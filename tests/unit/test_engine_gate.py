"""The gate at facts that cannot be: times that are still to come, and subjects in other letters."""

from datetime import timedelta

import pytest

from services.common.domain.account import Pause, PauseScope
from services.engine.gate import admission
from tests.builders import LEADER, NOON, an_account
from tests.unit.test_gate import facts


@pytest.mark.parametrize(("name", "most"), [("reconciled_at", 120), ("head_at", 15)])
def test_a_time_far_ahead_keeps_the_gate_closed_and_one_just_ahead_does_not(name: str, most: int):
    assert admission(facts(**{name: NOON + timedelta(seconds=1)})).fresh

    assert not admission(facts(**{name: NOON + timedelta(seconds=most + 1)})).fresh


@pytest.mark.parametrize("name", ["database_skew_ms", "venue_skew_ms"])
@pytest.mark.parametrize("skew", [-2_001, 2_001])
def test_a_clock_that_is_off_on_either_side_keeps_the_gate_closed(name: str, skew: int):
    assert not admission(facts(**{name: skew})).fresh


def test_a_leader_who_was_paused_in_capitals_is_barred_as_his_copies_spell_him():
    pause = Pause(PauseScope.LEADER, LEADER.upper(), "ops", NOON)

    assert admission(facts(account=an_account(active_version="1", pauses=(pause,)))).barred_leaders == (LEADER,)
