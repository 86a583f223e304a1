"""Control as an engine obeys it: a day's loss leaves only exits, reviews weigh until somebody looks, another version writes nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.common.domain import control
from services.common.domain.account import AccountState, ExposureChange, Limits, Pause, PauseScope
from services.common.domain.lifecycle import CopyState
from services.engine.controls import Controls
from services.engine.status import Status
from tests.builders import CONDITION
from tests.engine_world import ACCOUNT, World
from tests.scripted_venue import OTHER_TOKEN, SHARE
from tests.servicer_world import ADMIN

LOST = 60 * SHARE


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = await World(Limits(max_order_micros=10**12, max_daily_loss_micros=50 * SHARE)).open()
    yield made
    made.kill()


async def bought(world: World) -> None:
    """Ten shares are held."""
    await world.buys()
    world.start()
    await world.run(2)
    await world.settles()


async def test_a_days_loss_at_its_cap_leaves_only_exits(world: World):
    await bought(world)
    await world.stores.accounts.apply(ACCOUNT, ExposureChange(world.clock.now(), lost_micros=LOST))

    entry = await world.buys(2, token_id=OTHER_TOKEN)
    await world.run(2)
    debt = await world.sells(3, 10, of=10)
    await world.run(4)

    account = await world.account()
    assert (await world.copy(entry)).skip_reason == "daily_loss"
    assert account.state is AccountState.REDUCING
    assert (account.trail[-1].actor, account.trail[-1].action) == ("engine", "reducing:daily_loss")
    assert (await world.copy(debt)).state is CopyState.EXECUTED
    assert len(world.venue.posts) == 2


async def test_an_account_that_is_far_below_its_best_buys_again_once_it_is_compared_after_a_start(world: World):
    controls = Controls(world.stores, Status(world.stores, {}, world.clock, "test"), world.clock)
    await controls.start(ADMIN, ACCOUNT)
    await world.stores.accounts.apply(ACCOUNT, ExposureChange(world.clock.now(), high_water_micros=9_000 * SHARE))
    first = await world.buys()
    world.start()
    await world.run(2)

    # It is started though it never stopped.
    await controls.start(ADMIN, ACCOUNT)
    asked, second = await world.stores.results.asked(ACCOUNT), await world.buys(2)
    await world.run(2)
    await world.stores.accounts.apply(ACCOUNT, ExposureChange(world.clock.now(), high_water_micros=900 * SHARE))
    third = await world.buys(3)
    await world.run(2)

    assert [(await world.copy(copy)).skip_reason for copy in (first, second)] == ["drawdown", "drawdown"]
    assert asked == world.clock.now() - timedelta(seconds=4)
    assert (await world.copy(third)).state is CopyState.EXECUTED


async def test_starting_an_account_twice_is_starting_it_once(world: World):
    controls = Controls(world.stores, Status(world.stores, {}, world.clock, "test"), world.clock)
    await world.stores.accounts.apply(ACCOUNT, ExposureChange(world.clock.now(), high_water_micros=9_000 * SHARE))
    await controls.start(ADMIN, ACCOUNT)
    once = await world.account()

    await controls.start(ADMIN, ACCOUNT)

    assert await world.account() == once


async def test_entries_wait_while_an_account_reduces_and_go_on_when_it_is_started(world: World):
    await world.stores.accounts.change(ACCOUNT, lambda known: control.reduced(known, "ops", "asked", world.clock.now()))
    copy = await world.buys()
    world.start()
    await world.run(5)
    waited = await world.copy(copy)

    await world.stores.accounts.change(ACCOUNT, lambda known: control.started(known, "test", "ops", world.clock.now()))
    await world.run(5)

    assert waited.state is CopyState.DETECTED
    assert (await world.copy(copy)).state is CopyState.EXECUTED


async def test_an_engine_of_another_version_than_was_started_takes_nothing(world: World):
    await world.stores.accounts.change(ACCOUNT, lambda known: control.started(known, "newer", "ops", world.clock.now()))
    copy = await world.buys()
    world.start()

    await world.run(5)

    assert (await world.copy(copy)).state is CopyState.DETECTED
    assert world.venue.posts == []


async def test_an_engine_sends_nothing_again_once_another_version_is_started(world: World):
    world.venue.script = ["lost_before"] * 3
    copy = await world.buys()
    world.start()
    await world.run(0.5)
    sent = len(world.venue.posts)

    await world.stores.accounts.change(ACCOUNT, lambda known: control.started(known, "newer", "ops", world.clock.now()))
    await world.run(30)

    assert sent == len(world.venue.posts) == 1
    assert (await world.copy(copy)).state is CopyState.EXECUTING


async def test_what_is_paused_for_a_market_is_not_sent_again(world: World):
    world.venue.script = ["lost_before"] * 3
    await world.buys()
    world.start()
    await world.run(0.5)

    pause = Pause(PauseScope.MARKET, CONDITION, "ops", world.clock.now())
    await world.stores.accounts.change(ACCOUNT, lambda known: control.paused(known, pause))
    await world.run(30)

    assert len(world.venue.posts) == 1


async def test_two_reviews_bar_their_market_until_somebody_has_looked(world: World):
    world.venue.script = ["lost_before"] * 6
    given_up = [await world.buys(1)]
    world.start()
    await world.run(150)
    given_up.append(await world.buys(2))
    await world.run(150)
    assert [(await world.copy(copy)).needs_review for copy in given_up] == [True, True]

    world.clock.jump(1_200)
    waiting = await world.buys(3)
    await world.run(5)
    barred = (await world.copy(waiting)).state
    for copy in given_up:
        await world.stores.copies.acknowledge(copy.copy_id, "0xadmin", "lost on the way", world.clock.now())
    await world.run(10)

    assert barred is CopyState.DETECTED
    assert (await world.copy(waiting)).state is CopyState.EXECUTED


async def test_repetitions_that_somebody_has_looked_at_count_no_more():
    world = await World(Limits(max_order_micros=10**12, max_repetitions=1)).open()
    world.start()
    await world.buys(1)
    await world.run(2)
    refused = await world.buys(2)
    await world.run(2)

    now = world.clock.now()
    await world.stores.accounts.change(
        ACCOUNT, lambda known: control.acknowledged(known, refused.trade.token_id, "0xadmin", now)
    )
    passed = await world.buys(3)
    await world.run(4)
    world.kill()

    assert (await world.copy(refused)).skip_reason == "repetition"
    assert (await world.copy(passed)).state is CopyState.EXECUTED


def known_now(world: World):
    return world.clock.now()
