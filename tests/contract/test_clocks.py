"""When a copy may be taken is for the store's clock alone: processes whose own are minutes apart never hold one together, nor wait."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt, Outcome
from services.common.ports.stores import Stores
from services.common.store.client import MongoStores
from services.monitor.detect import copies
from tests.builders import ACCOUNT, a_copy, a_follow, a_trade, an_account, an_exposure, an_intent
from tests.contract import lifecycle_world as world

LEASE = timedelta(seconds=20)
APART = [timedelta(minutes=-3), timedelta(minutes=3)]
GiveBack = Callable[[Stores, Copy, timedelta, datetime], Awaitable[bool]]


@pytest.fixture
def off(request: pytest.FixtureRequest, now: datetime) -> datetime:
    """What a process takes for the present whose clock is wrong by so much."""
    return now + request.param


async def released(stores: Stores, copy: Copy, after: timedelta, off: datetime) -> bool:
    return await stores.copies.release(copy.ref, after, off)


async def recorded(stores: Stores, copy: Copy, after: timedelta, off: datetime) -> bool:
    return await stores.copies.record(copy.ref, Attempt(1, off, Outcome.UNKNOWN), after, off)


async def looked(stores: Stores, copy: Copy, after: timedelta, off: datetime) -> bool:
    return await stores.copies.looked(copy.ref, True, after, off)


async def failed(stores: Stores, copy: Copy, after: timedelta, off: datetime) -> bool:
    rejected, change = Attempt(1, off, Outcome.REJECTED), an_exposure(copy, an_intent(1, off), off)
    return await stores.copies.fail(copy.ref, rejected, "killed", False, True, change, None, off, after)


async def claim(stores: Stores, worker: str) -> Copy | None:
    return await stores.copies.claim(ACCOUNT, worker, LEASE, fresh=True)


@pytest.mark.parametrize("off", APART, indirect=True, ids=["behind", "ahead"])
async def test_a_copy_that_a_wrong_clock_made_is_claimed_at_once_and_by_one(stores: Stores, off: datetime) -> None:
    await stores.accounts.create(an_account())
    follow = replace(a_follow(), created_at=off - timedelta(days=1))
    await stores.copies.insert(copies(a_trade(1, traded_at=off), [follow], None, off))

    taken = await asyncio.gather(*(claim(stores, f"w{number}") for number in range(4)))

    assert sum(copy is not None for copy in taken) == 1


@pytest.mark.parametrize("rest", [timedelta(0), timedelta(minutes=1)], ids=["no rest", "a rest"])
@pytest.mark.parametrize("give_back", [released, recorded, looked, failed])
@pytest.mark.parametrize("off", APART, indirect=True, ids=["behind", "ahead"])
async def test_what_a_wrong_clock_gives_back_rests_as_long_as_it_said(
    stores: Stores, now: datetime, off: datetime, give_back: GiveBack, rest: timedelta
) -> None:
    copy = await _at_work(stores, now, begun=give_back is not released)

    assert await give_back(stores, copy, rest, off)

    # A clock that is behind would end the rest before it begins, one that is ahead would make minutes of none.
    taken = await claim(stores, "another")
    assert (taken and taken.fence) == (None if rest else copy.fence + 1)


async def test_two_processes_with_clocks_minutes_apart_never_hold_one_copy(
    mongo_stores: MongoStores, mongo_uri: str, now: datetime
) -> None:
    other = MongoStores(mongo_uri, mongo_stores.database.name, name="tests")
    order = await _at_work(mongo_stores, now, begun=True)
    assert await looked(mongo_stores, order, timedelta(0), now)
    holders: set[str] = set()
    fences: list[int] = []

    async def turns(stores: MongoStores, off: timedelta) -> None:
        """What a worker does with an order of which nothing is known, again and again."""
        for _ in range(8):
            if (copy := await claim(stores, f"w{off}")) is not None:
                assert not holders
                holders.add(copy.claimed_by)
                fences.append(copy.fence)
                assert await stores.copies.renew(copy.ref, LEASE)
                holders.clear()
                assert await looked(stores, copy, timedelta(0), now + off)
            await asyncio.sleep(0)

    await asyncio.gather(*(turns(stores, off) for stores, off in zip((mongo_stores, other), APART, strict=True)))
    await other.close()

    assert len(fences) > 1
    assert fences == sorted(set(fences))


async def _at_work(stores: Stores, now: datetime, *, begun: bool) -> Copy:
    if begun:
        return await world.executing(stores, now)
    return await world.claimed(stores, a_copy(1, now=now))
