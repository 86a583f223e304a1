"""Entries, from a stored copy to exactly one order: what the venue answers, and what it does not."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain.intent import IntentState, Outcome
from services.common.domain.lifecycle import CopyState
from tests.builders import NOON
from tests.controlled import halted
from tests.engine_world import ACCOUNT, World
from tests.scripted_venue import SHARE


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


def hashes(world: World) -> set[bytes]:
    return set(world.venue.posts)


async def test_a_leaders_buy_becomes_one_order(world: World):
    copy = await world.buys(shares=10)
    world.start()

    await world.run(1)

    done = await world.copy(copy)
    assert done.state is CopyState.EXECUTED
    assert done.filled_micros == 10 * SHARE
    assert [attempt.outcome for attempt in done.intent.attempts] == [Outcome.ACKED]
    assert len(world.venue.posts) == 1
    body = json.loads(world.venue.posts[0])
    assert (body["orderType"], body["order"]["side"]) == ("FAK", "BUY")
    assert (await world.account()).exposure.open[copy.copy_id].matched


async def test_five_fills_of_one_transaction_are_five_orders(world: World):
    same = {"tx_hash": "0xone", "block_number": 200}
    copies = [await world.buys(number, log_index=number, **same) for number in range(1, 6)]
    world.start()

    await world.run(2)

    assert [(await world.copy(copy)).state for copy in copies] == [CopyState.EXECUTED] * 5
    assert len(hashes(world)) == 5
    assert world.venue.bought() == 50 * SHARE


async def test_the_trade_of_a_lost_answer_is_found_although_the_clock_of_whoever_detected_it_is_far_ahead(world: World):
    copy = await world.buys()
    world.stores.database.put(replace(copy, detected_at=copy.detected_at + timedelta(minutes=5)))
    world.venue.script = ["lost_after"]
    world.start()

    await world.run(8)

    assert (await world.copy(copy)).state is CopyState.EXECUTED


@pytest.mark.parametrize("how", ["lost_after", "5xx_after"])
async def test_an_answer_lost_after_the_fill_is_found_by_its_hash(world: World, how: str):
    world.venue.script = [how]
    copy = await world.buys()
    world.start()

    await world.run(5)

    assert (await world.copy(copy)).state is CopyState.EXECUTED
    assert len(world.venue.posts) == 1
    assert world.venue.bought() == 10 * SHARE


async def test_an_order_lost_before_the_venue_saw_it_is_sent_again_byte_for_byte(world: World):
    world.venue.script = ["lost_before", "lost_before"]
    copy = await world.buys()
    world.start()

    await world.run(12)

    done = await world.copy(copy)
    assert done.state is CopyState.EXECUTED
    assert len(world.venue.posts) == 3
    assert len(hashes(world)) == 1
    assert world.venue.bought() == 10 * SHARE


async def test_nothing_found_three_times_is_given_up_loudly_and_keeps_its_cash_aside(world: World):
    world.venue.script = ["lost_before"] * 9
    copy = await world.buys()
    world.start()

    await world.run(70)
    assert (await world.copy(copy)).state is CopyState.EXECUTING
    await world.run(60)

    done = await world.copy(copy)
    assert (done.state, done.failure, done.needs_review) == (CopyState.FAILED, "presumed_dead", True)
    assert done.intent.state is IntentState.PRESUMED_DEAD
    assert (done.intent.watch_until - world.clock.now()).total_seconds() > 23 * 3600
    assert copy.copy_id in (await world.account()).exposure.open
    assert len(world.venue.posts) == 3
    assert len(hashes(world)) == 1


async def test_a_source_that_is_away_proves_nothing(world: World):
    world.venue.script = ["lost_before"] * 9
    copy = await world.buys()
    world.start()
    await world.run(10)

    world.chain.away = True
    await world.run(300)

    assert (await world.copy(copy)).state is CopyState.EXECUTING


async def test_a_rejected_order_fails_and_frees_what_it_had_at_risk(world: World):
    world.venue.script = ["refuse"]
    copy = await world.buys()
    world.start()

    await world.run(3)

    done = await world.copy(copy)
    assert (done.state, done.failure, done.intent.state) == (CopyState.FAILED, "rejected", IntentState.FINAL)
    assert not (await world.account()).exposure.open
    assert len(world.venue.posts) == 1


async def test_an_order_that_met_nobody_fails_with_zero(world: World):
    world.venue.script = ["unmatched"] * 9
    copy = await world.buys()
    world.start()

    await world.run(30)

    done = await world.copy(copy)
    assert (done.state, done.failure) == (CopyState.FAILED, "unmatched")
    assert not (await world.account()).exposure.open


async def test_zero_is_not_final_while_an_earlier_attempt_may_still_be_on_its_way(world: World):
    world.venue.script = ["lost_before", "unmatched"]
    copy = await world.buys()
    world.start()

    await world.run(10)

    done = await world.copy(copy)
    assert done.state is CopyState.EXECUTING
    assert [attempt.outcome for attempt in done.intent.attempts[:2]] == [Outcome.UNKNOWN, Outcome.ACKED]


async def test_duplicated_proves_arrival_and_the_fill_is_looked_up(world: World):
    world.venue.script = ["lost_after", "fill"]
    world.venue.hidden = True
    copy = await world.buys()
    world.start()
    await world.run(3)
    assert (await world.copy(copy)).intent.attempts[-1].outcome is Outcome.DUPLICATED

    world.venue.hidden = False
    await world.run(10)

    assert (await world.copy(copy)).state is CopyState.EXECUTED
    assert world.venue.bought() == 10 * SHARE


@pytest.mark.parametrize("how", ["no_amounts", "wrong_units"])
async def test_amounts_that_cannot_be_trusted_are_read_from_the_trades(world: World, how: str):
    world.venue.script = [how]
    copy = await world.buys()
    world.start()

    await world.run(2)

    done = await world.copy(copy)
    assert (done.state, done.filled_micros) == (CopyState.EXECUTED, 10 * SHARE)


async def test_a_delayed_order_is_in_flight_and_never_sent_again(world: World):
    world.venue.script, world.venue.hidden = ["delayed"], True
    copy = await world.buys()
    world.start()
    await world.run(40)
    assert (await world.copy(copy)).state is CopyState.EXECUTING

    world.venue.hidden = False
    await world.run(40)

    assert (await world.copy(copy)).state is CopyState.EXECUTED
    assert len(world.venue.posts) == 1


async def test_nothing_that_left_the_host_is_tried_again_and_then_fails_quietly(world: World):
    world.venue.script = ["not_sent"] * 5
    copy = await world.buys(traded_at=NOON - timedelta(seconds=28))
    world.start()

    await world.run(20)

    done = await world.copy(copy)
    assert (done.state, done.failure, done.needs_review) == (CopyState.FAILED, "not_sent", False)
    assert len(hashes(world)) == 1


async def test_a_signer_that_is_away_for_a_moment_signs_the_stored_intent_later(world: World):
    world.pen.refusing = True
    copy = await world.buys()
    world.start()
    await world.run(0.6)
    before = await world.copy(copy)
    assert [attempt.outcome for attempt in before.intent.attempts] == [Outcome.NOT_SENT]

    world.pen.refusing = False
    await world.run(3)

    done = await world.copy(copy)
    assert (done.state, done.intent.order_hash) == (CopyState.EXECUTED, before.intent.order_hash)


async def test_a_trade_that_is_too_old_is_skipped_with_its_whole_report(world: World):
    copy = await world.buys(traded_at=world.clock.now())
    await world.clock.run(31)
    world.start()

    await world.run(1)

    done = await world.copy(copy)
    assert (done.state, done.skip_reason) == (CopyState.SKIPPED, "trade_time")
    assert len(done.decision.verdicts) > 20
    assert not world.venue.posts


async def test_a_halted_account_claims_nothing_and_skips_nothing(world: World):
    await world.stores.accounts.change(ACCOUNT, halted(world.clock.now()))
    copy = await world.buys()
    world.start()

    await world.run(60)

    waiting = await world.copy(copy)
    assert (waiting.state, waiting.fence) == (CopyState.DETECTED, 0)
    assert not world.venue.posts


@pytest.mark.parametrize("away", ["venue", "chain"])
async def test_while_the_venue_or_the_chain_is_away_new_work_waits(world: World, away: str):
    getattr(world, away).away = True
    copy = await world.buys()
    world.start()
    await world.run(20)
    assert (await world.copy(copy)).state is CopyState.DETECTED

    getattr(world, away).away = False
    await world.run(8)

    assert (await world.copy(copy)).state is CopyState.EXECUTED


async def test_before_the_reconciler_has_looked_nothing_is_claimed():
    world = World()
    await world.stores.accounts.create(world._account)
    copy = await world.buys()
    world.start(compared=False)

    await world.clock.run(20)

    assert (await world.copy(copy)).fence == 0
    world.kill()


async def test_the_store_away_for_a_while_loses_nothing(world: World):
    world.start()
    world.stores.database.unavailable = True
    await world.clock.run(5)
    world.stores.database.unavailable = False
    await world.clock.run(2)
    await world.reconciled()

    copy = await world.buys()
    await world.run(4)

    assert (await world.copy(copy)).state is CopyState.EXECUTED


async def test_a_comparison_from_before_its_start_does_not_count_for_an_engine_and_it_asks_for_one(world: World):
    await world.run(30)
    await world.clock.run(1)
    copy = await world.buys()
    asked = await world.stores.results.asked(ACCOUNT)
    world.start(compared=False)
    await world.clock.run(5)
    assert (await world.copy(copy)).state is CopyState.DETECTED
    assert asked is None
    assert await world.stores.results.asked(ACCOUNT) == NOON + timedelta(seconds=31)

    await world.reconciled()
    await world.clock.run(5)

    assert (await world.copy(copy)).state is CopyState.EXECUTED
