"""Change the code that decides in every small way and hold that a test notices: `python -m tools.mutants`.

mutmut makes the mutants and runs the tests; `[tool.mutmut]` in pyproject.toml says of what and which. It does not fail on survivors and
numbers them anew with every change, so this compares them, as the lines that they change, with those that docs/mutants.md shows to be
equivalent: one that is not written there fails, and so does one that is written there and does not survive. Before that it fails where
these tests leave a line or a branch of this code out.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).parents[1]
MADE = ROOT / "mutants"
PAGE = ROOT / "docs" / "mutants.md"
BLOCK = re.compile(r"^```diff\n(.*?)^```", re.MULTILINE | re.DOTALL)
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
ROOMS: Sequence[str] = SETTINGS["only_mutate"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one function: what was, and what stands there instead."""

    function: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((self.function, *self.lines))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant of a room: killed, survived, or why nobody knows.

    Nothing in these rooms can run for ever, so one that took too long was on a machine with other work, and is not killed.
    """

    room: str
    status: str
    mutant: Mutant


def cover() -> None:
    """End the process unless the tests reach every line and branch of the code that is mutated."""
    tests = SETTINGS["pytest_add_cli_args_test_selection"]
    _do(sys.executable, "-m", "coverage", "run", "--branch", f"--include={','.join(ROOMS)}", "-m", "pytest", *tests)
    _do(sys.executable, "-m", "coverage", "report", "--show-missing", "--skip-covered", "--fail-under=100")


def run(children: int) -> None:
    """Make the mutants anew and run the tests on each."""
    shutil.rmtree(MADE, ignore_errors=True)
    _do("nice", "-n", "15", str(Path(sys.prefix, "bin", "mutmut")), "run", "--max-children", str(children))


def outcomes() -> Iterator[Outcome]:
    """What the last run came to."""
    for meta in sorted(MADE.glob("services/**/*.meta")):
        path = str(meta.relative_to(MADE)).removesuffix(".meta")
        for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            status = status_by_exit_code[code]
            lines = changed(get_diff_for_mutant(name, path=path)) if status != "killed" else ()
            yield Outcome(room_of(path), status, Mutant(function_of(name), lines))


def room_of(path: str) -> str:
    """The pattern that has a file mutated."""
    return next(room for room in ROOMS if fnmatch(path, room))


def written(page: str) -> Iterator[Mutant]:
    """The mutants in the page's diff blocks: a function, what was, what stands there instead; the next begins with its function."""
    for block in BLOCK.findall(page):
        for part in re.split(r"\n(?=[^-+\n])", block.strip()):
            function, *lines = part.splitlines()
            yield Mutant(function, tuple(_stripped(line) for line in lines if line))


def table(found: Iterable[Outcome]) -> str:
    """By room, how many mutants there are, how many were killed, and how many are equivalent."""
    counts: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for outcome in found:
        counts[outcome.room][outcome.status == "killed"] += 1
    rows = [(f"`{room.removesuffix('*')}`", counts[room]) for room in ROOMS]
    rows.append(("all", sum((count for _, count in rows), Counter())))
    head = "| code | mutants | killed | equivalent |\n|---|---|---|---|\n"
    return head + "".join(f"| {room} | {n.total()} | {n[True]} | {n[False]} |\n" for room, n in rows)


def problems(found: Sequence[Outcome], page: str) -> Iterator[str]:
    """What differs from the page."""
    survivors = Counter(outcome.mutant for outcome in found if outcome.status == "survived")
    known = Counter(written(page))
    yield from (f"survives, and {PAGE.name} does not say why:\n{one}" for one in (survivors - known).elements())
    yield from (f"does not survive, as {PAGE.name} says it does:\n{one}" for one in (known - survivors).elements())
    yield from (f"{one.status}:\n{one.mutant}" for one in found if one.status not in {"killed", "survived"})
    if table(found) not in page:
        yield f"{PAGE.name} has other figures than these"


def function_of(name: str) -> str:
    """`services.engine.sizing.Entry.shares_at` of `services.engine.sizing.xǁEntryǁshares_at__mutmut_3`."""
    module, _, mangled = name.partition("__mutmut_")[0].rpartition(".")
    return f"{module}.{mangled.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def changed(diff: str) -> tuple[str, ...]:
    """The lines that a unified diff takes away and adds."""
    return tuple(_stripped(line) for line in diff.splitlines()[2:] if line.startswith(("-", "+")))


def _stripped(line: str) -> str:
    return f"{line[0]} {line[1:].strip()}"


def _do(*command: str) -> None:
    if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SystemExit(code)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kept", action="store_true", help="judge the last run instead of another one")
    parser.add_argument(
        "--children", type=int, default=os.cpu_count() or 1, help="how many mutants are tried at a time"
    )
    arguments = parser.parse_args()
    os.chdir(ROOT)
    if not arguments.kept:
        cover()
        run(arguments.children)
    found = list(outcomes())
    wrong = list(problems(found, PAGE.read_text()))
    print(table(found), *wrong, sep="\n")
    return 1 if wrong or not found else 0


if __name__ == "__main__":
    raise SystemExit(main())
