"""A place to resume from comes from outside: whatever it is, the reader is told of the gap, and never that the store is away."""

import asyncio

import pytest

from services.common.ports.stores import StoreUnavailable
from services.common.store import client
from services.common.store.client import MongoStores
from tests.patience import PATIENT_S


@pytest.mark.parametrize(
    "place",
    [
        "nonsense",
        "82",
        "AA",
        "26",
        "327AB7F00A",
        "04E842EA526E6BFE248242328DE77FDF2CE9A7F0408B2EC7E2F7ADC65BA7",
        "96C459151D2D835E1F0F8AAB48FAB9D607224C1108906525A6012A5D4B29",
        "826B073B09000000212B3229296E04",
        "é\0",
    ],
)
async def test_a_place_that_is_none_is_a_gap(mongo_stores: MongoStores, place: str) -> None:
    changes = mongo_stores.copies.watch(place)
    async with asyncio.timeout(PATIENT_S):
        first = await anext(changes)
        await changes.aclose()  # type: ignore[attr-defined]

    assert first.value is None
    assert first.token


async def test_without_a_place_a_store_that_is_away_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WRITE_TIMEOUT_MS", 100)
    stores = MongoStores("mongodb://127.0.0.1:1/?replicaSet=rs0", "nowhere", name="tests")
    for place in (None, "82"):
        with pytest.raises(StoreUnavailable):
            await anext(stores.copies.watch(place))
    await stores.close()
