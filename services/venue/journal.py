"""The venue's append-only log: everything it was sent, did and broke. The oracle of every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

Line = dict[str, Any]


class Journal:
    """Lines with a sequence number and the time in milliseconds, in memory and, with a path, in a file (JSON lines)."""

    def __init__(self, now_ms: Callable[[], int], path: Path | None = None) -> None:
        self._now_ms = now_ms
        self._lines: list[Line] = []
        self._file = path.open("ab", buffering=0) if path else None

    def note(self, kind: str, *, at_ms: int | None = None, **fields: Any) -> Line:
        """Append one line; `at_ms` where it happened earlier than now."""
        line = {
            "seq": len(self._lines) + 1,
            "at_ms": self._now_ms() if at_ms is None else at_ms,
            "kind": kind,
            **fields,
        }
        self._lines.append(line)
        if self._file:
            self._file.write(orjson.dumps(line) + b"\n")
        return line

    def after(self, seq: int) -> list[Line]:
        """Every line behind `seq`, oldest first."""
        return self._lines[max(seq, 0) :]

    def close(self) -> None:
        if self._file:
            self._file.close()
