"""An engine that is told to end: it claims nothing more, finishes what is in flight, and gives back what it has not touched."""

import asyncio

import pytest

from services.common.domain.intent import Intent, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.venue import Answer
from services.engine.timing import Timing
from services.engine.worker import Worker
from tests.engine_world import World
from tests.still_clock import settle


class Slow:
    """The venue takes an order, and answers it when it is told to."""

    def __init__(self, world: World) -> None:
        self._post = world.venue.post
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        world.venue.post = self.post  # type: ignore[method-assign]

    async def post(self, intent: Intent, leave_by: float) -> Answer:
        answer = await self._post(intent, leave_by)
        self.asked.set()
        await self.answers.wait()
        return answer


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


async def sending(world: World) -> tuple[Worker, Slow]:
    """An engine whose order is on its way."""
    slow = Slow(world)
    engine = world.start()
    await world.run(0.5)
    assert slow.asked.is_set()
    return engine, slow


async def test_what_is_in_flight_is_finished_and_only_then_it_has_stopped(world: World):
    copy = await world.buys(1)
    engine, slow = await sending(world)

    stopping = asyncio.create_task(engine.stop())
    await settle()
    assert not stopping.done()
    slow.answers.set()
    await world.run(1)

    assert stopping.done()
    done = await world.copy(copy)
    assert (done.state, done.intent and done.intent.attempts[-1].outcome) == (CopyState.EXECUTED, Outcome.ACKED)


async def test_nothing_is_claimed_any_more(world: World):
    await world.buys(1)
    engine, slow = await sending(world)

    stopping = asyncio.create_task(engine.stop())
    slow.answers.set()
    late = await world.buys(2)
    await world.run(30)

    assert stopping.done()
    assert ((await world.copy(late)).state, (await world.copy(late)).fence) == (CopyState.DETECTED, 0)
    assert len(world.venue.posts) == 1


async def test_what_was_claimed_and_not_decided_is_given_back_at_once(world: World):
    first = await world.buys(1)
    engine, slow = await sending(world)
    around = engine.desk.snapshot.around
    reached = asyncio.Event()

    async def held(copy):  # type: ignore[no-untyped-def]
        reached.set()
        await slow.answers.wait()
        return await around(copy)

    engine.desk.snapshot.around = held  # type: ignore[method-assign]
    deciding, behind = await world.buys(2), await world.buys(3)
    engine.wake()
    await world.run(0.3)
    assert reached.is_set()
    assert (await world.copy(behind)).state is CopyState.CLAIMED

    stopping = asyncio.create_task(engine.stop())
    slow.answers.set()
    await world.run(1)

    assert stopping.done()
    assert (await world.copy(first)).state is CopyState.EXECUTED
    assert (await world.copy(deciding)).state is CopyState.EXECUTED
    given_back = await world.copy(behind)
    assert (given_back.state, given_back.claimed_by) == (CopyState.DETECTED, "")


async def test_it_waits_no_longer_than_it_may_and_the_next_engine_finishes(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    copy = await world.buys(1)
    engine, _ = await sending(world)
    monkeypatch.setattr(engine, "_timing", Timing(drain=Timing().sweep * 0))

    await engine.stop()

    assert (await world.copy(copy)).state is CopyState.EXECUTING
    assert engine.tasks
    world.kill()
    world.start("next")
    await world.run(30)
    assert (await world.copy(copy)).state is CopyState.EXECUTED
    assert len(world.venue.fills) == 1


async def test_an_engine_with_nothing_in_hand_stops_at_once(world: World):
    engine = world.start()
    await world.run(5)

    await engine.stop()
    await settle()

    ((_, running),) = world.workers
    assert running.done()
