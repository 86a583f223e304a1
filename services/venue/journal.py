"""The venue's append-only log: everything it was sent, did and broke. The oracle of every test."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

import orjson

Line = dict[str, Any]

# The latest lines are answered from memory, older ones from the file.
KEPT_LINES = 5_000
# One line of so many has its place in the file remembered.
MARK_EVERY = 1_000


class Journal:
    """Lines with a sequence number and the time in milliseconds, in a file (JSON lines), which without a path is nobody else's."""

    def __init__(self, now_ms: Callable[[], int], path: Path | None = None, *, kept: int = KEPT_LINES) -> None:
        self._now_ms = now_ms
        # A file that others read has every line at once; our own is written as it comes.
        file = path.open("a+b", buffering=0) if path else TemporaryFile("a+b")  # noqa: SIM115  open as long as the journal
        self._file = cast(BinaryIO, file)
        self._end = self._file.seek(0, 2)
        self._marks: list[int] = []
        self._count = 0
        self._latest: deque[bytes] = deque(maxlen=kept)

    def note(self, kind: str, *, at_ms: int | None = None, **fields: Any) -> Line:
        """Append one line; `at_ms` where it happened earlier than now."""
        line = {
            "seq": self._count + 1,
            "at_ms": self._now_ms() if at_ms is None else at_ms,
            "kind": kind,
            **fields,
        }
        written = orjson.dumps(line) + b"\n"
        if self._count % MARK_EVERY == 0:
            self._marks.append(self._end)
        self._file.write(written)
        self._end += len(written)
        self._count += 1
        self._latest.append(written)
        return line

    def after(self, seq: int) -> list[Line]:
        """Every line behind `seq`, oldest first."""
        first, oldest = max(seq, 0), self._count - len(self._latest)
        if first >= oldest:
            return [orjson.loads(line) for line in islice(self._latest, first - oldest, None)]
        return [*self._filed(first, oldest), *map(orjson.loads, self._latest)]

    def close(self) -> None:
        self._file.close()

    def _filed(self, first: int, until: int) -> Iterator[Line]:
        """The lines behind `first` up to `until`, from the file."""
        self._file.flush()
        mark = first // MARK_EVERY
        self._file.seek(self._marks[mark])
        for number, written in enumerate(self._file, mark * MARK_EVERY + 1):
            if number > until:
                break
            if number > first:
                yield orjson.loads(written)
        self._file.seek(0, 2)
