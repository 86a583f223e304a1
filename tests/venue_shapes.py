"""How an answer of the venue is held against a recorded one: the same keys of the same types."""

from collections.abc import Iterator
from typing import Any


def differences(recorded: Any, mine: Any, at: str = "") -> Iterator[str]:
    """Where the two differ: `-` a key that is missing here, `+` one that is not there, `~` another type.
    A list that has rows there and none here is missing them: `-name[]`."""
    if isinstance(recorded, dict) and isinstance(mine, dict):
        yield from (f"-{at}{key}" for key in recorded if key not in mine and not key.startswith("_"))
        yield from (f"+{at}{key}" for key in mine if key not in recorded)
        for key in recorded.keys() & mine.keys():
            yield from differences(recorded[key], mine[key], f"{at}{key}.")
    elif isinstance(recorded, list) and isinstance(mine, list):
        if recorded and not mine:
            yield f"-{at.removesuffix('.')}[]"
        elif recorded:
            yield from differences(recorded[0], mine[0], at.removesuffix(".") + "[].")
    elif _kind(recorded) != _kind(mine):
        yield f"~{at.removesuffix('.')}: {_kind(recorded)} is {_kind(mine)} here"


def _kind(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return type(value).__name__
