"""What the guards say of every case of these tables, as `tests/golden/guard_verdicts.json` keeps it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from services.common.domain.verdict import Verdict
from services.engine.case import Case
from services.engine.guards import GUARDS
from services.engine.pipeline import decide
from tests.builders_case import a_case, an_exit_case
from tests.guard_rows import IDS, ROWS
from tests.guard_rows.impossible import IMPOSSIBLE

KEPT = Path(__file__).parents[1] / "golden" / "guard_verdicts.json"

Said = dict[str, dict[str, Any]]
"""By the name of a guard, the rest of its verdict."""


def of_row(guard: str, case: Case) -> Said:
    """What one guard, asked alone, says of a case."""
    return _said(decide(case, [one for one in GUARDS if one.__name__ == guard]).decision.verdicts)


def of_all(case: Case) -> Said:
    """What every guard says of a case."""
    return _said(decide(case).decision.verdicts)


def of_refusals(case: Case) -> Said:
    """What the guards say that refuse a case."""
    return _said(decide(case).decision.refusals)


def without() -> Iterator[tuple[str, Case]]:
    """An entry and an exit without each fact that may be unknown."""
    for kind, case in {"an entry": a_case(), "an exit": an_exit_case()}.items():
        for fact in (field.name for field in fields(Case) if field.default is None):
            yield f"{kind} without {fact}", replace(case, **{fact: None})


def everything() -> dict[str, Said]:
    """What is kept: of each bound, of an entry and an exit that pass, without each fact, and of the impossible."""
    bounds = {
        f"{name}, {side}": of_row(guard, case())
        for name, (guard, _, within, beyond, _) in zip(IDS, ROWS, strict=True)
        for side, case in (("within", within), ("beyond", beyond))
    }
    passing = {"an entry that passes": of_all(a_case()), "an exit that passes": of_all(an_exit_case())}
    missing = {name: of_refusals(case) for name, case in without()}
    impossible = {name: of_refusals(case()) for name, case, _ in IMPOSSIBLE}
    return bounds | passing | missing | impossible


def keep() -> None:
    """Write what is said now. A change of it is a change of what people read: look at the difference."""
    KEPT.write_text(
        "{\n" + ",\n".join(f'"{name}": {{{_lines(said)}}}' for name, said in everything().items()) + "\n}\n"
    )


def _lines(said: Said) -> str:
    """A line for each verdict."""
    return ",".join(f'\n "{guard}": {json.dumps(rest)}' for guard, rest in said.items())


def _said(verdicts: Any) -> Said:
    return {verdict.guard: _rest(verdict) for verdict in verdicts}


def _rest(verdict: Verdict) -> dict[str, Any]:
    return {name: value for name, value in asdict(verdict).items() if name != "guard"}
