"""What a guard says is data that people and programs read: reason, figures and limits, at each bound and where a fact is missing."""

import json

import pytest

from tests.builders_case import a_case, an_exit_case
from tests.guard_rows import IDS, ROWS
from tests.guard_rows.impossible import IMPOSSIBLE
from tests.guard_rows.said import KEPT, everything, of_all, of_refusals, of_row, without

SAID = json.loads(KEPT.read_text())
MISSING = dict(without())


@pytest.mark.parametrize(("name", "row"), list(zip(IDS, ROWS, strict=True)), ids=IDS)
def test_at_and_beyond_its_bound_a_guard_says_what_it_looked_at(name, row):
    guard, _, within, beyond, _ = row

    assert of_row(guard, within()) == SAID[f"{name}, within"]
    assert of_row(guard, beyond()) == SAID[f"{name}, beyond"]


def test_an_entry_and_an_exit_that_pass_say_why():
    assert of_all(a_case()) == SAID["an entry that passes"]
    assert of_all(an_exit_case()) == SAID["an exit that passes"]


@pytest.mark.parametrize("name", MISSING)
def test_without_a_fact_each_guard_that_needs_it_names_it(name):
    assert of_refusals(MISSING[name]) == SAID[name]


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name, case, _ in IMPOSSIBLE], ids=[n for n, _, _ in IMPOSSIBLE]
)
def test_of_what_cannot_be_each_guard_says_what_is_wrong(name, case):
    assert of_refusals(case()) == SAID[name]


def test_nothing_else_is_kept():
    assert SAID.keys() == everything().keys()
