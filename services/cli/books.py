"""Reads what a run has left in the stores."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from services.cli.summary import Books
from services.common.domain.copy import Copy
from services.common.domain.fill import ReconciliationResult
from services.common.ports.stores import Stores
from services.common.store.client import MongoStores

PAGE = 500


@asynccontextmanager
async def opened(mongodb_uri: str, database: str = "polycopy") -> AsyncGenerator[MongoStores]:
    """The stores of a mesh, for reading."""
    stores = MongoStores(mongodb_uri, database, name="polycopy-cli")
    try:
        yield stores
    finally:
        await stores.close()


async def read(stores: Stores) -> Books:
    """Everything of every account."""
    accounts = [account.account_id for account in await stores.accounts.all()]
    latest = [await stores.results.latest(account) for account in accounts]
    return Books(
        copies=await _copies(stores, accounts),
        fills=await stores.positions.fills(accounts),
        positions=await stores.positions.of(accounts),
        results=tuple(result for result in latest if isinstance(result, ReconciliationResult)),
    )


async def _copies(stores: Stores, accounts: list[str]) -> tuple[Copy, ...]:
    found: list[Copy] = []
    while True:
        page = await stores.copies.page(accounts, PAGE, len(found))
        found += page.items
        if len(page.items) < PAGE:
            return tuple(found)
