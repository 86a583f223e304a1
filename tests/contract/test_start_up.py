"""A store that cannot keep the protocol's promises does not start, and says which one it cannot keep."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.cli import mongod
from services.cli.child import free_port, start
from services.common.ports.stores import StoreUnavailable
from services.common.store import client
from services.common.store.client import MongoStores
from services.common.store.indexes import INDEXES, Index, IndexMissing, verify
from services.common.store.server import ServerUnfit
from services.common.store.session import newest
from tests.builders import a_trade
from tests.patience import PATIENT_S

UNIQUE = [index for index in INDEXES if index.unique]


@asynccontextmanager
async def stores_on(uri: str) -> AsyncIterator[MongoStores]:
    stores = MongoStores(uri, f"test_{uuid.uuid4().hex[:12]}", name="tests")
    try:
        yield stores
    finally:
        await stores.close()


async def answering(stores: MongoStores) -> None:
    """The server takes connections."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            try:
                return await stores.ping()
            except StoreUnavailable:
                continue


def test_every_unique_index_begins_with_the_account() -> None:
    assert {index.collection for index in UNIQUE} >= {"user_activities", "fills", "ledger", "user_positions", "follows"}
    assert [index.name for index in UNIQUE if index.keys[0][0] != "account"] == []


@pytest.mark.parametrize("index", UNIQUE, ids=lambda index: f"{index.collection}.{index.name}")
async def test_a_unique_index_that_is_gone_is_missed_by_name(new_stores: MongoStores, index: Index) -> None:
    await verify(new_stores.database)
    await new_stores.database[index.collection].drop_index(index.name)

    with pytest.raises(IndexMissing, match=rf"^{index.collection}\.{index.name}$"):
        await verify(new_stores.database)

    await new_stores.prepare()
    await verify(new_stores.database)


async def test_a_note_of_a_fill_carries_the_instant_that_its_expiry_goes_by(new_stores: MongoStores) -> None:
    trade = a_trade()
    await new_stores.trades.claim(trade, {})
    notes = newest(new_stores.database["leader_fills"])
    (index,) = [one for one in (await notes.index_information()).values() if "expireAfterSeconds" in one]

    assert index["expireAfterSeconds"] == timedelta(days=30).total_seconds()
    assert await notes.distinct(index["key"][0][0]) == [trade.traded_at]


@pytest.mark.parametrize(
    "lax",
    [{}, {"unique": True, "sparse": True}, {"unique": True, "partialFilterExpression": {"state": "detected"}}],
    ids=["not unique", "sparse", "of some documents"],
)
async def test_an_index_that_lets_doubles_pass_is_refused_by_name(new_stores: MongoStores, lax: dict) -> None:
    index = UNIQUE[0]
    collection = new_stores.database[index.collection]
    await collection.drop_index(index.name)
    await collection.create_index(list(index.keys), name=index.name, **lax)

    with pytest.raises(IndexMissing, match=index.name):
        await verify(new_stores.database)
    with pytest.raises(IndexMissing, match=rf"{index.collection}\.{index.name}"):
        await new_stores.prepare()


async def test_an_index_that_cannot_be_made_because_of_doubles_is_refused_by_name(new_stores: MongoStores) -> None:
    index = next(index for index in UNIQUE if index.collection == "fills")
    fills = new_stores.database["fills"]
    await fills.drop_index(index.name)
    await fills.insert_many([{"account": "a", "tradeId": "t", "orderHash": "h"} for _ in range(2)])

    with pytest.raises(IndexMissing, match=rf"fills\.{index.name}"):
        await new_stores.prepare()


async def test_to_prepare_again_changes_nothing(new_stores: MongoStores) -> None:
    before = await new_stores.database["user_activities"].index_information()

    await new_stores.prepare()

    assert await new_stores.database["user_activities"].index_information() == before


async def test_the_servers_clock_is_the_stores(new_stores: MongoStores, now: datetime) -> None:
    assert await new_stores.now() >= now
    assert (await new_stores.now()).tzinfo is not None
    await new_stores.ping()


async def test_a_server_that_lets_a_dead_process_hold_an_account_long_is_refused(tmp_path: Path) -> None:
    child, uri = await mongod.run(tmp_path)
    try:
        async with stores_on(uri) as stores:
            await stores.prepare()
            await stores.database.client.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": 60})

            with pytest.raises(ServerUnfit, match=r"60 s.*--setParameter transactionLifetimeLimitSeconds=3"):
                await stores.prepare()
    finally:
        await child.stop()


async def test_a_server_that_is_no_replica_set_is_refused_with_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    data = tmp_path / "data"
    data.mkdir()
    command = [mongod.binary(), "--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    child = await start("mongod", command, tmp_path / "mongod.log")
    try:
        async with stores_on(f"mongodb://127.0.0.1:{port}/") as stores:
            await answering(stores)
            with pytest.raises(ServerUnfit, match=r"not a replica set.*--replSet.*rs\.initiate\(\)"):
                await stores.prepare()
    finally:
        await child.stop()


async def test_a_server_that_is_away_is_unavailable_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WRITE_TIMEOUT_MS", 200)
    async with stores_on(f"mongodb://127.0.0.1:{free_port()}/") as stores:
        asked = (stores.prepare, stores.ping, stores.now, stores.accounts.all, stores.follows.all, stores.leaders.all)

        answers = await asyncio.gather(*(ask() for ask in asked), return_exceptions=True)

    assert [type(answer) for answer in answers] == [StoreUnavailable] * len(asked)
