"""When the engine reads an account's orders again: when somebody else has sent one, and not for whatever else moves its line."""

import pytest

from tests.builders import a_trade
from tests.engine_world import World


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


def readings(world: World) -> list[str]:
    """The accounts whose orders are read from now on."""
    really, read = world.stores.copies.recent_orders, list[str]()

    async def recent_orders(account_id, since):
        read.append(account_id)
        return await really(account_id, since)

    world.stores.copies.recent_orders = recent_orders  # type: ignore[method-assign]
    return read


async def test_its_own_orders_and_what_is_booked_are_known_without_a_reading(world: World):
    engine = world.start()
    await world.buys(1)
    await world.run(1)
    read = readings(world)
    await world.settles()
    await world.buys(2)
    engine.wake()
    await world.run(0.2)

    assert len(world.venue.posts) == 2
    assert read == []
    assert (await engine.desk.snapshot._journal.orders())[-1].token_id == a_trade(2).token_id


async def test_the_order_of_another_process_is_read_before_the_next_is_decided(world: World):
    journal = world.start("one").desk.snapshot._journal
    await world.run(1)
    world.kill()
    world.start("other")
    await world.buys()
    await world.run(1)

    assert await journal.orders() == ()
    assert len(await journal.up_to((await world.account()).attempts)) == 1
