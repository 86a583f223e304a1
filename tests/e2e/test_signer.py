"""The key is in one process: no other holds it, and without it new work waits, nothing fails and nothing is lost."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import aio
from polycopy.engine.v1 import engine_pb2

from services.cli import operator
from services.cli.stack import certificate_settings, is_serving
from services.common.domain.copy import Copy
from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from services.common.rpc.channel import Mesh as Caller
from services.common.rpc.remote_signer import SIGNER, SignerConnection, write_intent
from tests.mesh import Mesh, eventually
from tests.patience import PATIENT_S
from tests.polycopy_process import said
from tests.signer_world import intent, unhurried

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("mesh: signer"),
]

SEEN = frozenset({CopyState.DETECTED})


async def waits_for_the_signer(running: Mesh) -> bool:
    return "signer" in await operator.waiting_for(running.stack.addresses.target("engine"))


async def away(running: Mesh) -> bool:
    """The engine's health says that something it needs is away."""
    return not await running.serving("engine")


async def seen(running: Mesh, orders: list[str]) -> tuple[Copy, ...]:
    """The copies of these orders of leaders, once every one is stored."""

    async def stored() -> tuple[Copy, ...] | None:
        found = [copy for order in orders for copy in await running.copies(order)]
        return tuple(found) if len(found) == len(orders) else None

    return await eventually(stored)


@asynccontextmanager
async def connected(running: Mesh, peer: str) -> AsyncIterator[SignerConnection]:
    channel = Caller(peer, "", running.stack.certificates[peer]).channel(
        running.stack.addresses.target("signer"), [SIGNER]
    )
    connection = SignerConnection(channel)
    try:
        yield connection
    finally:
        await connection.close()


async def test_trades_wait_while_the_signer_is_dead_and_go_on_when_it_is_back(running: Mesh):
    before = await running.copied(await running.take("leader-1", 0))

    running.stack.children["signer"].send(signal.SIGKILL)
    await running.stack.children["signer"].wait()
    orders = [await running.take(f"leader-{n}", n % 2) for n in (1, 2, 3)]
    waiting = await seen(running, orders)
    await eventually(lambda: waits_for_the_signer(running))
    await eventually(lambda: away(running))
    await asyncio.sleep(1)
    assert {copy.state for copy in await seen(running, orders)} <= SEEN
    await running.start("signer")
    copied = [await running.copied(order) for order in orders]

    assert {copy.state for copy in waiting} <= SEEN
    assert [copy.state for copy in (before, *copied)] == [CopyState.RECONCILED] * 4
    assert {attempt.outcome for copy in copied for attempt in copy.intent.attempts} == {Outcome.ACKED}
    found = await running.at_rest()
    assert (found["problems"], found["failed"]) == ([], 0)


async def test_what_the_operator_halts_is_not_signed_until_he_resumes(running: Mesh):
    own = certificate_settings(running.stack.certificates["ops"])
    target = running.stack.addresses.target("signer")

    async def command(*words: str) -> str:
        code, told, errors = await asyncio.to_thread(said, "signer", *words, "--target", target, env=own)
        assert code == 0, errors
        return told

    assert "halted" in await command("halt")
    sent = len((await running.log()).orders)
    await running.restart("signer")
    order = await running.take("leader-2", 2)
    (waiting,) = await seen(running, [order])
    await eventually(lambda: waits_for_the_signer(running))
    await eventually(lambda: running.serving("engine"))
    assert "ops" in await command("status")
    assert len((await running.log()).orders) == sent

    assert "resumed" in await command("resume")

    assert waiting.state in SEEN
    assert (await running.copied(order)).state is CopyState.RECONCILED


async def test_who_stops_trading_stops_the_signer_too_and_starting_ends_both(
    running: Mesh, monkeypatch: pytest.MonkeyPatch
):
    unhurried(monkeypatch)
    (wallet,) = running.stack.wallets
    async with (
        operator.engine(running.stack.addresses.target("engine")) as engine,
        connected(running, "ops") as signer,
    ):
        halted_by: list[str] = []

        async def asked(ask: Callable[[], Awaitable[object]], whom: list[str]) -> bool:
            # A stop waits for no signer that is slow: whoever finds that it has missed one stops again.
            await ask()
            halted_by[:] = (await signer.status())[wallet.address.lower()].halted_by
            return halted_by == whom

        stop, start = engine_pb2.StopTradingRequest(), engine_pb2.StartTradingRequest()
        await eventually(lambda: asked(lambda: engine.StopTrading(stop, timeout=PATIENT_S), ["engine"]))
        await eventually(lambda: asked(lambda: engine.StartTrading(start, timeout=PATIENT_S), []))

    assert (await running.copied(await running.take("leader-3", 1))).state is CopyState.RECONCILED


async def test_no_other_certificate_signs_and_none_at_all_is_let_in(running: Mesh):
    refused: dict[str, str] = {}
    for peer in ("monitor", "reconciler", "gateway", "ops"):
        async with connected(running, peer) as connection:
            with pytest.raises(aio.AioRpcError) as caught:
                await connection.stub.SignOrder(write_intent("copy", intent()), timeout=PATIENT_S)
            refused[peer] = caught.value.code().name

    assert set(refused.values()) == {"PERMISSION_DENIED"}
    assert not await is_serving(running.stack.addresses.target("signer"))


def writable(pid: int) -> Iterator[bytes]:
    """The memory that a process may have written, piece by piece."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if place and "[v" not in line:
                start, end = int(place[1], 16), int(place[2], 16)
                try:
                    memory.seek(start)
                    yield memory.read(end - start)
                except OSError:
                    continue


def holds(pid: int, key: bytes) -> bool:
    wanted = (key, key.hex().encode())
    return any(one in piece for piece in writable(pid) for one in wanted)


async def test_no_process_but_the_signer_has_ever_seen_the_key_or_where_it_is(running: Mesh):
    (wallet,) = running.stack.wallets
    key = bytes.fromhex(wallet.key_file.read_text())
    places = [os.fsencode(place) for place in (wallet.key_file, running.stack.signer_file)]
    pids = {name: running.stack.children[name].pid for name in ("monitor", "engine", "reconciler", "gateway")}

    for name, pid in pids.items():
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        files = [os.fsencode(os.readlink(one)) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()]
        assert not any(secret in environment for secret in (*places, key.hex().encode())), name
        assert not set(places) & set(files), name
        assert not holds(pid, key), name
    # Root alone may look at all, and finds it there: the search does find what it looks for.
    try:
        assert holds(running.stack.children["signer"].pid, key)
    except PermissionError:
        assert os.geteuid() != 0
