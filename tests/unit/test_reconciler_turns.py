"""How often the reconciler asks about a match: once for each block that becomes final, and whenever a person asks."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from services.common.domain.fill import TradeStatus
from services.common.domain.lifecycle import CopyState
from services.reconciler.overdue import OLDEST
from tests.builders import ACCOUNT
from tests.reconciler_world import SHARE, Sums, World

FILL = Sums(10 * SHARE, 5 * SHARE)
DAY_S = 86_400


@pytest.fixture
async def world() -> World:
    return await World().open()


async def test_a_match_is_looked_at_once_for_each_block_that_becomes_final(world: World):
    copy = await world.matched()
    world.trades(copy, FILL, TradeStatus.MATCHED)
    reconciler = world.start()

    for _ in range(3):
        await reconciler.turn()
    assert len(world.venue.asked) == 1

    world.chain.finalized += 1
    await reconciler.turn()
    assert len(world.venue.asked) == 2


async def test_it_settles_with_the_block_that_makes_it_final(world: World):
    copy = await world.matched()
    world.settles(copy, FILL, block=world.chain.finalized + 1)
    reconciler = world.start()
    await reconciler.turn()
    assert (await world.copy(copy)).state is CopyState.EXECUTED

    world.chain.finalized += 1
    await reconciler.turn()

    assert (await world.copy(copy)).state is CopyState.RECONCILED


async def test_one_that_the_venue_did_not_answer_about_is_asked_about_again_at_once(world: World):
    copy = await world.matched()
    world.venue.away = True
    reconciler = world.start()
    await reconciler.turn()

    world.venue.away = False
    world.settles(copy, FILL)
    await reconciler.turn()

    assert (await world.copy(copy)).state is CopyState.RECONCILED


async def test_whoever_asks_for_a_comparison_has_every_match_looked_at_now(world: World):
    copy = await world.matched()
    reconciler = world.start()
    await reconciler.turn()
    world.settles(copy, FILL)

    await reconciler.run_now()

    assert (await world.copy(copy)).state is CopyState.RECONCILED


async def test_nothing_is_asked_while_the_chain_is_away(world: World):
    await world.matched()
    world.chain.away = True

    await world.start().turn()

    assert world.venue.asked == []


async def test_the_end_of_a_watch_sets_the_cash_free(world: World):
    copy = await world.given_up()
    reconciler = world.start()
    await reconciler.turn()
    kept = set((await world.exposure()).open)

    world.clock.jump(DAY_S + 1)
    await reconciler.turn()

    assert (kept, (await world.exposure()).open) == ({copy.copy_id}, {})


async def test_a_watch_does_not_end_unseen_while_the_venue_is_away(world: World):
    copy = await world.given_up()
    world.clock.jump(DAY_S + 1)
    world.venue.away = True

    await world.start().turn()

    assert set((await world.exposure()).open) == {copy.copy_id}


async def test_a_fill_that_shows_at_the_very_end_of_a_watch_is_executed(world: World):
    copy = await world.given_up()
    world.trades(copy, FILL)
    world.clock.jump(DAY_S + 1)

    await world.start().turn()

    assert (await world.copy(copy)).state is CopyState.EXECUTED


async def test_a_comparison_is_made_once_for_each_time_that_one_is_asked_for(world: World):
    reconciler = world.start()
    for _ in range(2):
        await reconciler.turn()
    first = await world.stores.results.latest(ACCOUNT)

    world.clock.jump(2)
    await world.stores.results.ask(ACCOUNT, world.clock.now())
    for _ in range(2):
        await reconciler.turn()

    found = await world.stores.results.page([ACCOUNT], 9, 0)
    assert first is not None
    assert [one.started_at - first.started_at for one in found.items] == [timedelta(seconds=2), timedelta(0)]


@pytest.mark.parametrize(("seconds", "told"), [(600, 0), (601, 1)])
async def test_a_match_that_does_not_settle_is_told_once(world: World, seconds: int, told: int):
    copy = await world.matched()
    world.trades(copy, FILL, TradeStatus.MATCHED)
    reconciler = world.start()

    with capture_logs() as logs:
        await world.clock.run(seconds)
        await reconciler.turn()
        await reconciler.turn()

    assert [line["copy"] for line in logs if line["event"] == "settlement_overdue"] == [copy.copy_id] * told
    assert OLDEST.labels(ACCOUNT)._value.get() == seconds


async def test_what_has_settled_waits_no_more(world: World):
    copy = await world.matched()
    reconciler = world.start()
    await world.clock.run(3_600)
    world.settles(copy, FILL)
    await reconciler.turn()

    await reconciler.turn()

    assert OLDEST.labels(ACCOUNT)._value.get() == 0
