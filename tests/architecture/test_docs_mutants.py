"""What docs/mutants.md says of the code stands in it. Whether it survives, only `make mutants` knows."""

import inspect
from importlib import import_module

import pytest

from tools.mutants import PAGE, ROOMS, ROOT, Mutant, room_of, written

WRITTEN = list(written(PAGE.read_text()))


def source_of(function: str) -> str:
    """The text of a function or of a method, by its whole name."""
    module, name = function, ""
    while not (ROOT / f"{module.replace('.', '/')}.py").exists():
        module, _, last = module.rpartition(".")
        name = f"{last}.{name}".rstrip(".")
    found = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    assert room_of(f"{module.replace('.', '/')}.py")
    return inspect.getsource(found)


@pytest.mark.parametrize("mutant", WRITTEN, ids=lambda mutant: mutant.function)
def test_a_mutant_of_the_page_is_of_a_line_of_its_function(mutant: Mutant) -> None:
    lines = {line.strip() for line in source_of(mutant.function).splitlines()}

    assert [line for line in mutant.lines if line.startswith("-") and line[2:] not in lines] == []
    assert [line for line in mutant.lines if line.startswith("+")]


def test_every_room_is_there_and_in_the_table() -> None:
    assert [room for room in ROOMS if not list(ROOT.glob(room))] == []
    assert [room for room in ROOMS if f"| `{room.removesuffix('*')}` |" not in PAGE.read_text()] == []
