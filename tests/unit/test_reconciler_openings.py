"""What a day begins with is noted by its first comparison that knows what every holding is worth, and never again."""

from datetime import timedelta

import pytest

from services.common.domain.market import Book, Level
from services.common.ports.venue import VenueUnavailable
from tests.builders import TOKEN
from tests.reconciler_world import OTHER_TOKEN, SHARE, World

HALF_A_DAY_S = 12 * 3_600


@pytest.fixture
async def world() -> World:
    """Ten shares that cost five dollars, at midnight worth three."""
    made = await World().open()
    await made.held()
    made.clock.jump(HALF_A_DAY_S - made.clock.monotonic())
    made.shows(290_000, 310_000)
    return made


async def opening(world: World) -> int | None:
    return (await world.exposure()).day(world.clock.now()).opening_micros


async def test_the_first_comparison_of_a_day_notes_what_it_begins_with(world: World):
    reconciler = world.start()
    await reconciler.run_now()
    world.shows(90_000, 110_000)
    world.clock.jump(15)
    await reconciler.run_now()
    await world.start("another").run_now()

    assert await opening(world) == 2 * SHARE


async def test_each_day_has_its_own(world: World):
    reconciler = world.start()
    await reconciler.run_now()
    world.clock.jump(2 * HALF_A_DAY_S)
    world.shows(690_000, 710_000)
    await reconciler.run_now()

    assert await opening(world) == -2 * SHARE


async def test_a_holding_without_a_mark_leaves_it_to_the_next_comparison(world: World):
    await world.held(token=OTHER_TOKEN)
    reconciler = world.start()
    await reconciler.run_now()
    assert await opening(world) is None

    world.shows(500_000, 500_000, OTHER_TOKEN)
    await reconciler.run_now()
    assert await opening(world) == 2 * SHARE


async def test_a_mark_of_yesterday_is_none(world: World):
    world.clock.jump(-60)
    reconciler = world.start()
    await reconciler.run_now()
    book = world.markets.book

    async def away(token_id: str):
        raise VenueUnavailable("away")

    world.markets.book = away  # type: ignore[method-assign]
    world.clock.jump(90)
    await reconciler.run_now()
    assert await opening(world) is None

    world.markets.book = book  # type: ignore[method-assign]
    await reconciler.run_now()
    assert await opening(world) == 2 * SHARE


async def test_what_is_bid_is_a_mark_where_nothing_is_offered(world: World):
    world.markets.show(Book(TOKEN, (Level(300_000, SHARE),), (), world.clock.now()))
    await world.start().run_now()

    assert await opening(world) == 2 * SHARE


async def test_a_chain_that_is_away_holds_it_up_no_more_than_the_marks(world: World):
    world.chain.away = True
    await world.start().run_now()

    assert await opening(world) == 2 * SHARE


async def test_the_day_is_the_databases(world: World):
    ours, behind = world.clock.now, timedelta(seconds=1)
    world.stores.database.now = lambda: ours() - behind
    reconciler = world.start()
    await reconciler.run_now()
    assert await opening(world) is None

    world.clock.jump(2)
    await reconciler.run_now()
    assert await opening(world) == 2 * SHARE
