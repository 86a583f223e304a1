"""The file of checkpoints, on a path of its own outside of the database: only ever appended to, and on the disk before it counts."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from services.common.audit.spelling import line, read_checkpoint, write_checkpoint
from services.common.domain.checkpoint import Checkpoint

BLOCK = 64 * 1024


class FileBroken(Exception):
    """The file does not end in a checkpoint, or not in the one that it should."""


class CheckpointFile:
    """One process appends at a time; who finds the file moved on appends nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self) -> Checkpoint | None:
        """The last checkpoint; None in an empty file, or where there is no file. Raises `FileBroken`."""
        try:
            with self._path.open("rb") as file:
                return _last(file.fileno())[0]
        except FileNotFoundError:
            return None

    def after(self, index: int) -> Iterator[Checkpoint]:
        """The checkpoints after `index`, in order. Raises `FileBroken`."""
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as file:
            for text in file:
                if (found := _read(text)).index > index:
                    yield found

    def append(self, checkpoint: Checkpoint) -> None:
        """Write it behind the one before it, and wait for the disk. Raises `FileBroken` where another is last."""
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last, end = _last(file.fileno())
            if (last.index + 1 if last else 0, last.digest if last else "") != (checkpoint.index, checkpoint.previous):
                raise FileBroken(f"{self._path}: checkpoint {checkpoint.index} does not follow what is last")
            os.ftruncate(file.fileno(), end)
            file.write(line(write_checkpoint(checkpoint)).encode())
            file.flush()
            os.fsync(file.fileno())


def _last(file: int) -> tuple[Checkpoint | None, int]:
    """The last whole line, and where it ends: what a crash has left behind it was never acknowledged."""
    end = start = os.fstat(file).st_size
    tail = b""
    while start > 0 and tail.count(b"\n") < 2:
        start = max(start - BLOCK, 0)
        tail = os.pread(file, end - start, start)
    whole = tail[: tail.rfind(b"\n") + 1]
    text = whole.rstrip(b"\n").rpartition(b"\n")[2].decode(errors="replace")
    return (_read(text) if text else None), end - len(tail) + len(whole)


def _read(text: str) -> Checkpoint:
    try:
        return read_checkpoint(text)
    except ValueError as error:
        raise FileBroken(f"no checkpoint: {text[:80]}") from error
