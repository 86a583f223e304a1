"""What the signer itself remembers, in a file that only it writes: the orders that it has signed, and its halts.

It asks no database of the mesh: whoever holds that one could make it forget.
"""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import IO, Any

from services.signer.policy import Past

FILE = "signer.sqlite3"
SECOND_MS, MINUTE_MS = 1_000, 60_000
KEPT_MS = 30 * 24 * 3_600 * 1_000
EVERY_WALLET = ""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS signed (
    wallet TEXT NOT NULL, copy_id TEXT NOT NULL, order_hash TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (wallet, copy_id, order_hash)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS signed_at ON signed (wallet, at_ms);
CREATE TABLE IF NOT EXISTS halts (
    wallet TEXT NOT NULL, by TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (wallet, by)
) WITHOUT ROWID;
"""


class MemoryUnusable(Exception):
    """The file cannot be read or written; nothing is signed without it."""


class Memory:
    """One signer's memory. Raises `MemoryUnusable` whenever it cannot be used."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _held(folder)
            # Written through at every halt; between two of them a kill loses nothing, and a power cut the last few orders.
            self._db = sqlite3.connect(folder / FILE, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(_SCHEMA)
            self._db.execute("PRAGMA synchronous=NORMAL")
        except (OSError, sqlite3.Error) as error:
            raise MemoryUnusable(f"{folder}: {error}") from error

    def close(self) -> None:
        self._db.close()
        self._lock.close()

    def past(self, wallet: str, copy_id: str, now_ms: int) -> Past:
        """What was signed before for this wallet and this copy."""
        orders = self._rows("SELECT order_hash FROM signed WHERE wallet = ? AND copy_id = ?", wallet, copy_id)
        second = self._count(wallet, now_ms - SECOND_MS)
        minute = self._count(wallet, now_ms - MINUTE_MS)
        return Past(frozenset(str(order) for (order,) in orders), second, minute, self.halted_by(wallet))

    def remember(self, wallet: str, copy_id: str, order_hash: str, now_ms: int) -> None:
        """This order is being signed; before the signature is made, so that none is ever forgotten."""
        self._rows("INSERT OR IGNORE INTO signed VALUES (?, ?, ?, ?)", wallet, copy_id, order_hash, now_ms)

    def forget(self, now_ms: int) -> None:
        """Drop what is too old to be asked for again."""
        self._rows("DELETE FROM signed WHERE at_ms < ?", now_ms - KEPT_MS)

    def halted_by(self, wallet: str) -> tuple[str, ...]:
        """Who halted this wallet, or all of them."""
        rows = self._rows("SELECT DISTINCT by FROM halts WHERE wallet IN (?, ?) ORDER BY by", wallet, EVERY_WALLET)
        return tuple(str(by) for (by,) in rows)

    def halt(self, wallet: str, by: str, now_ms: int) -> None:
        """Durable when this returns. The wallet may be `EVERY_WALLET`."""
        self._durably("INSERT OR IGNORE INTO halts VALUES (?, ?, ?)", wallet, by, now_ms)

    def resume(self, wallet: str, by: str | None) -> None:
        """End the halts that `by` made, None anybody's: of this wallet, or each and every one with `EVERY_WALLET`."""
        self._durably("DELETE FROM halts WHERE (?1 = '' OR wallet = ?1) AND (?2 IS NULL OR by = ?2)", wallet, by)

    def any_halt(self) -> tuple[str, ...]:
        """Who halted anything."""
        return tuple(str(by) for (by,) in self._rows("SELECT DISTINCT by FROM halts ORDER BY by"))

    def _count(self, wallet: str, after_ms: int) -> int:
        ((count,),) = self._rows("SELECT count(*) FROM signed WHERE wallet = ? AND at_ms > ?", wallet, after_ms)
        return int(count)

    def _durably(self, statement: str, *values: object) -> None:
        self._rows("PRAGMA synchronous=FULL")
        try:
            self._rows(statement, *values)
        finally:
            self._rows("PRAGMA synchronous=NORMAL")

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise MemoryUnusable(str(error)) from error


def _held(folder: Path) -> IO[bytes]:
    """Two signers on one memory would each allow what the other has allowed already."""
    lock = os.fdopen(os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise MemoryUnusable(f"{folder}: another signer uses it") from None
    return lock
