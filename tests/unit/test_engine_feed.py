"""The venue's own channel: evidence sooner than a look-up, and silence that says something only while it is live."""

from datetime import timedelta

import pytest

from services.common.domain.lifecycle import CopyState
from services.common.ports.venue import VenueTrade
from tests.engine_world import World
from tests.scripted_venue import SHARE, Venue


class Channel:
    """Tells of what has been filled, while it is live."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.live = True

    def trades(self, order_hash: str) -> tuple[VenueTrade, ...]:
        return tuple(self._venue.fills[order_hash]) if self.live else ()

    async def told(self, order_hash: str, within: timedelta) -> tuple[VenueTrade, ...]:
        return self.trades(order_hash)


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


@pytest.mark.parametrize("how", ["lost_after", "5xx_after", "delayed"])
async def test_what_the_channel_tells_needs_no_look_up(world: World, how: str):
    world.venue.script, world.venue.hidden = [how], True
    copy = await world.buys()
    world.start(feed=Channel(world.venue))

    await world.run(0.2)

    done = await world.copy(copy)
    assert (done.state, done.filled_micros) == (CopyState.EXECUTED, 10 * SHARE)
    assert len(world.venue.posts) == 1


async def test_what_the_channel_told_is_found_by_whoever_claims_the_copy_next(world: World):
    world.venue.script, world.venue.hidden = ["hang"], True
    copy = await world.buys()
    world.start()
    await world.run(0.5)
    world.kill()
    (known,) = (await world.copy(copy)).order_hashes
    world.venue._fill((await world.copy(copy)).intent, 1)

    world.start("another", feed=Channel(world.venue))
    await world.run(8)

    assert (await world.copy(copy)).state is CopyState.EXECUTED
    assert list(world.venue.fills) == [known]


async def test_while_the_channel_is_lost_new_work_waits(world: World):
    channel = Channel(world.venue)
    channel.live = False
    copy = await world.buys()
    worker = world.start(feed=channel)
    await world.run(3)
    closed = (await worker.desk.gatekeeper.admission()).closed
    waiting = (await world.copy(copy)).state

    channel.live = True
    await world.run(3)

    assert [(verdict.guard, verdict.reason) for verdict in closed] == [("readiness", "user_feed_live")]
    assert (waiting, (await world.copy(copy)).state) == (CopyState.DETECTED, CopyState.EXECUTED)


async def test_nothing_is_given_up_on_the_silence_of_a_lost_channel(world: World):
    channel = Channel(world.venue)
    world.venue.script = ["lost_before"] * 9
    copy = await world.buys()
    world.start(feed=channel)
    await world.run(14)
    channel.live = False

    await world.run(300)
    looked = await world.copy(copy)
    channel.live = True
    await world.run(120)

    assert (looked.state, looked.intent.empty_looks) == (CopyState.EXECUTING, 0)
    assert (await world.copy(copy)).failure == "presumed_dead"
