"""Every suite here runs on memory and on a real mongod: the twin must not differ."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.common.store.client import MongoStores
from services.common.store.memory import MemoryStores
from tests.durable import durably
from tests.fixtures.servers import kept_database


@pytest.fixture(params=["memory", "mongo"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryStores(lambda: datetime.now(UTC))
        return
    uri = request.getfixturevalue("kept_uri")
    async with kept_database(uri) as name:
        stores = durably(MongoStores(uri, name, name="tests"))
        yield stores
        await stores.close()


@pytest.fixture
def now() -> datetime:
    """The present, as exact as a database keeps it."""
    present = datetime.now(UTC)
    return present.replace(microsecond=present.microsecond // 1000 * 1000)
