"""Streams of changes: every one in its order, resumed after a token without a gap, and never silently from a later place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from services.common.domain.copy import Copy
from services.common.ports.answers import Change
from services.common.ports.stores import Stores, StoreUnavailable
from services.common.store.client import MongoStores
from services.common.store.memory import MemoryStores
from services.common.store.memory.database import Feed
from tests.builders import a_copy
from tests.contract.lifecycle_world import S, executed, in_state
from tests.patience import PATIENT_S


@asynccontextmanager
async def watching(stores: Stores, token: str | None) -> AsyncIterator[AsyncIterator[Change[Copy]]]:
    changes: Any = stores.copies.watch(token)
    try:
        async with asyncio.timeout(PATIENT_S):
            yield changes
    finally:
        await changes.aclose()


async def a_token(stores: Stores, now: datetime) -> str:
    """The place where everything so far has been seen."""
    others = "0x" + "e" * 40
    async with watching(stores, None) as changes:
        first, number = asyncio.ensure_future(anext(changes)), 1_000
        while not first.done():  # a stream opens in its own time
            number += 1
            await stores.copies.insert([a_copy(number, account=others, now=now)])
            await asyncio.sleep(0.02)
        change = first.result()
        while change.value is not None and change.value.copy_id != a_copy(number, account=others).copy_id:
            change = await anext(changes)
    return change.token


async def test_every_state_of_a_copy_is_told_in_its_order(stores: Stores, now: datetime) -> None:
    token = await a_token(stores, now)
    copy = await executed(stores, now)

    async with watching(stores, token) as changes:
        told: list[Copy] = []
        while not told or told[-1].state is not S.EXECUTED:
            change = await anext(changes)
            assert change.value is not None
            told.append(change.value)

    assert {found.copy_id for found in told} == {copy.copy_id}
    assert told[-1] == copy
    assert [found.fence for found in told] == sorted(found.fence for found in told)


async def test_a_stream_resumed_at_each_token_misses_and_repeats_nothing(stores: Stores, now: datetime) -> None:
    token = await a_token(stores, now)
    await stores.copies.insert([a_copy(number, now=now) for number in (1, 2, 3)])

    seen: list[int] = []
    for _ in range(3):
        async with watching(stores, token) as changes:
            change = await anext(changes)
            assert change.value is not None
            token = change.token
            seen.append(change.value.trade.block_number - 100)

    assert sorted(seen) == [1, 2, 3]


@pytest.mark.parametrize("token", ["no place of ours", "82" + "0" * 20, "99999999"])
async def test_a_token_that_is_no_place_says_so_and_the_stream_goes_on(
    stores: Stores, now: datetime, token: str
) -> None:
    async with watching(stores, token) as changes:
        marker = await anext(changes)
        # Between the marker and the next look, as while a snapshot is read.
        await stores.copies.insert([a_copy(1, now=now)])
        change = await anext(changes)

    assert marker.value is None
    assert change.value is not None
    assert change.value.copy_id == a_copy(1).copy_id


async def test_the_marker_of_a_resync_is_itself_a_place(stores: Stores, now: datetime) -> None:
    async with watching(stores, "no place of ours") as changes:
        marker = await anext(changes)
    await stores.copies.insert([a_copy(1, now=now)])

    async with watching(stores, marker.token) as changes:
        change = await anext(changes)

    assert change.value is not None
    assert change.value.copy_id == a_copy(1).copy_id


async def test_a_feed_that_has_forgotten_says_so() -> None:
    feed: Feed[int] = Feed(keep=2)
    for number in range(1, 6):
        feed.tell(number)

    seen: dict[str, Any] = {}
    for token in ("2", "3", "4"):
        changes: Any = feed.watch(token)
        seen[token] = (await anext(changes)).value
        await changes.aclose()

    assert seen == {"2": None, "3": 4, "4": 5}


async def test_two_watchers_see_the_same(now: datetime) -> None:
    stores = MemoryStores(lambda: now)
    async with watching(stores, None) as one, watching(stores, None) as two:
        waiting = [asyncio.ensure_future(anext(changes)) for changes in (one, two)]
        await asyncio.sleep(0)
        await in_state(stores, S.DETECTED, now)

        first, second = await asyncio.gather(*waiting)

    assert first == second


async def test_a_stream_of_a_database_that_is_away_says_that_nothing_is_known() -> None:
    away = MongoStores("mongodb://127.0.0.1:1/", "none", name="tests")
    changes: Any = away.copies.watch(None)
    with pytest.raises(StoreUnavailable):
        await anext(changes)
    await away.close()
