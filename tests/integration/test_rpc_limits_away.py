"""A limiter that hangs is one that is away: reads go on, changes are refused, and neither waits for the call's deadline."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from polycopy.options.v1 import access_pb2

from services.common.limits import PATIENCE_S, RedisQuota
from services.common.rpc.channel import DEFAULT_TIMEOUT_S
from services.common.rpc.errors import Away
from tests.patience import PATIENT_S


@pytest.fixture
async def hanging() -> AsyncIterator[str]:
    """A server that takes connections and never answers."""
    done = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    done.set()
    server.close()


async def test_while_the_limiter_hangs_reads_pass_and_changes_do_not(hanging: str) -> None:
    quota = RedisQuota(hanging)
    async with asyncio.timeout(PATIENT_S):
        await quota.take("someone", access_pb2.RATE_CLASS_ANALYTICS, reads_only=True)
    async with asyncio.timeout(PATIENT_S):
        with pytest.raises(Away):
            await quota.take("someone", access_pb2.RATE_CLASS_ADMIN, reads_only=False)
    async with asyncio.timeout(PATIENT_S):
        with pytest.raises(Away):
            await quota.ping()

    assert PATIENCE_S < DEFAULT_TIMEOUT_S / 4
