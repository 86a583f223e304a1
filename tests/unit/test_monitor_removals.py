"""Trades that a reorg removes for good, and the sweep over a day that finds what everyone else has missed."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from services.common.domain.copy import Copy
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.ports.stores import StoreUnavailable
from tests.builders import ACCOUNT, NOON, a_decision, a_follow, an_account, an_exposure, an_intent
from tests.monitor_world import OTHER_ACCOUNT, Monitor, World, a_fill

SECOND = timedelta(seconds=1)


@pytest.fixture
async def world() -> World:
    made = World()
    await made.follow(a_follow(), a_follow(OTHER_ACCOUNT))
    await made.stores.accounts.create(an_account())
    return made


async def sweeps(world: World, monitor: Monitor, seconds: int) -> None:
    for _ in range(0, seconds, 2):
        await world.clock.run(2)
        await monitor.chain.sweep()


async def one_copy(world: World) -> Copy:
    (copy,) = await world.copies(ACCOUNT)
    return copy


async def test_a_trade_that_is_gone_for_good_voids_every_copy_of_which_nothing_was_sent(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))
    await sweeps(world, monitor, 4)

    world.chain.removed.add(tx)
    await sweeps(world, monitor, 28)
    assert {copy.state for copy in await world.copies()} == {CopyState.DETECTED}
    await sweeps(world, monitor, 20)

    copies = await world.copies()
    assert [(copy.state, copy.skip_reason, copy.claimable_at) for copy in copies] == [
        (CopyState.SKIPPED, "removed", None)
    ] * 2
    assert [(copy.trail[-1].actor, copy.trail[-1].action) for copy in copies] == [("monitor", "skipped:removed")] * 2


@pytest.mark.parametrize("how", ["mined again", "a node lags"])
async def test_a_trade_that_is_missing_for_a_moment_voids_nothing(world: World, how: str):
    monitor, tx = await world.start(), world.mines(a_fill(1))
    await sweeps(world, monitor, 4)

    for _ in range(3):
        (world.chain.removed if how == "mined again" else world.chain.unmined).add(tx)
        world.chain.silent = how == "a node lags"
        await sweeps(world, monitor, 26)
        world.chain.removed, world.chain.unmined, world.chain.silent = set(), set(), False
        await sweeps(world, monitor, 4)

    assert (await one_copy(world)).state is CopyState.DETECTED


async def test_logs_alone_void_nothing_while_the_receipt_is_there(world: World):
    monitor, _ = await world.start(), world.mines(a_fill(1))
    await sweeps(world, monitor, 4)

    world.chain.silent = True
    await sweeps(world, monitor, 120)

    assert (await one_copy(world)).state is CopyState.DETECTED


async def test_a_trade_that_moved_to_another_transaction_keeps_its_copy(world: World):
    monitor, before = await world.start(), world.mines(a_fill(1))
    await sweeps(world, monitor, 4)

    world.chain.removed.add(before)
    world.mines(a_fill(1), in_s=1)
    await world.clock.run(1)
    monitor.watch.offer(world.hint(f"0x{2:064x}"))
    await world.clock.run(20)
    await sweeps(world, monitor, 60)

    assert [copy.state for copy in await world.copies(ACCOUNT)] == [CopyState.DETECTED]


async def test_an_order_that_is_out_is_left_alone_and_told_of_once(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))
    await sweeps(world, monitor, 2)
    copy = await world.stores.copies.claim(ACCOUNT, "w", timedelta(hours=1), fresh=True)
    assert copy is not None
    world.chain.removed.add(tx)
    await sweeps(world, monitor, 40)
    assert (await one_copy(world)).state is CopyState.CLAIMED
    intent, now = an_intent(1), world.clock.now()
    await world.stores.copies.begin(copy, 0, intent, a_decision(now), an_exposure(copy, intent), (), now)

    with capture_logs() as told:
        await sweeps(world, monitor, 20)

    left = await one_copy(world)
    assert (left.state, left.needs_review, left.intent) == (CopyState.EXECUTING, False, intent)
    assert [(one["copy"], one["orders"]) for one in told if one["event"] == "removed_trade_was_copied"] == [
        (copy.copy_id, [intent.order_hash])
    ]


async def test_what_is_sold_is_no_matter_of_the_monitor(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1, side=Side.SELL))
    await sweeps(world, monitor, 4)

    world.chain.removed.add(tx)
    await sweeps(world, monitor, 60)

    assert (await one_copy(world)).state is CopyState.DETECTED


async def test_a_store_that_is_away_is_asked_again(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))
    await sweeps(world, monitor, 4)
    world.chain.removed.add(tx)
    await sweeps(world, monitor, 28)
    await world.clock.run(20)
    void = world.stores.copies.void

    async def away(*_: object) -> bool:
        world.stores.copies.void = void  # type: ignore[method-assign]
        raise StoreUnavailable("away")

    world.stores.copies.void = away  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailable):
        await monitor.chain.sweep()
    await monitor.chain.sweep()

    assert (await one_copy(world)).state is CopyState.SKIPPED


async def test_what_every_source_has_missed_is_found_within_the_day_and_once(world: World):
    world.chain.silent = True
    missed = world.mines(a_fill(1)), world.mines(a_fill(2, side=Side.SELL))
    await world.clock.run(3_000)
    monitor = await world.start()
    await monitor.activity.poll()
    await monitor.chain.sweep()
    await world.settle()
    assert await world.copies() == []

    for _ in range(2):
        await monitor.day.poll()
        await world.settle()
    await (await world.start()).day.poll()
    await world.settle()

    copies = await world.copies(ACCOUNT)
    assert {copy.trade.tx_hash for copy in copies} == set(missed)
    assert [copy.trade.traded_at for copy in copies] == [NOON, NOON]
    assert len(monitor.announced) == 4


async def test_a_day_is_read_from_when_the_leader_was_first_followed(world: World):
    await world.follow(a_follow("0x" + "c" * 40, created_at=NOON - timedelta(hours=20)))
    monitor = await world.start()

    await monitor.day.poll()
    await world.clock.run(6 * 3_600)
    await monitor.day.poll()
    await monitor.day.poll()

    asked = [since - NOON for _, since in world.activity.asked]
    assert asked == [timedelta(hours=-20), timedelta(hours=-20), timedelta(hours=6 - 24)]
