"""What fills after its copy was given up is executed again, flagged, and settles as any other."""

import pytest

from services.common.domain.fill import TradeStatus
from services.common.domain.lifecycle import CopyState
from tests.builders import TOKEN
from tests.reconciler_world import BUY, SHARE, World


@pytest.fixture
async def world() -> World:
    return await World().open()


async def test_a_late_fill_of_a_copy_that_was_given_up_is_executed_again_flagged_and_then_settles(world: World):
    copy = await world.given_up()
    await world.turn()
    assert (await world.copy(copy)).state is CopyState.FAILED
    world.settles(copy, BUY)

    await world.turn()
    late = await world.copy(copy)
    await world.turn()
    done = await world.copy(copy)

    assert (late.state, late.filled_micros, late.needs_review) == (CopyState.EXECUTED, 10 * SHARE, True)
    assert (done.state, done.needs_review) == (CopyState.RECONCILED, True)
    assert (await world.exposure()).held[TOKEN].shares_micros == 10 * SHARE
    assert not (await world.exposure()).open


async def test_a_late_fill_that_only_the_chain_tells_of_is_executed_again_and_waits_for_its_trade(world: World):
    copy = await world.given_up()
    world.mines(copy, BUY)

    await world.turn()
    late = await world.copy(copy)
    await world.turn()
    waiting = await world.copy(copy)
    world.trades(copy, BUY)
    await world.turn()

    assert (late.state, late.filled_micros, late.paid_micros) == (CopyState.EXECUTED, 10 * SHARE, 5 * SHARE)
    assert (late.needs_review, waiting.state) == (True, CopyState.EXECUTED)
    assert (await world.copy(copy)).state is CopyState.RECONCILED


async def test_a_log_that_a_reorg_took_back_revives_nothing(world: World):
    copy = await world.given_up()
    world.mines(copy, BUY, removed=True)

    await world.turn()

    assert (await world.copy(copy)).state is CopyState.FAILED


async def test_a_watch_does_not_end_while_the_chain_says_nothing(world: World):
    copy = await world.given_up()
    await world.clock.run(2 * 24 * 3600)
    world.chain.away = True
    await world.turn()
    kept = (await world.exposure()).open

    world.chain.away = False
    await world.turn()

    assert (copy.copy_id in kept, copy.copy_id in (await world.exposure()).open) == (True, False)


async def test_a_late_trade_that_failed_revives_nothing(world: World):
    copy = await world.given_up()
    world.trades(copy, BUY, TradeStatus.FAILED)

    for _ in range(4):
        await world.turn()

    done = await world.copy(copy)
    assert (done.state, len(done.trail)) == (CopyState.FAILED, len(copy.trail))


async def test_a_late_fill_whose_settlement_fails_ends_failed_and_stays_so(world: World):
    copy = await world.given_up()
    world.trades(copy, BUY, TradeStatus.MATCHED)
    await world.turn()
    assert (await world.copy(copy)).state is CopyState.EXECUTED
    world.venue.becomes(copy, TradeStatus.FAILED)
    await world.turn()
    failed = await world.copy(copy)

    for _ in range(4):
        await world.turn()

    assert failed.state is CopyState.FAILED
    assert await world.copy(copy) == failed
