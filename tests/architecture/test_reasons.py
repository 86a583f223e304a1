"""One reason has one name: in the guards, in the contract, in the code that raises it."""

import re
from pathlib import Path

from polycopy.common.v1 import error_pb2

from services.engine.guards import GUARDS

SERVICES = Path(__file__).parents[2] / "services"
FIRST_GUARD = 100
NOT_GIVEN_YET = {"DEADLINE_EXCEEDED"}
"""Released with the contract, so it stays: a deadline is told by its status alone."""
NAMES = {value.number: value.name.removeprefix("ERROR_REASON_") for value in error_pb2.ErrorReason.DESCRIPTOR.values}


def test_the_contract_names_every_guard_in_its_order_and_no_other() -> None:
    named = [name.lower() for number, name in sorted(NAMES.items()) if number >= FIRST_GUARD]

    assert named == [guard.__name__ for guard in GUARDS]


def test_every_reason_of_the_contract_that_is_no_guards_is_given_somewhere() -> None:
    given = {
        name for path in SERVICES.rglob("*.py") for name in re.findall(r"\bERROR_REASON_([A-Z_]+)", path.read_text())
    }
    reasons = {name for number, name in NAMES.items() if 0 < number < FIRST_GUARD}

    assert reasons - given == NOT_GIVEN_YET


def test_every_reason_that_the_code_names_is_in_the_contract() -> None:
    named = {
        (path.relative_to(SERVICES).as_posix(), name)
        for path in SERVICES.rglob("*.py")
        for name in re.findall(r"\bERROR_REASON_([A-Z_]*[A-Z])\b", path.read_text())
    }

    assert [(place, name) for place, name in sorted(named) if name not in NAMES.values()] == []


def test_a_guard_says_its_own_name() -> None:
    from tests.builders_case import a_case

    said = {guard.__name__: guard(a_case()).guard for guard in GUARDS}

    assert said == {name: name for name in said}
