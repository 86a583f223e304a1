"""The table of what the local venue serves: every row has a state, what is served names tests that exist, what is not says why."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "venue.md"
STATES = {"served", "in part", "untested", "left out"}
SECTIONS = [
    "Data API, version 1",
    "Data API, version 2",
    "Gamma",
    "CLOB: reads and keys",
    "CLOB: orders, identity and signatures",
    "Words of refusal",
    "Sockets",
    "Chain and contracts",
    "Life of a market and of the engine",
    "Faults",
    "Tape, clock, leaders and proof",
    "The official clients",
]


class Row(NamedTuple):
    behaviour: str
    state: str
    says: str

    @property
    def tests(self) -> list[str]:
        return re.findall(r"`(test_\w+)`", self.says)


def rows(text: str) -> Iterator[Row]:
    """Every row under a section; a cell too many would hide what stands in it."""
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    for section in sections:
        lines = [line for line in section.splitlines() if line.startswith("|")]
        for line in lines[2:]:
            behaviour, state, says = (cell.strip() for cell in line.strip("|").split("|"))
            yield Row(behaviour, state, says)


ROWS = list(rows(PAGE.read_text()))


def present() -> set[str]:
    """The names of all tests."""
    sources = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for source in sources for name in re.findall(r"^(?:async )?def (test_\w+)\(", source, re.MULTILINE)}


def test_every_area_of_the_venue_has_its_rows() -> None:
    assert re.findall(r"^## (.*)$", PAGE.read_text(), re.MULTILINE) == SECTIONS
    assert len(ROWS) > 100
    assert len({row.behaviour for row in ROWS}) == len(ROWS)


def test_every_row_is_in_one_of_the_states() -> None:
    assert [row for row in ROWS if row.state not in STATES] == []


def test_what_is_served_names_a_test_and_what_is_not_says_why() -> None:
    silent = [row for row in ROWS if row.state in {"served", "in part"} and not row.tests]
    unexplained = [row for row in ROWS if row.state == "left out" and (row.tests or not row.says)]

    assert silent == []
    assert unexplained == []


def test_what_is_missing_of_a_row_is_said() -> None:
    assert [row for row in ROWS if row.state == "in part" and not re.search(r"; \S", row.says)] == []


def test_every_test_that_the_table_names_exists() -> None:
    assert {name for row in ROWS for name in row.tests} - present() == set()
