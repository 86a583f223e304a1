"""How checkpoints and trails stand in a file: one JSON object a line, readable without anything of ours."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.common.domain.canonical import canonical
from services.common.domain.checkpoint import Checkpoint, Head
from services.common.domain.trail import Trail, TrailEntry


def line(value: Mapping[str, object]) -> str:
    """One line."""
    return canonical(value).decode() + "\n"


def write_checkpoint(checkpoint: Checkpoint) -> dict[str, object]:
    """A checkpoint with its leaves."""
    return {
        "type": "checkpoint",
        **checkpoint.body(),
        "signature": checkpoint.signature,
        "leaves": [[head.trail, head.seq, head.digest] for head in checkpoint.leaves],
        "roots": list(checkpoint.roots),
    }


def read_checkpoint(text: str) -> Checkpoint:
    """A checkpoint out of its line. Raises `ValueError`."""
    try:
        found: dict[str, Any] = json.loads(text)
        return Checkpoint(
            found["index"],
            found["size"],
            found["root"],
            datetime.fromisoformat(found["ts"]),
            found["previous"],
            tuple(Head(*leaf) for leaf in found["leaves"]),
            tuple(found["roots"]),
            "",
            found["signature"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError("no checkpoint") from error


def write_trail(
    name: str, content: Mapping[str, object], trail: Trail, attached: Mapping[str, object]
) -> dict[str, object]:
    """A document's trail with what the document says; `attached` are things whose hash stands in the content."""
    return {
        "type": "trail",
        "trail": name,
        "content": content,
        "attached": attached,
        "entries": [write_entry(entry) for entry in trail],
    }


def write_entry(entry: TrailEntry) -> dict[str, object]:
    """An entry by the names of security.md 9."""
    return {**entry.body(), "hash": entry.digest}
