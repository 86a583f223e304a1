"""Forgetting what ended long ago, the oldest first; and never which orders there were."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable

# Orders and trades that have ended and are still known in full: of ten orders a second and three matches, those of the last quarter
# of an hour, and more.
KEPT_ORDERS = 10_000
KEPT_TRADES = 4_000


class Memory:
    """Of the names that are handed in, all but the last `kept` are handed to `forget`."""

    def __init__(self, kept: int, forget: Callable[[str], None]) -> None:
        self._kept = kept
        self._forget = forget
        self._names: deque[str] = deque()

    def ended(self, name: str) -> None:
        self._names.append(name)
        while len(self._names) > self._kept:
            self._forget(self._names.popleft())


class Hashes:
    """Every hash (0x…) that was ever added, in a file that goes with the process.

    What an owner signs names no time after which the exchange would not take it, so that an order that is not filled whole could be
    matched for ever: whether one was taken before is never forgotten. In memory there are a few pages of the file.
    """

    def __init__(self) -> None:
        # An empty name: a file of its own, which SQLite deletes.
        self._file = sqlite3.connect("", isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -2000"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute("CREATE TABLE hashes (hash BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, name: str) -> None:
        self._file.execute("INSERT OR IGNORE INTO hashes VALUES (?)", (bytes.fromhex(name[2:]),))

    def __contains__(self, name: str) -> bool:
        found = self._file.execute("SELECT 1 FROM hashes WHERE hash = ?", (bytes.fromhex(name[2:]),))
        return found.fetchone() is not None
