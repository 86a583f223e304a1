"""What the engine makes of answers that say less than they seem to."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from services.common.domain.intent import Intent, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import StoreUnavailable
from services.common.ports.venue import Answer
from tests.engine_world import ACCOUNT, World
from tests.scripted_venue import SHARE


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


def answering(world: World, how: str, **changes: object) -> None:
    """The venue does `how` with every order, and says something else of it."""
    really = world.venue.post

    async def post(intent: Intent, leave_by: float) -> Answer:
        world.venue.script = [how]
        return replace(await really(intent, leave_by), outcome=Outcome.ACKED, **changes)

    world.venue.post = post  # type: ignore[method-assign]


@pytest.mark.parametrize("status", ["delayed", "live", "matched"])
async def test_amounts_of_zero_say_nothing_of_an_order_that_is_not_unmatched(world: World, status: str):
    answering(world, "lost_after", status=status, shares_micros=0, usdc_micros=0)
    world.venue.hidden = True
    copy = await world.buys()
    world.start()
    await world.run(5)
    assert (await world.copy(copy)).state is CopyState.EXECUTING

    world.venue.hidden = False
    await world.run(5)

    done = await world.copy(copy)
    assert (done.state, done.filled_micros) == (CopyState.EXECUTED, 10 * SHARE)
    assert len(world.venue.posts) == 1


async def test_an_order_that_is_unmatched_and_has_shares_is_looked_up(world: World):
    answering(world, "lost_after", status="unmatched", shares_micros=4 * SHARE, usdc_micros=2 * SHARE)
    copy = await world.buys()
    world.start()

    await world.run(5)

    done = await world.copy(copy)
    assert (done.state, done.filled_micros) == (CopyState.EXECUTED, 10 * SHARE)


async def test_orders_that_the_venue_delays_brake_nobody(world: World):
    answering(world, "delayed", status="delayed")
    world.start()
    for number in range(1, 5):
        await world.buys(number)
        await world.run(5)

    assert len(world.venue.posts) == 4
    page = await world.stores.copies.page([ACCOUNT], 10, 0)
    assert [copy.state for copy in page.items] == [CopyState.EXECUTED] * 4


async def test_an_order_may_have_left_though_its_signature_was_never_stored(world: World):
    really = world.venue.post

    async def post(intent: Intent, leave_by: float) -> Answer:
        await really(intent, leave_by)
        await asyncio.Event().wait()
        raise AssertionError("the process dies before the answer")

    async def sign(*_: Any) -> bool:
        raise StoreUnavailable("no answer")

    world.venue.post, world.stores.copies.sign = post, sign  # type: ignore[method-assign]
    copy = await world.buys()
    world.start()
    await world.run(1)
    world.kill()
    stored = (await world.copy(copy)).intent
    assert stored is not None
    assert not stored.signature

    await world.run(60)
    world.start("after its deadline")
    await world.run(5)

    done = await world.copy(copy)
    assert (done.state, done.filled_micros) == (CopyState.EXECUTED, 10 * SHARE)
    assert len(world.venue.posts) == 1
