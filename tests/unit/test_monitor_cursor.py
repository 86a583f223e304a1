"""The sweep: the cursor moves only over blocks whose trades all have their copies, and after an outage it finds the rest."""

import asyncio
from datetime import timedelta

import pytest

from services.common.chain.memory import block_of
from services.common.domain.follow import FollowState
from services.common.ports.chain import ChainUnavailable
from services.common.ports.stores import StoreUnavailable
from services.monitor.sources import chain as chain_source
from services.monitor.sources.chain import WIDEST_SWEEP
from tests.builders import ACCOUNT, LEADER, NOON, a_follow
from tests.controlled import as_it_is_not
from tests.monitor_world import OTHER_ACCOUNT, OTHER_LEADER, OVERLAP_BLOCKS, World, a_fill

START = block_of(NOON)


@pytest.fixture
async def world() -> World:
    made = World()
    await made.follow()
    return made


async def test_a_sweep_stores_what_it_finds_and_then_moves_the_cursor_to_the_head(world: World):
    monitor = await world.start()
    await world.clock.run(10)
    world.mines(a_fill(1))

    assert await monitor.chain.sweep() == START + 10

    assert len(await world.copies()) == 1
    cursor = await world.cursor()
    assert (cursor.cursor_block, cursor.cursor_at, cursor.seen) == (START + 10, NOON + timedelta(seconds=10), 1)
    assert (cursor.last_trade_at, cursor.lag_ms) == (NOON + timedelta(seconds=10), 0)


async def test_without_leaders_there_is_nothing_to_sweep():
    world = World()

    assert await (await world.start()).chain.sweep() == 0


async def test_a_new_leader_starts_at_the_head_and_his_old_trades_are_not_copied():
    world = World()
    old = [world.mines(a_fill(order)) for order in range(1, 51)]
    await world.clock.run(20)
    await world.stores.follows.create(a_follow(created_at=world.clock.now()))
    monitor = await world.start()
    assert (await world.cursor()).cursor_block == START + 20

    await monitor.chain.sweep()
    await monitor.activity.poll()
    for tx in old:
        await monitor.watch.see(world.hint(tx, "rtds"))
    assert await world.copies() == []

    await world.clock.run(2)
    world.mines(a_fill(60))
    await monitor.chain.sweep()
    assert len(await world.copies()) == 1


async def test_what_a_new_leader_did_while_nobody_could_read_the_chain_is_found():
    world = World()
    await world.stores.follows.create(a_follow(created_at=world.clock.now()))
    await world.stores.follows.create(a_follow(OTHER_ACCOUNT, created_at=world.clock.now() + timedelta(seconds=100)))
    await world.clock.run(1)
    world.mines(a_fill(1))
    await world.clock.run(OVERLAP_BLOCKS + 300)

    monitor = await world.start()
    await monitor.chain.sweep()

    assert [copy.account_id for copy in await world.copies()] == [ACCOUNT]


async def test_a_new_leader_is_not_read_further_back_than_the_data_api_is_every_hour():
    world = World()
    await world.stores.follows.create(a_follow(created_at=NOON - timedelta(days=300)))

    await world.start()

    assert (await world.cursor()).cursor_block == START - 2 * 3_600


async def test_a_follow_made_later_does_not_move_the_cursor_of_its_leader(world: World):
    await world.start()
    await world.clock.run(500)
    await world.follow(a_follow(OTHER_ACCOUNT))

    await world.start()

    assert (await world.cursor()).cursor_block == START


@pytest.mark.parametrize("away", ["chain", "store"])
async def test_the_cursor_stands_still_while_a_copy_cannot_be_stored(world: World, away: str):
    monitor = await world.start()
    await world.clock.run(5)
    world.mines(a_fill(1))
    await _cut(world, away)
    with pytest.raises((ChainUnavailable, StoreUnavailable)):
        await monitor.chain.sweep()
    world.chain.away = world.stores.database.unavailable = False
    assert (await world.cursor()).cursor_block == START

    await monitor.chain.sweep()

    assert (await world.cursor()).cursor_block == START + 5
    assert len(await world.copies()) == 1


async def _cut(world: World, away: str) -> None:
    if away == "store":
        world.stores.database.unavailable = True
        return
    # Away between the logs and the receipt.
    found = world.chain.sightings_of

    async def once(*arguments):
        logs = await found(*arguments)
        world.chain.away, world.chain.sightings_of = True, found
        return logs

    world.chain.sightings_of = once  # type: ignore[method-assign]


async def test_the_cursor_stands_still_while_one_of_many_transactions_has_no_receipt(world: World):
    monitor = await world.start()
    await world.clock.run(5)
    first, missing, last = (world.mines(a_fill(order)) for order in (1, 2, 3))
    world.chain.unmined.add(missing)

    sweeping = asyncio.ensure_future(monitor.chain.sweep())
    await world.clock.run(100)
    await sweeping

    assert {copy.trade.tx_hash for copy in await world.copies()} == {first, last}
    assert (await world.cursor()).cursor_block == START


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("point", ["before_insert", "after_insert_before_cursor", "after_cursor"])
async def test_a_crash_anywhere_in_a_sweep_loses_nothing_and_doubles_nothing(
    world: World, point: str, monkeypatch: pytest.MonkeyPatch
):
    monitor = await world.start()
    await world.clock.run(5)
    world.mines(a_fill(1), a_fill(2))
    world.mines(a_fill(3))

    def dies(name: str) -> None:
        if name == point:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("services.monitor.watch.crashpoint", dies)
        patched.setattr(chain_source, "crashpoint", dies)
        sweeping = asyncio.ensure_future(_dying(monitor.chain.sweep()))
        await world.settle()
        assert sweeping.result() == "killed"

    await world.clock.run(5)
    again = await world.start()
    await again.chain.sweep()

    assert [copy.trade.order_hash for copy in await world.copies()] == [f"0x{order:064x}" for order in (1, 2, 3)]
    assert (await world.cursor()).cursor_block == START + 10


async def _dying(work) -> str:
    try:
        await work
    except (Killed, asyncio.CancelledError):
        return "killed"
    return "lived"


async def test_after_an_outage_the_logs_from_the_cursor_on_give_what_was_missed(world: World):
    monitor = await world.start()
    await monitor.chain.sweep()
    for order in range(1, 151):
        world.mines(a_fill(order), in_s=order * 60)
    await world.clock.run(4 * 3600)

    again = await world.start()
    while (await world.cursor()).cursor_block < START + 4 * 3600:
        await again.chain.sweep()

    assert len(await world.copies()) == 150
    assert all(last - first <= WIDEST_SWEEP + OVERLAP_BLOCKS for first, last in world.chain.swept)


async def test_a_sweep_looks_back_behind_the_cursor_for_logs_that_a_node_gave_late(world: World):
    monitor = await world.start()
    world.mines(a_fill(1))
    world.chain.silent = True
    await world.clock.run(OVERLAP_BLOCKS)
    await monitor.chain.sweep()
    assert (await world.cursor()).cursor_block == START + OVERLAP_BLOCKS

    world.chain.silent = False
    await monitor.chain.sweep()

    assert len(await world.copies()) == 1


async def test_an_overlap_wider_than_a_sweep_stops_no_cursor(world: World):
    monitor = await world.start()
    monitor.chain._overlap = WIDEST_SWEEP * 2
    await world.clock.run(WIDEST_SWEEP * 3)

    for _ in range(3):
        await monitor.chain.sweep()

    assert (await world.cursor()).cursor_block == START + WIDEST_SWEEP * 3


async def test_a_leader_who_joins_during_an_outage_does_not_hide_what_another_did(world: World):
    monitor = await world.start()
    await monitor.chain.sweep()
    await world.clock.run(1_000)
    world.mines(a_fill(1))
    await world.clock.run(600)
    await world.follow(a_follow(leader=OTHER_LEADER))

    again = await world.start()
    await again.chain.sweep()

    assert [copy.trade.leader for copy in await world.copies()] == [LEADER]
    assert (await world.cursor(OTHER_LEADER)).cursor_block == START + 1_600


async def test_a_cursor_never_moves_back(world: World):
    monitor = await world.start()
    await world.clock.run(100)
    await monitor.chain.sweep()
    behind = World()
    await behind.clock.run(40)
    world.chain.head = behind.chain.head  # type: ignore[method-assign]

    await monitor.chain.sweep()

    assert (await world.cursor()).cursor_block == START + 100


async def test_a_follow_that_is_closed_is_watched_no_more(world: World):
    monitor = await world.start()
    await world.stores.follows.change(a_follow().follow_id, as_it_is_not(state=FollowState.CLOSED))

    assert await monitor.roster.refresh()

    assert (monitor.roster.leaders, monitor.roster.follows(LEADER)) == ((), ())


async def test_the_roster_says_when_the_leaders_have_changed_and_when_somebody_follows_anew(world: World):
    roster = (await world.start()).roster
    version = roster.version
    assert (await roster.refresh(), roster.version) == (False, version)

    await world.follow(a_follow(OTHER_ACCOUNT))
    assert (await roster.refresh(), roster.version) == (False, version + 1)

    await world.follow(a_follow(leader=OTHER_LEADER))
    assert (await roster.refresh(), roster.version) == (True, version + 2)
    assert roster.leaders == (LEADER, OTHER_LEADER)


async def test_a_roster_whose_chain_is_away_keeps_the_leaders_that_it_knows(world: World):
    roster = (await world.start()).roster
    await world.stores.follows.create(a_follow(leader=OTHER_LEADER))
    world.chain.away = True

    with pytest.raises(ChainUnavailable):
        await roster.refresh()

    assert roster.leaders == (LEADER,)
    world.chain.away = False
    assert await roster.refresh()
