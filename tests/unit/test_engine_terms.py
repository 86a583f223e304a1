"""The venue's modes and what it lets an account do: new work waits, nothing is skipped, and it is tried again in time."""

import pytest

from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.modes import Mode, mode_of
from services.common.ports.venue import Answer, Permission
from services.engine.terms import HOLDS_S, Terms
from tests.engine_world import World
from tests.scripted_venue import SHARE, Venue
from tests.still_clock import TestClock
from tests.unit.test_engine_exits import holding, passes, sold

TAKEN = Answer(Outcome.ACKED, 200, "matched")


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


TOLD = [
    (425, "", Mode.RESTARTING),
    (425, "the matching engine is restarting", Mode.RESTARTING),
    (503, "Trading is currently disabled. Check polymarket.com for updates", Mode.DISABLED),
    (503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.", Mode.CANCEL_ONLY),
    (503, "post-only mode: only post-only orders and cancels are allowed", Mode.POST_ONLY),
    (403, "Trading restricted in your region, please refer to available regions", Mode.GEOBLOCKED),
    (400, "'0xabc' address banned", Mode.BANNED),
    (400, "'0xabc' address in closed only mode", Mode.CLOSED_ONLY),
    (400, "invalid post-only order: order crosses book", None),
    (503, "Service Unavailable", None),
    (403, "error code: 1020", None),
    (None, "ReadTimeout", None),
]


@pytest.mark.parametrize(("status", "text", "mode"), TOLD, ids=[f"{status} {text[:30]}" for status, text, _ in TOLD])
def test_an_answer_tells_of_a_mode_by_its_text(status: int | None, text: str, mode: Mode | None):
    assert mode_of(status, text) is mode


@pytest.mark.parametrize("mode", Mode)
def test_a_mode_is_believed_until_it_is_time_to_try_again(mode: Mode):
    clock = TestClock()
    terms = Terms(Venue(clock), clock)
    texts = {told: (status, text) for status, text, told in TOLD}
    terms.answered(Answer(Outcome.REJECTED, texts[mode][0], code=texts[mode][1]))

    clock.jump(HOLDS_S[mode])
    believed = terms.mode
    clock.jump(0.001)

    assert (believed, terms.mode) == (mode, None)


def test_an_order_that_is_taken_ends_a_mode_and_one_that_is_refused_does_not():
    clock = TestClock()
    terms = Terms(Venue(clock), clock)
    terms.answered(Answer(Outcome.REJECTED, 503, code="Trading is currently disabled"))
    terms.answered(Answer(Outcome.REJECTED, 400, code="not enough balance / allowance"))
    terms.answered(Answer(Outcome.UNKNOWN, None, code="ReadTimeout"))
    before = terms.mode
    terms.answered(TAKEN)

    assert (before, terms.mode) == (Mode.DISABLED, None)


async def test_while_the_venue_takes_no_orders_copies_wait_and_are_sent_after(world: World):
    world.venue.script = ["cancel_only"]
    first = await world.buys(1)
    world.start()
    await world.run(2)
    second = await world.buys(2)
    await world.run(8)
    waiting = [(await world.copy(copy)).state for copy in (first, second)]
    sent = len(world.venue.posts)

    await world.run(10)

    assert (waiting, sent) == ([CopyState.DETECTED] * 2, 1)
    assert [(await world.copy(copy)).state for copy in (first, second)] == [CopyState.EXECUTED] * 2
    assert world.venue.bought() == 20 * SHARE


async def test_where_orders_are_blocked_nothing_is_claimed_and_nothing_skipped(world: World):
    world.venue.permitted = Permission(closed_only=False, blocked=True)
    copy = await world.buys()
    worker = world.start()
    await world.run(5)

    closed = (await worker.desk.gatekeeper.admission()).closed
    assert [(verdict.guard, verdict.reason) for verdict in closed] == [("venue", "geoblocked")]
    assert (await world.copy(copy)).state is CopyState.DETECTED


async def test_an_account_that_may_only_close_sells_and_does_not_buy(world: World):
    await holding(world, 100)
    world.venue.permitted = Permission(closed_only=True, blocked=False)
    await world.run(31)
    entry = await world.buys(3)
    await world.sells(2, 100, of=100)

    await passes(world, 20)

    assert (await world.copy(entry)).state is CopyState.DETECTED
    assert sum(await sold(world)) == 100


async def test_what_the_venue_has_never_told_is_not_known():
    clock = TestClock()
    venue = Venue(clock, away=True)
    holds = await Terms(venue, clock).holds()

    assert holds == (True, "", None)


async def test_what_the_venue_told_stands_for_a_while_when_it_is_away():
    clock = TestClock()
    venue = Venue(clock)
    terms = Terms(venue, clock)
    known = await terms.holds()
    venue.away = True
    clock.jump(600)
    kept = await terms.holds()
    clock.jump(31)

    assert (known, kept, await terms.holds()) == ((True, "", False), (True, "", False), (True, "", None))


@pytest.mark.parametrize("told", ["0x" + "1" * 64, None])
async def test_an_exchange_that_names_orders_otherwise_takes_none_of_ours(world: World, told: str | None):
    world.chain.hashes[PRODUCTION.exchange_v3_address] = told
    copy = await world.buys()
    worker = world.start()
    await world.run(5)

    closed = (await worker.desk.gatekeeper.admission()).closed
    assert [(verdict.guard, verdict.reason) for verdict in closed] == ([("chain", "exchange_known")] if told else [])
    assert (await world.copy(copy)).state is (CopyState.DETECTED if told else CopyState.EXECUTED)
