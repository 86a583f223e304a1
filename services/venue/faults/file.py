"""Faults from the start: a TOML file of `[[fault]]` tables, each as `/admin/faults` takes it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from services.venue.faults.fault import Fault
from services.venue.faults.fields import BadFault
from services.venue.faults.kinds import KINDS, Family
from services.venue.faults.target import CHANNELS


class BadFile(ValueError):
    """The file cannot be used; `problems` has one line for each thing wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_file(path: Path, families: frozenset[Family], channels: Sequence[str] = CHANNELS) -> list[dict[str, object]]:
    """The faults of these families and channels; others are checked too, so that venue and node can share one file. Raises `BadFile`."""
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadFile([f"{path}: expected a TOML file that can be read: {error}"]) from error
    problems = [f"{name}: expected nothing but [[fault]] tables" for name in found if name != "fault"]
    tables: Any = found.get("fault", [])
    if not isinstance(tables, list):
        raise BadFile([*problems, "fault: expected [[fault]] tables"])
    wanted: list[dict[str, object]] = []
    for number, table in enumerate(cast(list[object], tables), 1):
        try:
            body, family = _checked(table)
        except BadFault as error:
            problems.append(f"fault {number}: {error}")
        else:
            wanted += [body] if family in families and body.get("channel", channels[0]) in channels else []
    if problems:
        raise BadFile(problems)
    return wanted


def _checked(table: object) -> tuple[dict[str, object], Family]:
    if not isinstance(table, dict):
        raise BadFault("expected a table")
    body = cast(dict[str, object], table)
    return body, Fault.read(body, KINDS, 1, 0).family
