"""The folder of one mesh: held by one process at a time, and emptied of what an earlier mesh has left."""

import fcntl
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from services.cli.failure import CannotRun

LOCK = ".lock"
DATABASE = "mongod"
CERTIFICATES = "certificates"
SIGNED = "signer"
REMAINS = ("*.log", "wallet-*.key", "venue.jsonl", "accounts.toml", "signer.toml", "seal.key", "audit.*")


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold `folder` and clear it. The local chain lives only as long as its process, so nothing in an earlier database fits it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotRun(f"another mesh runs in {folder}; --folder takes another one") from error
        clear(folder)
        yield


def clear(folder: Path) -> None:
    """Remove what a mesh leaves, and nothing else: the folder may be one in which a person keeps other things."""
    for name in (DATABASE, CERTIFICATES, SIGNED):
        shutil.rmtree(folder / name, ignore_errors=True)
    for pattern in REMAINS:
        for path in folder.glob(pattern):
            path.unlink()
