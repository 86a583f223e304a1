"""The commands of docs/api are true: each is run as it stands, with only the address and the key file put in."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway_world import World, a_trade, gateway_world
from tests.patience import PATIENT_S, patiently

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/api/README.md"


@pytest.fixture
async def world(kept_uri: str, redis_url: str) -> AsyncIterator[World]:
    async with gateway_world(kept_uri, redis_url) as made:
        yield made


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)


def block(world: World, folder: Path, words: str) -> str:
    """The commands that hold these words, made to reach this world."""
    key = folder / "admin.key"
    key.write_text("0x" + bytes(world.admin.key).hex())
    text = next(one for one in blocks() if words in one)
    at = f"127.0.0.1:{world.port}"
    engine = f"127.0.0.1:{world.servers['engine'].port}"
    return text.replace("127.0.0.1:3001", at).replace("KEY_FILE", str(key)).replace("127.0.0.1:50052", engine)


async def shell(script: str) -> str:
    made = await asyncio.create_subprocess_exec(
        "bash", "-e", "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await patiently(made.communicate())
    assert made.returncode == 0, out.decode()
    return out.decode()


async def test_logging_in_and_asking_works_as_written(world: World, tmp_path: Path) -> None:
    answers = (await shell(block(world, tmp_path, "log_in.py"))).replace("}{", "}\n{").splitlines()

    assert len(answers) == 4
    assert all('"success":true' in answer for answer in answers)
    assert '"size":7.5' in answers[0]
    assert world.engine.asked == [f"stop  by {world.admin.address.lower()}"]


async def test_watching_works_as_written(world: World, tmp_path: Path) -> None:
    world.engine.tell(a_trade("t1"))
    command = block(world, tmp_path, "watch.py").replace('"$TOKEN"', await world.token(world.admin)).split()
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENT_S):
            while not (line := await process.stdout.readline()).startswith(b"trade_executed"):
                assert line
    finally:
        process.terminate()
        await process.wait()

    assert b'"tradeId": "c1"' in line


async def test_grpc_works_as_written(world: World, tmp_path: Path) -> None:
    out = await shell(block(world, tmp_path, "buf curl"))

    assert "polycopy.engine.v1.EngineService" in out
    assert '"isRunning":true' in out.replace(" ", "")
