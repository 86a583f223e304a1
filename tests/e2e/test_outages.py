"""What PolyCopy stands on goes away and comes back: services stay up, health says so, and nothing is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.cli import mongod, valkey
from services.common.domain.lifecycle import CopyState
from tests.mesh import Mesh, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("mesh: outages"),
    pytest.mark.timeout(240),
]


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
