"""The Dockerfile copies what exists, installs what is locked, and runs what the project ships."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def copied() -> list[str]:
    """What is copied out of the project."""
    words = [rest.split() for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    return [source for line in words for source in line[:-1]]


def let_through() -> set[str]:
    """What .dockerignore does not hold back."""
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


def test_everything_copied_exists_and_reaches_the_builder() -> None:
    assert copied()
    assert [source for source in copied() if not (ROOT / source).exists()] == []
    assert set(copied()) == let_through()


def test_the_install_names_the_lock_and_its_hashes() -> None:
    installs = [rest for name, rest in instructions() if name == "RUN" and " -r " in rest]

    assert len(installs) == 1
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert "requirements.lock" in copied()
    assert "--hash=sha256:" in (ROOT / "requirements.lock").read_text()


def test_the_wheel_is_built_of_what_was_copied() -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert {package.partition("/")[0] for package in packages} <= set(copied())
    assert PROJECT["project"]["readme"] in copied()


def test_what_was_copied_is_enough_for_a_whole_wheel(tmp_path: Path) -> None:
    bare = shutil.ignore_patterns("__pycache__")
    for source in copied():
        given = ROOT / source
        made = (
            shutil.copytree(given, tmp_path / source, ignore=bare) if given.is_dir() else shutil.copy(given, tmp_path)
        )
        assert Path(made).exists()
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True, timeout=100)

    with ZipFile(next((tmp_path / "dist").glob("*.whl"))) as wheel:
        names = set(wheel.namelist())

    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "services").rglob("*.py")}
    assert names >= modules | {"polycopy/descriptors.binpb", "services/venue/node/contracts/artifacts.json"}


def test_what_the_image_runs_imports_nothing_that_only_tests_install() -> None:
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    homes = packages_distributions()
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for part in ("common", "monitor", "engine", "reconciler", "gateway", "cli")
        for path in (ROOT / "services" / part).rglob("*.py")
        for name in third_parties(path)
        if not {re.sub(r"[-_.]+", "-", home).lower() for home in homes.get(name, ())} & locked
    }

    assert missing == set()


def third_parties(path: Path) -> set[str]:
    """What a module imports from elsewhere, by its first name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"services", "polycopy"}


def test_the_python_is_one_that_the_project_supports() -> None:
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]

    assert set(images) == {"python:3.11-slim"}
    assert PROJECT["project"]["requires-python"] == ">=3.11"


def test_the_image_runs_the_projects_command_as_nobody_in_particular() -> None:
    last = dict(instructions())

    assert json.loads(last["CMD"])[0] in PROJECT["project"]["scripts"]
    assert last["USER"] not in {"root", "0"}
