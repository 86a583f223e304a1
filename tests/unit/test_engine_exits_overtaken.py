"""Exits whose purchases are not there yet, or not any more: unsent, in flight, given up, not settled."""

from datetime import timedelta

import pytest

from services.common.domain.account import ExposureChange
from services.common.domain.exit import ExitState
from services.common.domain.intent import IntentState
from services.common.domain.lifecycle import CopyState
from tests.engine_world import World
from tests.exit_world import buys, fails, holding, passes, sold, the_exit
from tests.scripted_venue import SHARE


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


async def test_a_sale_that_does_not_settle_is_owed_again(world: World):
    await holding(world, 100)
    await world.sells(2, 40, of=100)
    await world.run(5)
    (attempt,) = await world.attempts()
    assert attempt.state is CopyState.EXECUTED
    assert (await the_exit(world)).state is ExitState.OPEN

    await fails(world, attempt)
    await passes(world, 20)

    assert await sold(world) == [0, 40]
    assert world.venue.bought() == 60 * SHARE
    assert (await the_exit(world)).state is ExitState.MET


async def test_a_buy_that_does_not_settle_is_not_sold(world: World):
    copy = await buys(world, 100)
    world.start()
    await world.run(2)
    await world.sells(2, 50, of=100)
    await world.run(2)
    await fails(world, copy)

    await passes(world)

    assert await sold(world) == []
    assert (await the_exit(world)).state is ExitState.MET


async def test_a_buy_that_a_whole_sale_overtakes_is_voided_and_ends_flat(world: World):
    buy = await buys(world, 100)
    await world.clock.run(2)
    debt = await world.sells(2, 100, of=100)
    await world.clock.run(3)
    world.start()

    await passes(world)

    assert ((await world.copy(buy)).state, world.venue.posts) == (CopyState.SKIPPED, [])
    assert (await world.copy(debt)).state is CopyState.SKIPPED


async def test_a_buy_that_a_part_sale_overtakes_shrinks_by_it_and_owes_nothing_for_it_again(world: World):
    buy = await buys(world, 100)
    await world.sells(2, 75, of=100)
    world.start()

    await passes(world)

    assert (await world.copy(buy)).filled_micros == 25 * SHARE
    assert await sold(world) == []
    await world.sells(3, 20, of=25)
    await passes(world)
    assert await sold(world) == [20]


async def test_a_buy_that_shrinks_below_the_minimum_is_voided(world: World):
    buy = await buys(world, 25)
    await world.sells(2, 90, of=100)
    world.start()

    await passes(world)

    assert ((await world.copy(buy)).state, world.venue.posts) == (CopyState.SKIPPED, [])


async def test_a_buy_in_flight_is_waited_for_and_then_sold(world: World):
    world.venue.script, world.venue.hidden = ["lost_after"], True
    await buys(world, 100)
    world.start()
    await world.run(0.5)
    await world.sells(2, 100, of=100)
    await passes(world, 10)
    assert (await the_exit(world)).state is ExitState.OPEN

    world.venue.hidden = False
    await passes(world, 60)

    assert await sold(world) == [100]
    assert world.venue.bought() == 0


async def test_a_buy_that_was_given_up_and_fills_late_is_sold_by_the_exit_that_waited(world: World):
    world.venue.script = ["lost_before"] * 3
    buy = await buys(world, 100)
    world.start()
    await world.run(140)
    given_up = await world.copy(buy)
    assert given_up.intent.state is IntentState.PRESUMED_DEAD
    await world.sells(2, 100, of=100)
    await passes(world, 5)
    assert (await the_exit(world)).state is ExitState.OPEN

    world.venue._fill(given_up.intent, 1)
    now = world.clock.now()
    sums = (100 * SHARE, 50 * SHARE, 0)
    await world.stores.copies.settle(
        buy.copy_id, given_up.fence, CopyState.EXECUTED, (), (), (), *sums, ExposureChange(now), True, now
    )
    await passes(world, 20)

    assert await sold(world) == [100]
    assert (await the_exit(world)).state is ExitState.MET


async def test_a_buy_that_was_given_up_and_never_fills_holds_its_exit_for_no_longer_than_its_watch(world: World):
    world.venue.script = ["lost_before"] * 3
    await buys(world, 100)
    world.start()
    await world.run(140)
    await world.sells(2, 100, of=100)
    await world.run(60)
    assert (await the_exit(world)).state is ExitState.OPEN

    world.clock.jump(timedelta(hours=25).total_seconds())
    await world.run(60)

    assert (await the_exit(world)).state is ExitState.MET
