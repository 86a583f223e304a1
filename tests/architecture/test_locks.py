"""What is installed is what was looked at: every dependency pinned and hashed, and nothing says where it came from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)(\[[a-z0-9,-]+\])?==(\S+?)( ;.*)?$")


def entries(lock: str) -> list[tuple[str, list[str]]]:
    """Each requirement with the lines that follow it."""
    found: list[tuple[str, list[str]]] = []
    for line in (ROOT / lock).read_text().splitlines():
        if line.startswith(" "):
            found[-1][1].append(line.strip().removesuffix(" \\"))
        elif line:
            found.append((line.removesuffix(" \\"), []))
    return found


def pins(lock: str) -> dict[str, set[str]]:
    made: dict[str, set[str]] = {}
    for requirement, _ in entries(lock):
        match = PINNED.match(requirement)
        assert match is not None, requirement
        made.setdefault(match[1], set()).add(match[3])
    return made


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_pinned_and_hashed(lock: str) -> None:
    bare = [
        requirement
        for requirement, lines in entries(lock)
        if not PINNED.match(requirement)
        or not lines
        or not all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in lines)
    ]

    assert entries(lock)
    assert bare == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|--trusted-host|@ ", text) == []


def test_the_services_run_on_the_versions_that_were_tested() -> None:
    tested = pins("requirements-dev.lock")

    assert {name: found for name, found in pins("requirements.lock").items() if tested.get(name) != found} == {}


def test_every_dependency_that_is_named_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-") for line in project["dependencies"]}

    assert named - pins("requirements.lock").keys() == set()


def test_nothing_that_only_tests_or_a_bare_machine_need_reaches_the_services() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-")
        for lines in project["optional-dependencies"].values()
        for line in lines
    }

    assert extras & pins("requirements.lock").keys() == set()
