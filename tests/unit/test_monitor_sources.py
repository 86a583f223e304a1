"""The sources beside the sweep: each only hints, each may fail at any time, and each comes back."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.common.ports.chain import ChainUnavailable
from services.common.ports.venue import VenueUnavailable
from services.monitor.listen import AWAY, Listening
from tests.builders import LEADER, a_follow
from tests.monitor_world import OTHER_LEADER, World, a_fill, until
from tests.patience import PATIENT_S
from tests.still_clock import settle

CHECK = timedelta(milliseconds=1)


@pytest.fixture
async def world() -> World:
    made = World()
    await made.follow()
    return made


async def test_a_log_that_arrives_becomes_a_copy_and_one_that_a_reorg_removes_does_not(world: World):
    monitor = await world.start()
    came, gone = world.mines(a_fill(1)), world.mines(a_fill(2))
    world.chain.live = [world.log(a_fill(1), came), world.log(a_fill(2), gone, removed=True)]

    with pytest.raises(ChainUnavailable):
        await monitor.chain.follow([LEADER])
    await world.settle()

    assert [copy.trade.tx_hash for copy in await world.copies()] == [came]


async def test_a_removed_log_of_a_copied_fill_changes_nothing_when_it_is_mined_again(world: World):
    monitor = await world.start()
    tx = world.mines(a_fill(1))
    world.chain.live = [world.log(a_fill(1), tx, removed=removed) for removed in (False, True, False)]

    with pytest.raises(ChainUnavailable):
        await monitor.chain.follow([LEADER])
    await world.settle()

    assert len(await world.copies()) == 1


async def test_the_firehose_hints_at_a_fill(world: World):
    monitor = await world.start()
    tx = world.mines(a_fill(1))
    world.firehose.coming = [world.hint(tx, "rtds"), world.hint(tx, "rtds")]

    with pytest.raises(VenueUnavailable):
        await monitor.rtds.follow([LEADER])
    await world.settle()

    assert len(await world.copies()) == 1


async def test_the_data_api_alone_finds_every_trade(world: World):
    monitor = await world.start()
    await monitor.activity.poll()
    for order in range(1, 151):
        world.mines(a_fill(order), in_s=order % 5)
    await world.clock.run(5)

    await monitor.activity.poll()
    await world.settle()

    assert len(await world.copies()) == 150


async def test_polls_overlap_so_that_a_row_which_comes_late_is_read(world: World):
    monitor = await world.start()
    polled_at = []
    for _ in range(3):
        polled_at.append(world.clock.now())
        await monitor.activity.poll()
        await world.clock.run(60)

    behind = [start - polled for (_, start), polled in zip(world.activity.asked, polled_at, strict=True)]
    assert behind == [timedelta(minutes=-2), timedelta(minutes=-3), timedelta(minutes=-3)]


async def test_after_the_data_api_was_away_it_is_read_from_where_it_was_last_read(world: World):
    monitor = await world.start()
    await monitor.activity.poll()
    world.activity.away = {LEADER}
    world.mines(a_fill(1), in_s=60)
    for _ in range(10):
        await world.clock.run(60)
        with pytest.raises(VenueUnavailable):
            await monitor.activity.poll()

    world.activity.away = set()
    await monitor.activity.poll()
    await world.settle()

    assert len(await world.copies()) == 1


async def test_a_leader_who_cannot_be_read_holds_up_no_other(world: World):
    await world.follow(a_follow(leader=OTHER_LEADER))
    monitor = await world.start()
    world.activity.away = {LEADER}
    world.mines(a_fill(1, OTHER_LEADER))

    with pytest.raises(VenueUnavailable):
        await monitor.activity.poll()
    await world.settle()

    assert [copy.trade.leader for copy in await world.copies()] == [OTHER_LEADER]


class Source:
    """A live source that fails when it is told to, and remembers for whom it listened."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.failing = asyncio.Event()

    async def follow(self, leaders: Sequence[str]) -> None:
        self.calls.append(tuple(leaders))
        await self.failing.wait()
        raise VenueUnavailable("away")


@pytest.fixture
async def source(world: World):
    """A source that is listened to, with its roster's monitor."""
    made, monitor = Source(), await world.start()
    task = asyncio.create_task(Listening("test", made.follow, monitor.roster, world.clock).forever(CHECK))
    await until(lambda: made.calls)
    yield made, monitor
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def away() -> float:
    return AWAY.labels("test")._value.get()


async def test_a_source_that_is_away_is_asked_again_ever_more_rarely_and_the_metrics_say_so(world: World, source):
    made, _ = source
    made.failing.set()
    await until(lambda: away() == 1)
    heard_at: list[float] = []
    for _ in range(8):
        calls = len(made.calls)
        while len(made.calls) == calls:
            await world.clock.run(0.5)
            await world.settle()
        heard_at.append(world.clock.monotonic())

    assert heard_at[0] <= 1
    pauses = [later - before for before, later in itertools.pairwise(heard_at)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 1.5
    assert 10 <= pauses[-1] <= 11

    made.failing.clear()
    await world.clock.run(11)
    await until(lambda: away() == 0)


async def test_a_source_listens_for_a_new_leader_as_soon_as_the_roster_knows_him(world: World, source):
    made, monitor = source
    for number in range(5):
        leader = f"0x{number + 6:040x}"
        await world.follow(a_follow(leader=leader))
        await monitor.roster.refresh()
        async with asyncio.timeout(PATIENT_S):
            while leader not in made.calls[-1]:
                await asyncio.sleep(0.005)
                await world.clock.run(0.5)

    assert away() == 0


async def test_a_monitor_without_leaders_listens_as_soon_as_there_is_one():
    world = World()
    made, monitor = Source(), await world.start()
    task = asyncio.create_task(Listening("test", made.follow, monitor.roster, world.clock).forever(CHECK))
    await world.clock.run(600)
    assert made.calls == []

    await world.follow()
    await monitor.roster.refresh()
    await world.clock.run(0.5)
    await settle()

    assert made.calls == [(LEADER,)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
