"""What PolyCopy stands on goes away and comes back: services stay up, health says so, and nothing is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from services.cli import mongod, valkey
from services.cli.operator import waiting_for
from services.cli.stack import certificate_settings
from services.common.domain.account import AccountState
from services.common.domain.lifecycle import CopyState
from services.venue.node.client import Node
from tests import stops
from tests.mesh import Mesh, eventually, mesh
from tests.patience import PATIENT_S
from tests.polycopy_process import said

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("mesh: outages"),
]

SILENT_WITHIN_MS = {20: 3_000, 1_000: 1_000}
"""By the number of stops: what holds by night on a machine of its own is not asked of one that is busy with other tests."""

STOPS = [20, pytest.param(1_000, marks=[pytest.mark.nightly, pytest.mark.timeout(3_600)])]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """A mesh that speaks mTLS everywhere."""
    async with mesh(tmp_path_factory.mktemp("mesh"), env={"MESH_TLS": "all"}) as made:
        await made.trades_may_be_old()
        yield made


@asynccontextmanager
async def killed(running: Mesh, name: str) -> AsyncIterator[None]:
    """MongoDB or Valkey ends without a word, and is started again on the same files and port."""
    run = {"mongod": mongod.run, "valkey": valkey.run}[name]
    stack = running.stack
    stack.children[name].send(signal.SIGKILL)
    await stack.children[name].wait()
    try:
        yield
    finally:
        stack.children[name], _ = await run(stack.options.folder, getattr(stack.addresses, name))


@asynccontextmanager
async def frozen(running: Mesh, name: str) -> AsyncIterator[None]:
    """A part that is there and does not answer."""
    running.stack.children[name].send(signal.SIGSTOP)
    try:
        yield
    finally:
        running.stack.children[name].send(signal.SIGCONT)


async def seen_away(running: Mesh, *names: str) -> None:
    """Health comes to name these as away, and the gateway is not ready."""

    async def seen() -> bool:
        told = (await running.health())["dependencies"]
        return all(told[name] == "away" for name in names) and not await running.ready()

    await eventually(seen)


async def well_again(running: Mesh) -> None:
    """No process has ended, and everything is up."""
    await eventually(running.ready)
    running.stack.check()
    assert set((await running.health())["dependencies"].values()) == {"up"}


async def booked(running: Mesh, within_s: float = PATIENT_S) -> None:
    """Everything that was seen has come to its end, and the books are the venue's."""

    async def without_problems() -> bool:
        return (await running.summary())["problems"] == []

    await eventually(without_problems, within_s)
    assert (await running.at_rest())["problems"] == []


async def test_a_database_that_is_killed_loses_no_trade(running: Mesh):
    before = await running.copied(await running.take("leader-1", 0))

    async with killed(running, "mongod"):
        unseen = await running.take("leader-2", 0)
        await seen_away(running, "store", "monitor", "engine", "reconciler")
    await well_again(running)
    missed = await running.copied(unseen)
    after = await running.copied(await running.take("leader-3", 0))

    assert missed.state in {CopyState.RECONCILED, CopyState.SKIPPED}
    assert (before.state, after.state) == (CopyState.RECONCILED, CopyState.RECONCILED)
    assert (await running.at_rest())["problems"] == []


async def test_a_cache_that_is_killed_stops_no_trade(running: Mesh):
    async with killed(running, "valkey"):
        await seen_away(running, "limiter")
        copy = await running.copied(await running.take("leader-1", 1))
    await well_again(running)

    assert copy.state is CopyState.RECONCILED
    assert (await running.at_rest())["problems"] == []


async def test_a_chain_that_is_frozen_holds_work_back_and_loses_none(running: Mesh):
    async with frozen(running, "node"):
        await seen_away(running, "monitor", "engine", "reconciler")
    await well_again(running)
    copy = await running.copied(await running.take("leader-2", 1))

    assert copy.state is CopyState.RECONCILED
    assert (await running.at_rest())["problems"] == []


async def test_a_venue_that_is_frozen_holds_work_back_and_loses_none(running: Mesh):
    unseen = await running.take("leader-3", 1)
    async with frozen(running, "venue"):
        await seen_away(running, "engine")
        await asyncio.sleep(2)
    await well_again(running)
    missed = await running.copied(unseen)
    copy = await running.copied(await running.take("leader-1", 2))

    assert missed.state in {CopyState.RECONCILED, CopyState.SKIPPED}
    assert copy.state is CopyState.RECONCILED
    assert (await running.at_rest())["problems"] == []


async def the_clock(running: Mesh) -> None:
    await running.stack.admin.fault(kind="clock_off", ms=60_000)


async def the_chain(running: Mesh) -> None:
    async with Node(running.stack.addresses.node_url) as node:
        await node.call("evm_addFault", {"kind": "rpc_lag", "rpc": "eth_getBlockByNumber", "blocks": 60, "times": 0})


async def all_is_right(running: Mesh) -> None:
    await running.stack.admin.no_faults()
    async with Node(running.stack.addresses.node_url) as node:
        await node.call("evm_clearFaults")


@pytest.mark.parametrize(
    ("goes_wrong", "condition", "need"), [(the_clock, "clock", "clock"), (the_chain, "chain", "head")]
)
async def test_what_is_off_holds_claims_back_by_name_and_fails_nothing(
    running: Mesh, goes_wrong: Callable[[Mesh], Awaitable[None]], condition: str, need: str
):
    stack = running.stack
    await goes_wrong(running)
    try:

        async def waits() -> bool:
            return await waiting_for(stack.addresses.target("engine"), stack.shown_to("engine")) == [condition]

        await eventually(waits)
        held = await running.take("leader-2", 2)
        (seen,) = await eventually(lambda: running.copies(held))
        await seen_away(running, "engine")
        await asyncio.sleep(1)
        (waiting,) = await running.copies(held)
    finally:
        await all_is_right(running)
    await well_again(running)
    copy = await running.copied(held)

    assert (seen.state, waiting.state, waiting.fence) == (CopyState.DETECTED, CopyState.DETECTED, 0)
    assert f"'names': ['{need}']" in stack.children["engine"].log.read_text().replace('"', "'")
    assert copy.state is CopyState.RECONCILED
    assert (await running.at_rest())["problems"] == []


async def test_the_operator_stops_trading_with_the_cache_and_the_gateway_dead(
    running: Mesh, record_property: Callable[[str, object], None]
):
    stack = running.stack
    own = certificate_settings(stack.certificates["ops"]) | {"MESH_TLS": "all"}
    await stops.widen(running)

    async with stops.trading(running), killed(running, "valkey"):
        await stack.children["gateway"].kill()
        await eventually(lambda: stops.has_heard(running, 4))
        code, told, errors = await asyncio.to_thread(
            said, "stop", "--target", stack.addresses.target("engine"), env=own
        )
        then = await stops.journaled(running)
        await asyncio.sleep(1.5)
        _, heard = await stops.heard_since(running, 0)
        later = await stops.journaled(running)

    (account,) = await running.stores.accounts.all()
    halted_ms = max(entry.at for entry in account.trail).timestamp() * 1000
    record_property("silent_after_ms", max(heard) - halted_ms)
    assert (code, account.state) == (0, AccountState.HALTED), told + errors
    assert then == later
    assert max(heard) - halted_ms <= SILENT_WITHIN_MS[20]
    await running.start("gateway")
    await stops.start(running)
    await well_again(running)
    await booked(running)


@pytest.mark.parametrize("many", STOPS)
async def test_after_a_stop_under_load_nothing_is_journaled_and_the_venue_hears_nothing(
    running: Mesh, many: int, record_property: Callable[[str, object], None]
):
    await stops.widen(running)

    made = await stops.races(running, many, seed=many, silent_s=0.5 if many < 100 else stops.SILENT_S)

    record_property("silent_after_ms", sorted(one.heard_for_ms for one in made)[-5:])
    record_property("busy", sum(one.heard_for_ms > 0 for one in made))
    assert [one for one in made if one.journaled_later != one.journaled_then] == []
    assert max(one.heard_for_ms for one in made) <= SILENT_WITHIN_MS[many]
    assert sum(one.heard_before for one in made) >= many // 2
    await stops.start(running)
    await booked(running, within_s=10 * PATIENT_S)
