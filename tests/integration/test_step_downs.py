"""A replica set whose primary steps down, dies or freezes under load: nothing that was acknowledged is lost, and what stands is recognised."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.store.client import MongoStores
from tests.mesh import eventually
from tests.replica_set import ReplicaSet, replica_set
from tests.store_load import Load

WORKERS = 6
BETWEEN_S = 0.7
FROZEN_S = 3.0
UNANSWERED = 0.04
"""The share of writes that stand although their answer is an error."""


@pytest.fixture
async def members(tmp_path: Path) -> AsyncIterator[ReplicaSet]:
    async with replica_set(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("step_downs", "kills", "freezes", "writes"),
    [
        pytest.param(2, 1, 1, 400, id="a few", marks=pytest.mark.timeout(400)),
        pytest.param(
            200, 50, 50, 1_000_000, id="a night's", marks=[pytest.mark.nightly, pytest.mark.timeout(24 * 3600)]
        ),
    ],
)
async def test_no_acknowledged_write_is_lost_whatever_becomes_of_the_primary(
    members: ReplicaSet, step_downs: int, kills: int, freezes: int, writes: int
):
    stores = MongoStores(members.uri, "load", name="tests")
    await stores.prepare()
    load = Load(stores)
    working = [asyncio.create_task(load.run()) for _ in range(WORKERS)]
    try:
        for number in range(step_downs + kills + freezes):
            await members.leave_unanswered(UNANSWERED)
            await asyncio.sleep(BETWEEN_S)
            await _strike(members, number, kills, freezes)
            await _goes_on(load)
        await eventually(lambda: _acknowledged(load, writes), 24 * 3600)
    finally:
        load.stopping = True
        await asyncio.gather(*working)

    assert await load.off() == []
    assert load.errors >= sum(load.recognised.values()) >= max(1, writes // 1_000)
    await stores.close()


async def _strike(members: ReplicaSet, number: int, kills: int, freezes: int) -> None:
    if number < kills:
        await members.kill()
    elif number < kills + freezes:
        await members.freeze(FROZEN_S)
    else:
        await members.step_down()


async def _goes_on(load: Load) -> None:
    """The load comes through again."""
    before = load.acknowledged
    await eventually(lambda: _acknowledged(load, before + 10))


async def _acknowledged(load: Load, most: int) -> bool:
    await asyncio.sleep(0)
    return load.acknowledged >= most
