"""From a match to the books: a copy settles when every trade is terminal and the finalized logs of its own hashes say the same."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain.fill import TradeStatus
from services.common.domain.intent import IntentState
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.ports.venue import VenueUnavailable
from tests.builders import ACCOUNT, TOKEN, an_intent
from tests.reconciler_world import BUY, OTHER_TOKEN, SHARE, Sums, World


@pytest.fixture
async def world() -> World:
    return await World().open()


async def test_a_match_settles_once_its_trade_is_confirmed_and_its_log_is_final(world: World):
    copy = await world.matched()
    world.trades(copy, BUY, TradeStatus.MATCHED)
    for status in (TradeStatus.MATCHED, TradeStatus.MINED, TradeStatus.RETRYING):
        world.venue.becomes(copy, status)
        await world.turn()
        assert (await world.copy(copy)).state is CopyState.EXECUTED
        assert await world.position() is None

    world.venue.becomes(copy, TradeStatus.CONFIRMED)
    world.mines(copy, BUY)
    world.chain.finalized = 499
    await world.turn()
    assert (await world.copy(copy)).state is CopyState.EXECUTED
    world.chain.finalized = 500
    await world.turn()

    done, position = await world.copy(copy), await world.position()
    assert (done.state, done.filled_micros, done.paid_micros, done.fee_micros) == (
        CopyState.RECONCILED,
        10 * SHARE,
        5 * SHARE,
        100_000,
    )
    assert position is not None
    assert (position.shares_micros, position.cost_micros, position.fees_micros) == (10 * SHARE, 5_100_000, 100_000)
    exposure = await world.exposure()
    assert not exposure.open
    assert (exposure.held[TOKEN].shares_micros, exposure.held[TOKEN].cost_micros) == (10 * SHARE, 5_100_000)


async def test_a_trade_that_is_called_failed_is_not_believed_while_a_log_of_its_order_may_become_final(world: World):
    copy = await world.matched()
    block = world.chain.finalized + 1
    world.trades(copy, BUY, TradeStatus.FAILED, block=block)
    world.mines(copy, BUY, block)

    await world.turn()
    assert (await world.copy(copy)).state is CopyState.EXECUTED

    world.venue.becomes(copy, TradeStatus.CONFIRMED)
    world.chain.finalized += 1
    await world.turn()
    assert (await world.copy(copy)).state is CopyState.RECONCILED


async def test_a_late_fill_of_an_earlier_order_of_the_copy_is_booked_with_its_last(world: World):
    copy = await world.matched()
    earlier = replace(an_intent(99), state=IntentState.FINAL)
    world.stores.database.put(replace(copy, past_intents=(earlier,)))
    world.settles(copy, BUY)
    world.settles(replace(copy, intent=earlier), Sums(2 * SHARE, SHARE), trade_id="t2")

    await world.turn()

    done, position = await world.copy(copy), await world.position()
    assert (done.state, done.filled_micros, position.shares_micros) == (CopyState.RECONCILED, 12 * SHARE, 12 * SHARE)
    assert {fill.order_hash for fill in await world.stores.positions.fills_of(copy.copy_id)} == set(done.order_hashes)


async def test_what_a_monitor_detected_whose_clock_is_far_ahead_settles_all_the_same(world: World):
    copy = await world.matched(detected_at=world.clock.now() + timedelta(minutes=5))
    world.settles(copy, BUY)

    await world.turn()

    assert (await world.copy(copy)).state is CopyState.RECONCILED


async def test_a_position_carries_the_names_of_its_market(world: World):
    await world.held()

    position = await world.position()
    assert position is not None
    assert (position.title, position.outcome, position.opposite_outcome) == ("Rain?", "Yes", "No")
    assert (position.opposite_token_id, position.event_id, position.event_slug) == (OTHER_TOKEN, "7", "weather")


async def test_a_market_that_is_away_holds_no_settlement_up(world: World):
    async def away(token_id: str):
        raise VenueUnavailable("away")

    world.markets.by_token = away  # type: ignore[method-assign]
    await world.held()

    position = await world.position()
    assert position is not None
    assert (position.shares_micros, position.outcome_index) == (10 * SHARE, 0)


async def test_a_copy_settles_by_its_own_hash_and_not_by_another_order_of_its_token(world: World):
    mine, other = await world.matched(), await world.matched()
    world.settles(other, BUY)

    await world.turn()

    assert (await world.copy(other)).state is CopyState.RECONCILED
    assert (await world.copy(mine)).state is CopyState.EXECUTED


async def test_evidence_from_the_chain_alone_books_nothing_until_the_venue_names_the_trade(world: World):
    copy = await world.matched()
    world.mines(copy, BUY)
    await world.turn()
    assert await world.position() is None
    assert (await world.copy(copy)).state is CopyState.EXECUTED

    world.trades(copy, BUY)
    for _ in range(3):
        await world.turn()

    assert len(await world.stores.positions.fills([ACCOUNT])) == 1
    position = await world.position()
    assert position is not None
    assert position.shares_micros == 10 * SHARE


@pytest.mark.parametrize(
    "sums", [Sums(9 * SHARE, 5 * SHARE), Sums(11 * SHARE, 5 * SHARE)], ids=["less than the trade", "more"]
)
async def test_the_finalized_log_says_what_was_moved_and_not_the_venues_rounded_figures(world: World, sums: Sums):
    copy = await world.matched()
    world.trades(copy, BUY)
    world.mines(copy, sums)

    await world.turn()

    position = await world.position()
    assert position is not None
    assert (position.shares_micros, (await world.copy(copy)).filled_micros) == (sums.shares, sums.shares)


async def test_a_confirmed_trade_without_its_log_waits_and_so_does_a_log_without_its_trade(world: World):
    one, two = await world.matched(), await world.matched()
    world.trades(one, BUY)
    world.settles(two, BUY)
    world.mines(two, BUY, block=600)

    await world.turn()

    assert [(await world.copy(copy)).state for copy in (one, two)] == [CopyState.EXECUTED] * 2


async def test_a_log_that_a_reorg_removed_counts_for_nothing(world: World):
    copy = await world.matched()
    world.trades(copy, BUY)
    world.mines(copy, BUY, removed=True)
    await world.turn()
    assert (await world.copy(copy)).state is CopyState.EXECUTED

    world.mines(copy, BUY)
    await world.turn()

    assert (await world.copy(copy)).filled_micros == 10 * SHARE


async def test_a_partial_fill_books_what_was_filled(world: World):
    copy = await world.matched(shares=10 * SHARE)
    world.settles(copy, Sums(4 * SHARE, 2 * SHARE))

    await world.turn()

    done = await world.copy(copy)
    assert (done.state, done.filled_micros, done.paid_micros) == (CopyState.RECONCILED, 4 * SHARE, 2 * SHARE)
    assert not (await world.exposure()).open


async def test_two_trades_of_one_order_are_two_fills_of_one_copy(world: World):
    copy = await world.matched()
    world.settles(copy, Sums(4 * SHARE, 2 * SHARE, 40), "t1", 500)
    world.settles(copy, Sums(6 * SHARE, 3 * SHARE, 60), "t2", 501)

    await world.turn()

    fills = await world.stores.positions.fills_of(copy.copy_id)
    assert [(fill.trade_id, fill.shares_micros, fill.fee_micros) for fill in fills] == [
        ("t1", 4 * SHARE, 40),
        ("t2", 6 * SHARE, 60),
    ]
    assert (await world.exposure()).held[TOKEN].shares_micros == 10 * SHARE


async def test_trades_that_share_one_log_add_up_to_it_and_pay_its_fee_once(world: World):
    copy = await world.matched()
    world.trades(copy, Sums(4 * SHARE, 2 * SHARE), trade_id="t1")
    world.trades(copy, Sums(6 * SHARE, 3 * SHARE), trade_id="t2")
    world.mines(copy, Sums(10 * SHARE, 5_000_001, 77))

    await world.turn()

    fills = await world.stores.positions.fills_of(copy.copy_id)
    lines = await world.stores.positions.ledger(ACCOUNT)
    assert [sum(getattr(fill, part) for fill in fills) for part in ("shares_micros", "usdc_micros", "fee_micros")] == [
        10 * SHARE,
        5_000_001,
        77,
    ]
    assert sum(line.shares_micros for line in lines) == 10 * SHARE


async def test_the_same_trade_told_twice_is_one_fill(world: World):
    copy = await world.matched()
    world.trades(copy, BUY, TradeStatus.MINED)
    world.settles(copy, BUY)

    await world.turn()

    fills = await world.stores.positions.fills_of(copy.copy_id)
    lines = await world.stores.positions.ledger(ACCOUNT)
    assert [(fill.shares_micros, fill.usdc_micros, fill.fee_micros) for fill in fills] == [
        (10 * SHARE, 5 * SHARE, 100_000)
    ]
    assert [line.shares_micros for line in lines] == [10 * SHARE]


async def test_what_is_settled_is_not_settled_again(world: World):
    copy = await world.held()

    for _ in range(3):
        await world.turn()

    position = await world.position()
    assert position is not None
    assert (position.shares_micros, len(await world.stores.positions.ledger(ACCOUNT))) == (10 * SHARE, 1)
    assert (await world.copy(copy)).fence == copy.fence


async def test_a_failed_settlement_undoes_the_match(world: World):
    copy = await world.matched()
    world.trades(copy, BUY, TradeStatus.FAILED)

    await world.turn()

    done = await world.copy(copy)
    assert (done.state, done.failure, done.filled_micros) == (CopyState.FAILED, "settlement_failed", 0)
    assert await world.position() is None
    exposure = await world.exposure()
    assert (dict(exposure.open), dict(exposure.held)) == ({}, {})
    (fill,) = await world.stores.positions.fills_of(copy.copy_id)
    assert (fill.status, fill.booked) == (TradeStatus.FAILED, False)


async def test_one_trade_that_fails_beside_one_that_does_not_is_booked_in_part_and_reviewed(world: World):
    copy = await world.matched()
    world.settles(copy, Sums(4 * SHARE, 2 * SHARE), "t1")
    world.trades(copy, Sums(6 * SHARE, 3 * SHARE), TradeStatus.FAILED, "t2", 501)

    await world.turn()

    done = await world.copy(copy)
    assert (done.state, done.filled_micros, done.needs_review) == (CopyState.RECONCILED, 4 * SHARE, True)


async def test_a_trade_that_is_tried_again_in_another_transaction_is_one_fill(world: World):
    copy = await world.matched()
    world.trades(copy, BUY, TradeStatus.RETRYING, block=500)
    await world.turn()
    world.venue.by_order.clear()
    world.settles(copy, BUY, block=520)

    await world.turn()

    (fill,) = await world.stores.positions.fills_of(copy.copy_id)
    assert fill.block_number == 520


async def test_a_sale_realises_its_part_of_the_cost(world: World):
    await world.held(shares=10 * SHARE, usdc=5 * SHARE)
    copy = await world.matched(Side.SELL, 4 * SHARE)
    world.settles(copy, Sums(4 * SHARE, 3 * SHARE, 50_000), "t9", 600)

    await world.turn()

    position = await world.position()
    assert position is not None
    assert (position.shares_micros, position.cost_micros) == (6 * SHARE, 3 * SHARE)
    assert position.realized_micros == 3 * SHARE - 50_000 - 2 * SHARE
    exposure = await world.exposure()
    assert (exposure.held[TOKEN].shares_micros, exposure.held[TOKEN].cost_micros) == (6 * SHARE, 3 * SHARE)
    assert exposure.day(world.clock.now()).lost_micros == -950_000


async def test_a_sale_at_a_loss_counts_against_the_day_and_a_whole_sale_leaves_nothing(world: World):
    await world.held(shares=10 * SHARE, usdc=5 * SHARE, fee=1)
    copy = await world.matched(Side.SELL, 10 * SHARE)
    world.settles(copy, Sums(10 * SHARE, 2 * SHARE), "t9", 600)

    await world.turn()

    position = await world.position()
    assert position is not None
    assert (position.shares_micros, position.cost_micros, position.realized_micros) == (0, 0, -3_000_001)
    exposure = await world.exposure()
    assert TOKEN not in exposure.held
    assert exposure.day(world.clock.now()).lost_micros == 3_000_001


async def test_many_copies_of_one_token_settle_in_one_turn_without_losing_each_other(world: World):
    copies = [await world.matched() for _ in range(20)]
    for number, copy in enumerate(copies):
        world.settles(copy, BUY, f"t{number}")

    await world.turn()

    position = await world.position()
    assert position is not None
    assert (position.shares_micros, position.cost_micros) == (200 * SHARE, 20 * 5_100_000)
    assert (await world.exposure()).held[TOKEN].shares_micros == 200 * SHARE
