"""Whatever is done to the history, the verifier finds it and names it; what nobody has touched holds."""

import random

import pytest

from tests.audit_world import TAMPERS, History, Tamper, history, judged, roll_back_to_a_backup

MADE = history()
PR, NIGHTLY = 1_000, 10_000


def tampered(tamper: Tamper, seed: int, made: History = MADE) -> tuple[str, set[str]]:
    """What was tampered with, and what the verifier names."""
    lines = made.lines
    about = tamper(random.Random(seed), lines, made)
    return about, {what for what, _ in judged(lines).findings}


def test_a_history_that_nobody_has_touched_holds():
    found = judged(MADE.lines)

    assert found.findings == []
    assert (len(found.hashes), found.checkpoints, found.fresh) == (6, 4, 0)
    assert judged(MADE.lines, outside=MADE.outside).findings == []


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
def test_whatever_is_tampered_with_is_found_and_named(tamper: Tamper):
    for seed in range(-(-PR // len(TAMPERS))):
        about, named = tampered(tamper, seed)

        assert about in named, (seed, about, named)


@pytest.mark.nightly
@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
def test_whatever_is_tampered_with_every_night(tamper: Tamper):
    for seed in range(-(-NIGHTLY // len(TAMPERS))):
        about, named = tampered(tamper, seed, history(documents=2 + seed % 7))

        assert about in named, (seed, about, named)


def test_a_database_that_is_rolled_back_with_its_checkpoints_is_told_by_those_outside():
    lines = [line for line in MADE.lines if line.get("index", 0) < 2]
    roll_back_to_a_backup(random.Random(1), lines, MADE)

    assert {what for what, _ in judged(lines, outside=MADE.outside).findings} == set(MADE.trails)


def test_everything_rolled_back_is_told_by_a_checkpoint_that_the_verifier_has_kept():
    known = (MADE.checkpoints[-1].size, MADE.checkpoints[-1].root)
    older = [line for line in MADE.lines if line.get("index", 0) < 2]

    assert judged(MADE.lines, known=known).findings == []
    assert ("checkpoints", "were rolled back: 27 leaves were known, 13 are left") in judged(older, known=known).findings


def test_a_history_that_was_written_anew_with_the_stolen_key_is_told_by_a_checkpoint_that_was_kept():
    known = (MADE.checkpoints[1].size, MADE.checkpoints[1].root)

    found = judged(history(documents=3).lines, known=known)

    assert [what for what, _ in found.findings] == ["checkpoints"]


def test_an_export_that_is_no_export_is_no_good_one():
    assert judged([]).findings == [("checkpoints", "there are none: nothing vouches for the trails")]
    assert {what for what, _ in judged([{"type": "trail"}, {"type": "?"}]).findings} == {
        "line 1",
        "line 2",
        "checkpoints",
    }
