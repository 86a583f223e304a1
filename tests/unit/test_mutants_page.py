"""What survives is compared with the page that says why: neither may have a mutant that the other lacks."""

import pytest

from tools.mutants import ROOMS, Mutant, Outcome, changed, function_of, problems, room_of, table, written

ROOM = ROOMS[0]
ONE = Mutant("services.a.one", ("- a < b", "+ a <= b"))
TWO = Mutant("services.a.Two.two", ("- a = (", "- b)", "+ a = None"))
PAGE = """
Why none can tell.

```diff
services.a.one
- a < b
+ a <= b
services.a.Two.two
-     a = (
-         b)
+     a = None
```
"""
KILLED = Outcome(ROOM, "killed", Mutant("services.a.one", ()))


def page_of(found: list[Outcome]) -> str:
    return PAGE + table(found)


def test_a_page_names_each_mutant_by_its_function_and_its_lines():
    assert list(written(PAGE)) == [ONE, TWO]


def test_what_survives_and_is_written_is_no_problem():
    found = [KILLED, Outcome(ROOM, "survived", ONE), Outcome(ROOM, "survived", TWO)]

    assert list(problems(found, page_of(found))) == []


def test_a_survivor_that_is_not_written_is_a_problem_and_so_is_its_second():
    found = [Outcome(ROOM, "survived", one) for one in (ONE, ONE, TWO)]

    assert list(problems(found, page_of(found))) == [
        "survives, and mutants.md does not say why:\nservices.a.one\n- a < b\n+ a <= b"
    ]


def test_what_is_written_and_does_not_survive_is_a_problem():
    found = [KILLED, Outcome(ROOM, "survived", TWO)]

    assert list(problems(found, page_of(found))) == [
        "does not survive, as mutants.md says it does:\nservices.a.one\n- a < b\n+ a <= b"
    ]


@pytest.mark.parametrize("status", ["no tests", "suspicious", "not checked", "segfault", "timeout"])
def test_what_nobody_knows_is_a_problem(status):
    found = [Outcome(ROOM, "survived", ONE), Outcome(ROOM, "survived", TWO), Outcome(ROOM, status, ONE)]

    assert list(problems(found, page_of(found))) == [f"{status}:\n{ONE}"]


def test_other_figures_than_those_of_the_page_are_a_problem():
    found = [Outcome(ROOM, "survived", ONE), Outcome(ROOM, "survived", TWO)]

    assert list(problems([*found, KILLED], page_of(found))) == ["mutants.md has other figures than these"]


def test_the_table_counts_by_room():
    found = [KILLED, KILLED, KILLED, Outcome(ROOM, "survived", ONE)]

    assert "| `services/engine/guards/` | 4 | 3 | 1 |\n" in table(found)
    assert table(found).endswith("| all | 4 | 3 | 1 |\n")
    assert room_of("services/engine/guards/size.py") == ROOM


def test_a_mutants_name_becomes_that_of_its_function():
    assert function_of("services.a.x_one__mutmut_12") == "services.a.one"
    assert function_of("services.a.x__one__mutmut_1") == "services.a._one"
    assert function_of("services.a.xǁTwoǁtwo__mutmut_3") == "services.a.Two.two"


def test_a_diff_becomes_the_lines_that_it_changes():
    diff = "--- a.py\n+++ a.py\n@@ -1,2 +1,2 @@\n def one():\n-    return a < b\n+    return a <= b"

    assert changed(diff) == ("- return a < b", "+ return a <= b")
