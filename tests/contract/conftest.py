"""Every suite here runs on memory and on a real mongod: the twin must not differ."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.common.store import replica
from services.common.store.client import MongoStores
from services.common.store.memory import MemoryStores
from tests.durable import durably


@pytest.fixture(scope="session")
def contract_database(mongo_uri: str) -> Iterator[str]:
    """One database for all these tests of a worker: to make its indexes takes longer than most tests."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    replica.drop(mongo_uri, name)


@pytest.fixture(params=["memory", "mongo"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryStores(lambda: datetime.now(UTC))
        return
    name = request.getfixturevalue("contract_database")
    stores = durably(MongoStores(request.getfixturevalue("mongo_uri"), name, name="tests"))
    await _emptied(stores)
    yield stores
    await stores.close()


async def _emptied(stores: MongoStores) -> None:
    kept = await stores.database.list_collection_names()
    if not kept:
        await stores.prepare()
    await asyncio.gather(*(stores.database[name].delete_many({}) for name in kept))


@pytest.fixture
def now() -> datetime:
    """The present, as exact as a database keeps it."""
    present = datetime.now(UTC)
    return present.replace(microsecond=present.microsecond // 1000 * 1000)
