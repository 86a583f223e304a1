"""What a decision counts on: cash that other orders have taken, and orders that were sent a moment ago."""

from typing import Any

import pytest

from services.common.domain.account import ExposureChange, Limits
from services.common.domain.lifecycle import CopyState
from services.common.ports.venue import Wallet
from tests.builders import ACCOUNT
from tests.engine_world import World
from tests.scripted_venue import SHARE

FOUR_IN_A_MINUTE = Limits(max_order_micros=10**12, max_orders_per_minute=4)


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


async def test_cash_that_was_spent_and_settled_since_the_wallet_was_read_is_not_spent_again(world: World):
    world.venue.cash_micros = 12 * SHARE
    world.start()
    first = await world.buys(1, shares=10)
    await world.run(0.5)
    assert (await world.copy(first)).state is CopyState.EXECUTED
    world.venue.cash_micros -= (await world.copy(first)).paid_micros
    await world.settles()

    second = await world.buys(2, shares=20)
    await world.run(0.5)

    done = await world.copy(second)
    funds = done.decision.case["funds"]
    assert funds["balance_micros"] == world.venue.cash_micros


async def test_while_enough_is_left_for_certain_the_wallet_is_not_read_again(world: World):
    world.venue.cash_micros = 1_000 * SHARE
    world.start()
    first = await world.buys(1, shares=10)
    await world.run(0.5)
    read, spent = world.venue.wallets_read, (await world.copy(first)).intent
    await world.settles()

    second = await world.buys(2, shares=20)
    await world.run(0.5)

    done = await world.copy(second)
    assert done.state is CopyState.EXECUTED
    assert world.venue.wallets_read == read
    assert done.decision.case["funds"]["at_least"]
    assert done.decision.case["funds"]["balance_micros"] == 1_000 * SHARE - spent.usdc_micros - spent.fee_micros


async def test_resends_count_as_orders_sent():
    world = await World(FOUR_IN_A_MINUTE).open()
    world.venue.script = ["lost_before", "lost_before"]
    engine = world.start()
    first = await world.buys(1)
    await world.run(8)
    sent = await world.copy(first)
    assert len(sent.intent.attempts) == 3

    copy = await world.buys(2)
    snapshot = engine.desk.snapshot
    recent = await snapshot.case(copy, await snapshot.around(copy))

    assert recent.recent_orders == tuple(attempt.at for attempt in sent.intent.attempts)
    world.kill()


async def test_an_order_that_another_process_has_sent_counts_in_the_next_decision(world: World):
    one, other = world.start("one"), world.start("other")
    await one.stop()
    early = await world.buys(1)
    snapshot = one.desk.snapshot
    before = await snapshot.case(early, await snapshot.around(early))
    await world.run(0.5)
    sent = await world.copy(early)
    assert sent.claimed_by == "other"

    copy = await world.buys(2)
    after = await snapshot.case(copy, await snapshot.around(copy))

    assert before.recent_orders == ()
    assert after.recent_orders == tuple(attempt.at for attempt in sent.intent.attempts)
    await other.stop()


async def test_what_takes_long_to_read_makes_no_balance_too_old(world: World):
    snapshot = world.start().desk.snapshot
    copy = await world.buys(1)
    around = await snapshot.around(copy)
    await snapshot.refresh()
    world.clock.jump(3.9)
    really = world.stores.copies.recent_orders

    async def slow(*args: Any) -> object:
        world.clock.jump(2)
        return await really(*args)

    world.stores.copies.recent_orders = slow
    await world.stores.accounts.apply(ACCOUNT, ExposureChange(world.clock.now()))

    case = await snapshot.case(copy, around)

    assert case.funds.read_at == case.now


async def test_a_process_that_comes_too_late_to_a_balance_reads_it_again_and_skips_nothing():
    world = await World(Limits(max_order_micros=10**12, max_balance_age_ms=1_000)).open()
    really, slow = world.venue.wallet, [1.1] * 3

    async def wallet() -> Wallet:
        read = await really()
        world.clock.jump(slow.pop() if slow else 0)
        return read

    world.venue.wallet = wallet
    copy = await world.buys(1)
    world.start()

    await world.run(8)

    assert not slow
    assert (await world.copy(copy)).state is CopyState.EXECUTED
    world.kill()
