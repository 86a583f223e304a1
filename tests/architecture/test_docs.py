"""What the documents name exists: links, paths, verbs, commands, settings, metrics, events, guards, crash points."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from services.cli.__main__ import app
from services.common.crashpoints import CRASHPOINTS
from services.engine.guards import GUARDS
from services.engine.worker import CONDITIONS
from tests.architecture.test_settings_example import FIELDS
from tests.builders_case import an_exit_case

ROOT = Path(__file__).parents[2]
FOLDERS = ("services", "tests", "docs", "proto", "tools", "examples", "bench", "deploy", "gen")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
OPERATIONS = ROOT / "docs" / "operations.md"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
NOT_SERVED_YET = re.compile(r"^## Not served yet.*", re.MULTILINE | re.DOTALL)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def quoted(page: Path) -> list[str]:
    """What stands in backticks on one line."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


def code(page: Path) -> list[str]:
    """The lines of its shell blocks, and what stands in backticks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()] + quoted(page)


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(text: str, heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def first_column(text: str) -> list[str]:
    return re.findall(r"^\| `(\w+)`", text, re.MULTILINE)


def test_the_pages_that_people_look_for_are_there() -> None:
    wanted = {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/operations.md", "docs/api/README.md"}

    assert wanted <= {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert all(page.read_text().startswith("# ") for page in PAGES)


@pages
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        led = page.parent / name if name else page
        assert led.exists(), target
        assert not anchor or anchor in anchors(led), target


@pages
def test_every_path_exists(page: Path) -> None:
    named = {one for one in quoted(page) if re.fullmatch(rf"({'|'.join(FOLDERS)})/[\w./*-]*", one)}

    assert [one for one in sorted(named) if not list(ROOT.glob(one.rstrip("/")))] == []


@pages
def test_every_verb_of_make_exists(page: Path) -> None:
    named = {verb for line in code(page) for verb in re.findall(r"(?:^|[\s(])make ([a-z]+)", line)}

    assert named <= set(verbs())


def verbs() -> dict[str, str]:
    """The Makefile's verbs and their help."""
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z]+):(?:[^#\n]*?)(?:## (.*))?$", text, re.MULTILINE))


def test_every_verb_has_its_line_of_help() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert phony
    assert set(phony[1].split()) == set(verbs())
    assert [verb for verb, says in verbs().items() if not says] == []


COMMAND = re.compile(r"(?:^|[|(\s])(?:\.venv/bin/)?polycopy +([a-z][^|)#]*)")


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of every `polycopy …` that the page shows."""
    for line in code(page):
        for found in COMMAND.findall(line):
            yield shlex.split(found)


@pages
def test_every_command_line_is_understood(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    known = group.commands
    for name, *arguments in commands(page):
        assert name in known, name
        if arguments:
            known[name].make_context(name, list(arguments))


def test_the_readme_shows_the_commands_that_people_start_with() -> None:
    shown = {name for name, *_ in commands(ROOT / "README.md")}

    assert {"up", "replay", "status", "explain", "sign"} <= shown
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 200
    assert f"{len(GUARDS)} guards" in text


@pages
def test_every_setting_exists(page: Path) -> None:
    text = NOT_SERVED_YET.sub("", page.read_text())
    looks_like_one = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`")
    foreign = {"POLYCOPY_CRASH", "COPY_ID", "KEY_FILE"}

    assert {name for name in looks_like_one.findall(text) if name not in foreign} <= set(FIELDS)


def test_every_metric_and_every_event_of_operations_exists() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "services").rglob("*.py"))
    metrics = re.findall(r"`(polycopy_\w+)`", OPERATIONS.read_text())
    events = first_column(section(OPERATIONS.read_text(), "Logs"))

    assert metrics
    assert events
    assert [name for name in metrics if f'"{name}"' not in source] == []
    assert [name for name in events if f'"{name}"' not in source] == []


def test_the_architecture_lists_the_guards_in_their_order() -> None:
    assert first_column(section(ARCHITECTURE, "The guards")) == [guard.__name__ for guard in GUARDS]


def test_the_architecture_marks_the_guards_that_bind_exits() -> None:
    exit_ = an_exit_case()
    binding = [guard.__name__ for guard in GUARDS if dict(guard(exit_).observed) != {"kind": "exit"}]

    assert re.findall(r"^\| `(\w+)` ✱", section(ARCHITECTURE, "The guards"), re.MULTILINE) == binding


def test_the_architecture_lists_the_conditions_of_the_gate() -> None:
    assert first_column(section(ARCHITECTURE, "The gate")) == list(CONDITIONS)


def test_the_architecture_lists_the_crash_points() -> None:
    listed = re.search(r"<!-- crash points -->\n(.*?)<!-- /crash points -->", ARCHITECTURE, re.DOTALL)

    assert listed
    assert sorted(listed[1].replace("·", " ").split()) == sorted(CRASHPOINTS)


def test_every_record_of_a_decision_is_in_its_index() -> None:
    folder = ROOT / "docs" / "adr"
    indexed = re.findall(r"^\| \[(\d{4})\]\((\S+)\)", (folder / "README.md").read_text(), re.MULTILINE)
    present = sorted(page.name for page in folder.glob("[0-9]*.md"))

    assert [name for _, name in indexed] == present
    assert all(name.startswith(number) for number, name in indexed)
    for number, name in indexed:
        assert (folder / name).read_text().startswith(f"# {number} ")


def test_the_place_of_the_figures_can_be_found() -> None:
    text = (ROOT / "README.md").read_text()

    assert text.count("<!-- figures -->") == text.count("<!-- /figures -->") == 1
