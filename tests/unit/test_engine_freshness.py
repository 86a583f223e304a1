"""Bytes leave only while the write that journaled them is fresh, and only while the gate is open: nothing follows a stop."""

from datetime import timedelta
from typing import Any

import pytest

from services.common.domain.account import PauseScope
from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import StoreUnavailable
from tests.builders import CONDITION, NOON
from tests.controlled import halted, paused
from tests.engine_world import ACCOUNT, World


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


def slowly(world: World, name: str, seconds: float, *, stopped: bool, lost: bool = False) -> None:
    """A write of copies takes effect at once and is answered `seconds` later, or not at all; meanwhile someone may stop the account."""
    really = getattr(world.stores.copies, name)
    slow = [True]

    async def write(*args: Any) -> object:
        done = await really(*args)
        if slow.pop() if slow else False:
            if stopped:
                await world.stores.accounts.change(ACCOUNT, halted(world.clock.now()))
            world.clock.jump(seconds)
            if lost:
                raise StoreUnavailable("no answer")
        return done

    setattr(world.stores.copies, name, write)


@pytest.mark.parametrize("lost", [False, True], ids=["late", "lost"])
async def test_an_intent_that_was_answered_late_is_not_sent_after_a_stop(world: World, lost: bool):
    slowly(world, "begin", 3, stopped=True, lost=lost)
    copy = await world.buys()
    world.start()

    await world.run(30)

    assert (await world.copy(copy)).failure == "not_sent"
    assert not world.venue.posts


@pytest.mark.parametrize("stands", [True, False], ids=["it stands", "it was never made"])
async def test_an_intent_of_which_nothing_was_answered_is_read_back_and_is_one_order(world: World, stands: bool):
    really, unanswered = world.stores.copies.begin, [True]

    async def begin(*args: Any) -> object:
        lost = unanswered.pop() if unanswered else False
        done = await really(*args) if stands or not lost else None
        if lost:
            raise StoreUnavailable("no answer")
        return done

    world.stores.copies.begin = begin
    copy = await world.buys()
    world.start()

    await world.run(5)

    done = await world.copy(copy)
    assert (done.state, len(done.intents), len(done.intent.attempts)) == (CopyState.EXECUTED, 1, 1)
    assert len(world.venue.posts) == 1


async def test_what_sends_an_order_is_told_until_when_its_bytes_may_leave(world: World):
    slowly(world, "sign", 0.7, stopped=False)
    copy = await world.buys()
    world.start()

    await world.run(2)

    (attempt,) = (await world.copy(copy)).intent.attempts
    assert attempt.outcome is Outcome.ACKED
    assert [NOON + timedelta(seconds=by) for by in world.venue.leave_by] == [attempt.at + timedelta(seconds=1)]


async def test_an_intent_that_was_answered_late_goes_out_as_a_second_attempt(world: World):
    slowly(world, "begin", 3, stopped=False)
    copy = await world.buys()
    world.start()

    await world.run(10)

    done = await world.copy(copy)
    assert done.state is CopyState.EXECUTED
    assert [attempt.outcome for attempt in done.intent.attempts] == [Outcome.NOT_SENT, Outcome.ACKED]
    assert len(world.venue.posts) == 1


async def test_a_resend_that_was_journaled_late_is_not_sent_after_a_stop(world: World):
    world.venue.script = ["lost_before"]
    slowly(world, "journal", 3, stopped=True)
    await world.buys()
    world.start()

    await world.run(30)

    assert len(world.venue.posts) == 1


async def test_a_market_that_is_paused_after_the_order_left_is_sent_nothing_more(world: World):
    world.venue.script = ["lost_before"]
    await world.buys(condition_id="")
    world.start()
    await world.run(0.5)
    assert len(world.venue.posts) == 1

    await world.stores.accounts.change(ACCOUNT, paused(world.clock.now(), PauseScope.MARKET, CONDITION))
    await world.run(30)

    assert len(world.venue.posts) == 1


async def test_a_copy_whose_turn_comes_when_the_gate_is_closed_again_waits_for_it(world: World):
    really, engine = world.stores.copies.claim, world.start()
    shut = [True]

    async def claim(*args: Any, **kwargs: Any) -> object:
        taken = await really(*args, **kwargs)
        if taken is not None and shut and shut.pop():
            for _ in range(3):
                engine.lookout._breaker.fault()
        return taken

    world.stores.copies.claim = claim  # type: ignore[method-assign]
    copy = await world.buys()
    await world.run(0.5)
    assert (await world.copy(copy)).state is CopyState.DETECTED
    assert not world.venue.posts

    await world.run(10)

    assert (await world.copy(copy)).state is CopyState.EXECUTED
