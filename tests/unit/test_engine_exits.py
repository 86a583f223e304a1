"""Exits, from a leader's sale to what we sell: the same part of our own, once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain.exit import ExitState
from services.common.domain.follow import follow_id
from services.common.domain.lifecycle import CopyState
from services.common.ports.chain import Transfer
from tests.builders import LEADER, NOON, TOKEN, a_follow
from tests.engine_world import ACCOUNT, POLICY, World
from tests.exit_world import OTHER_LEADER, buys, holding, passes, sold, the_exit
from tests.scripted_chain import EXCHANGE
from tests.scripted_venue import SHARE


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


async def test_a_sale_of_a_tenth_sells_a_tenth_of_ours(world: World):
    await holding(world, 100)
    debt = await world.sells(2, 50, of=500)

    await passes(world)

    assert await sold(world) == [10]
    assert world.venue.bought() == 90 * SHARE
    assert (await the_exit(world)).state is ExitState.MET
    assert (await world.copy(debt)).state is CopyState.RECONCILED


async def test_steps_count_by_what_was_left_and_only_against_what_was_bought_before_them(world: World):
    await holding(world, 100)
    await world.sells(2, 50, of=100)
    await passes(world)
    await holding(world, 100, number=3)
    await world.sells(4, 30, of=120)
    await passes(world)

    # 100 × (1 − ½ × ¾) + 100 × ¼
    assert await sold(world) == [50, 37.5]
    assert world.venue.bought() == round(112.5 * SHARE)


async def test_sales_that_come_together_owe_their_product(world: World):
    await holding(world, 100)
    world.kill()
    await world.sells(2, 50, of=100)
    await world.sells(3, 25, of=50)
    world.start()

    await passes(world)

    assert sum(await sold(world)) == 75


async def test_two_fills_of_one_transaction_are_one_step(world: World):
    await holding(world, 100)
    world.kill()
    one = await world.sells(2, 10, of=100, tx_hash="0xone", block_number=300, log_index=5)
    two = await world.sells(3, 20, of=100, tx_hash="0xone", block_number=300, log_index=9)
    moves = tuple(Transfer(LEADER, EXCHANGE, TOKEN, part * SHARE, "0xone", 300, at) for part, at in ((10, 4), (20, 8)))
    world.chain.moves[:] = moves
    world.chain.receipts["0xone"] = replace(world.chain.receipts["0xone"], transfers=moves)
    world.start()

    await passes(world)

    assert sum(await sold(world)) == 30
    assert [(await world.copy(debt)).state for debt in (one, two)] == [CopyState.RECONCILED] * 2


async def test_what_moved_earlier_in_the_same_block_counts_in_the_balance_before(world: World):
    await holding(world, 100)
    world.kill()
    debt = await world.sells(2, 50, of=50)
    here = debt.trade.block_number
    world.chain.moves.insert(0, Transfer(EXCHANGE, LEADER, TOKEN, 50 * SHARE, "0xbefore", here, 0))
    world.start()

    await passes(world)

    assert await sold(world) == [50]


async def test_two_follows_of_one_token_do_not_sell_each_others(world: World):
    await world.stores.follows.create(a_follow(ACCOUNT, OTHER_LEADER, policy=POLICY))
    await holding(world, 100)
    await holding(world, 75, number=2, leader=OTHER_LEADER)
    await world.sells(3, 80, of=80, leader=OTHER_LEADER)

    await passes(world)

    assert await sold(world) == [75]
    assert {attempt.follow_id for attempt in await world.attempts()} == {follow_id(ACCOUNT, OTHER_LEADER)}
    assert world.venue.bought() == 100 * SHARE
    await world.sells(4, 10, of=20)
    await passes(world)
    assert world.venue.bought() == 50 * SHARE


async def test_what_another_follow_holds_is_kept_when_the_wallet_has_too_little(world: World):
    await world.stores.follows.create(a_follow(ACCOUNT, OTHER_LEADER, policy=POLICY))
    await holding(world, 100)
    await holding(world, 75, number=2, leader=OTHER_LEADER)
    world.chain.balances[ACCOUNT, TOKEN, None] = 85 * SHARE
    await world.sells(3, 80, of=80)

    await passes(world)

    assert await sold(world) == [10]
    assert (await the_exit(world)).state is ExitState.EXTERNAL


async def test_too_little_to_sell_accrues_until_it_is_enough(world: World):
    await holding(world, 25)
    first = await world.sells(2, 10, of=100)
    await passes(world)
    assert await sold(world) == []
    assert (await the_exit(world)).state is ExitState.DUST
    assert (await world.copy(first)).state is CopyState.SKIPPED

    await world.sells(3, 10, of=90)
    await passes(world)

    assert await sold(world) == [5]


async def test_at_the_end_the_whole_rest_is_tried_however_small(world: World):
    await holding(world, 50)
    await world.sells(2, 96, of=100)
    await passes(world)
    assert await sold(world) == [48]

    await world.sells(3, 4, of=4)
    await passes(world)

    assert await sold(world) == [48, 2]
    assert world.venue.bought() == 0


@pytest.mark.parametrize("how", ["reject", "unmatched", "not_sent"])
async def test_an_attempt_that_came_to_nothing_is_followed_by_another_order(world: World, how: str):
    await holding(world, 100)
    world.venue.script = [how, how]
    await world.sells(2, 100, of=100)

    await passes(world, 40)

    attempts = await world.attempts()
    assert [attempt.attempt_number for attempt in attempts] == list(range(1, len(attempts) + 1))
    hashes = [order for attempt in attempts for order in attempt.order_hashes]
    assert len(set(hashes)) == len(hashes)
    assert sum(await sold(world)) == 100
    assert world.venue.bought() == 0


async def test_a_partial_fill_is_followed_by_an_attempt_for_the_rest(world: World):
    await holding(world, 100)
    world.venue.script = ["half", "half"]
    await world.sells(2, 100, of=100)

    await passes(world, 40)

    assert await sold(world) == [50, 25, 25]


@pytest.mark.parametrize("how", ["lost_after", "lost_before", "delayed"])
async def test_an_attempt_whose_answer_is_lost_is_one_sale(world: World, how: str):
    await holding(world, 100)
    world.venue.script = [how]
    await world.sells(2, 40, of=100)

    await passes(world, 40)

    assert world.venue.bought() == 60 * SHARE
    assert await sold(world) == [40]


async def test_a_sale_of_what_we_never_held_is_skipped_by_name(world: World):
    debt = await world.sells(1, 10, of=100)
    world.start()

    await passes(world, 3)

    done = await world.copy(debt)
    assert done.state is CopyState.SKIPPED
    assert done.skip_reason
    assert world.venue.posts == []


async def test_a_sale_before_our_buy_owes_nothing_of_it(world: World):
    await world.sells(1, 100, of=100)
    await holding(world, 50, number=2)

    await passes(world)

    assert world.venue.bought() == 50 * SHARE


async def test_a_market_that_is_resolved_is_not_sold(world: World):
    await holding(world, 100)
    world.venue.closed = True
    debt = await world.sells(2, 100, of=100)

    await passes(world, 5)

    assert (await the_exit(world)).state is ExitState.RESOLVED
    assert (await world.copy(debt)).state is CopyState.SKIPPED
    assert world.venue.bought() == 100 * SHARE


async def test_tokens_that_a_human_has_sold_are_not_owed(world: World):
    await holding(world, 100)
    world.chain.balances[ACCOUNT, TOKEN, None] = 0
    await world.sells(2, 100, of=100)

    await passes(world, 5)

    assert (await the_exit(world)).state is ExitState.EXTERNAL
    assert world.venue.bought() == 100 * SHARE


async def test_only_settled_shares_are_sold(world: World):
    await buys(world, 100)
    world.start()
    await world.run(2)
    await world.sells(2, 100, of=100)
    await world.run(5)
    assert await sold(world) == []
    assert (await the_exit(world)).state is ExitState.OPEN

    await world.settles()
    await passes(world, 10)

    assert await sold(world) == [100]


@pytest.mark.parametrize("spread", [(490_000, 500_000), (300_000, 310_000)])
async def test_what_the_leader_merges_or_transfers_away_is_sold_at_the_markets_price(world: World, spread):
    await holding(world, 100)
    world.venue.spread = spread
    debt = await world.gives_away(2, 40, of=100)

    await passes(world)

    assert await sold(world) == [40]
    (attempt,) = await world.attempts()
    assert attempt.trade.price_micros == sum(spread) // 2
    assert (await world.copy(debt)).state is CopyState.RECONCILED


async def test_a_fill_and_a_sweep_of_one_transaction_are_one_step_by_the_net_decrease(world: World):
    await holding(world, 100)
    world.kill()
    debt = await world.sells(2, 10, of=100, tx_hash="0xone", block_number=300, log_index=5)
    moves = tuple(
        Transfer(sender, receiver, TOKEN, part * SHARE, "0xone", 300, at)
        for sender, receiver, part, at in (
            (LEADER, EXCHANGE, 10, 4),
            (EXCHANGE, LEADER, 5, 6),
            (LEADER, OTHER_LEADER, 55, 8),
        )
    )
    world.chain.moves[:] = moves
    world.chain.receipts["0xone"] = replace(world.chain.receipts["0xone"], transfers=moves)
    world.start()

    await passes(world)

    assert await sold(world) == [60]
    assert (await world.copy(debt)).state is CopyState.RECONCILED


async def test_what_a_node_keeps_no_state_of_is_rebuilt_backwards_from_its_logs(world: World):
    await holding(world, 100)
    world.kill()
    debt = await world.sells(2, 30, of=120)
    here = debt.trade.block_number
    # He bought 40 more afterwards, and sold 10 of them.
    world.chain.moves += [
        Transfer(EXCHANGE, LEADER, TOKEN, 40 * SHARE, "0xlater", here + 5, 1),
        Transfer(LEADER, EXCHANGE, TOKEN, 10 * SHARE, "0xlatest", here + 9, 1),
    ]
    del world.chain.balances[LEADER, TOKEN, here - 1]
    world.chain.balances[LEADER, TOKEN, 1_000] = 120 * SHARE
    world.chain.keeps_from = here
    world.start()

    await passes(world)

    assert await sold(world) == [25]


async def test_tokens_that_a_human_has_sold_reduce_what_every_follow_owes_of_its_lots(world: World):
    await holding(world, 100)
    world.chain.balances[ACCOUNT, TOKEN, None] = 40 * SHARE
    await world.sells(2, 50, of=100)
    await passes(world, 5)
    assert await sold(world) == [20]

    await world.sells(3, 50, of=50)
    await passes(world, 5)

    assert await sold(world) == [20, 20]
    assert (await the_exit(world)).state is ExitState.EXTERNAL


async def test_an_exit_that_opens_again_widens_its_bound_anew(world: World):
    await holding(world, 25)
    await world.sells(2, 10, of=100)
    await passes(world)
    assert (await the_exit(world)).state is ExitState.DUST
    world.clock.jump(3_600)
    await world.reconciled()

    await world.sells(3, 10, of=90)
    await passes(world, 2)

    exit_ = await the_exit(world)
    assert exit_.opened_at > NOON + timedelta(minutes=59)


async def test_an_exit_that_is_not_met_is_told_of_once(world: World):
    await holding(world, 100)
    world.venue.script = ["unmatched"] * 100
    await world.sells(2, 100, of=100)
    await passes(world, 60)
    assert not (await the_exit(world)).overdue

    await passes(world, 600)

    assert (await the_exit(world)).overdue
    assert (await the_exit(world)).state is ExitState.OPEN
