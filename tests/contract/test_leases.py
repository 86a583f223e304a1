"""Single flight: one holder at a time, on the store's clock."""

import asyncio
from datetime import timedelta

from services.common.ports.stores import Stores

LONG, SHORT = timedelta(seconds=30), timedelta(milliseconds=60)


async def test_a_lease_has_one_holder_who_may_keep_it(stores: Stores) -> None:
    assert await stores.leases.take("work", "one", LONG)
    assert await stores.leases.take("work", "one", LONG)
    assert not await stores.leases.take("work", "two", LONG)


async def test_leases_of_different_names_do_not_meet(stores: Stores) -> None:
    assert await stores.leases.take("work", "one", LONG)
    assert await stores.leases.take("other work", "two", LONG)


async def test_a_lease_that_is_given_back_is_free_and_only_its_holder_gives_it_back(stores: Stores) -> None:
    await stores.leases.take("work", "one", LONG)

    await stores.leases.give_back("work", "two")
    assert not await stores.leases.take("work", "two", LONG)

    await stores.leases.give_back("work", "one")
    assert await stores.leases.take("work", "two", LONG)


async def test_many_who_want_it_at_once_give_one_holder(stores: Stores) -> None:
    taken = await asyncio.gather(*(stores.leases.take("work", f"worker {number}", LONG) for number in range(12)))

    assert taken.count(True) == 1
