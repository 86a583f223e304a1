"""Exits, from a leader's sale to what we sell: the same part of our own, once, whatever happens in between."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.exit import Exit, ExitState, exit_id
from services.common.domain.follow import follow_id
from services.common.domain.intent import IntentState
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.ports.chain import FillLog, OrderFilled, Transfer
from services.engine import debts
from tests.builders import LEADER, TOKEN, a_follow
from tests.engine_world import ACCOUNT, EXCHANGE, POLICY, SHARE, World

OTHER_LEADER = "0x" + "2" * 40
FOLLOW = follow_id(ACCOUNT, LEADER)


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


async def buys(world: World, shares: int = 100, number: int = 1, **changes: object) -> Copy:
    """The leader buys at 0.50 what gives us so many shares at our limit, which is 0.52."""
    return await world.buys(number, shares * 52 // 50, **changes)


async def holding(world: World, shares: int = 100, number: int = 1, **changes: object) -> Copy:
    """The engine runs, and has bought so many shares for a trade of the leader; they are settled."""
    copy = await buys(world, shares, number, **changes)
    if not world.workers:
        world.start()
    await world.run(2)
    await world.settles()
    assert (await world.copy(copy)).filled_micros == shares * SHARE
    return copy


async def passes(world: World, seconds: int = 12) -> None:
    """Time passes, and whatever is executed settles soon after."""
    for _ in range(seconds):
        await world.run(1)
        await world.settles()


async def the_exit(world: World, follow: str = FOLLOW) -> Exit:
    found = await world.stores.exits.get(exit_id(follow, TOKEN))
    assert found is not None
    return found


async def sold(world: World) -> list[float]:
    """What each attempt has sold, in shares."""
    return [attempt.filled_micros / SHARE for attempt in await world.attempts()]


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


async def fails(world: World, copy: Copy) -> None:
    """The settlement of the copy's trades fails."""
    done = await world.copy(copy)
    now = world.clock.now()
    change = ExposureChange(now, drop=copy.copy_id)
    # The venue's trade is undone.
    world.venue.fills.pop(done.order_hashes[-1], None)
    assert await world.stores.copies.settle(
        copy.copy_id, done.fence, CopyState.FAILED, (), (), (), 0, 0, 0, change, False, now
    )


async def test_a_sale_that_does_not_settle_is_owed_again(world: World):
    await holding(world, 100)
    await world.sells(2, 40, of=100)
    await world.run(5)
    (attempt,) = await world.attempts()
    assert attempt.state is CopyState.EXECUTED
    assert (await the_exit(world)).state is ExitState.OPEN

    await fails(world, attempt)
    await passes(world, 20)

    assert await sold(world) == [0, 40]
    assert world.venue.bought() == 60 * SHARE
    assert (await the_exit(world)).state is ExitState.MET


async def test_a_buy_that_does_not_settle_is_not_sold(world: World):
    copy = await buys(world, 100)
    world.start()
    await world.run(2)
    await world.sells(2, 50, of=100)
    await world.run(2)
    await fails(world, copy)

    await passes(world)

    assert await sold(world) == []
    assert (await the_exit(world)).state is ExitState.MET


async def test_a_buy_that_a_whole_sale_overtakes_is_voided_and_ends_flat(world: World):
    buy = await buys(world, 100)
    await world.clock.run(2)
    debt = await world.sells(2, 100, of=100)
    await world.clock.run(3)
    world.start()

    await passes(world)

    assert ((await world.copy(buy)).state, world.venue.posts) == (CopyState.SKIPPED, [])
    assert (await world.copy(debt)).state is CopyState.SKIPPED


async def test_a_buy_that_a_part_sale_overtakes_shrinks_by_it_and_owes_nothing_for_it_again(world: World):
    buy = await buys(world, 100)
    await world.sells(2, 75, of=100)
    world.start()

    await passes(world)

    assert (await world.copy(buy)).filled_micros == 25 * SHARE
    assert await sold(world) == []
    await world.sells(3, 20, of=25)
    await passes(world)
    assert await sold(world) == [20]


async def test_a_buy_that_shrinks_below_the_minimum_is_voided(world: World):
    buy = await buys(world, 25)
    await world.sells(2, 90, of=100)
    world.start()

    await passes(world)

    assert ((await world.copy(buy)).state, world.venue.posts) == (CopyState.SKIPPED, [])


async def test_a_buy_in_flight_is_waited_for_and_then_sold(world: World):
    world.venue.script, world.venue.hidden = ["lost_after"], True
    await buys(world, 100)
    world.start()
    await world.run(0.5)
    await world.sells(2, 100, of=100)
    await passes(world, 10)
    assert (await the_exit(world)).state is ExitState.OPEN

    world.venue.hidden = False
    await passes(world, 60)

    assert await sold(world) == [100]
    assert world.venue.bought() == 0


async def test_a_buy_that_was_given_up_and_fills_late_is_sold_by_the_exit_that_waited(world: World):
    world.venue.script = ["lost_before"] * 3
    buy = await buys(world, 100)
    world.start()
    await world.run(140)
    given_up = await world.copy(buy)
    assert given_up.intent.state is IntentState.PRESUMED_DEAD
    await world.sells(2, 100, of=100)
    await passes(world, 5)
    assert (await the_exit(world)).state is ExitState.OPEN

    world.venue._fill(given_up.intent, 1)
    now = world.clock.now()
    sums = (100 * SHARE, 50 * SHARE, 0)
    await world.stores.copies.settle(
        buy.copy_id, given_up.fence, CopyState.EXECUTED, (), (), (), *sums, ExposureChange(now), True, now
    )
    await passes(world, 20)

    assert await sold(world) == [100]
    assert (await the_exit(world)).state is ExitState.MET


async def test_a_buy_that_was_given_up_and_never_fills_holds_its_exit_for_no_longer_than_its_watch(world: World):
    world.venue.script = ["lost_before"] * 3
    await buys(world, 100)
    world.start()
    await world.run(140)
    await world.sells(2, 100, of=100)
    await world.run(60)
    assert (await the_exit(world)).state is ExitState.OPEN

    world.clock.jump(timedelta(hours=25).total_seconds())
    await world.run(60)

    assert (await the_exit(world)).state is ExitState.MET


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


@pytest.mark.parametrize("away", ["chain", "venue"])
async def test_what_cannot_be_read_is_never_guessed_and_the_debt_is_met_later(world: World, away: str):
    await holding(world, 100)
    getattr(world, away).away = True
    debt = await world.sells(2, 40, of=100)
    await world.run(30)
    assert (await world.copy(debt)).state in {CopyState.DETECTED, CopyState.CLAIMED}
    assert world.venue.bought() == 100 * SHARE

    getattr(world, away).away = False
    await passes(world, 20)

    assert world.venue.bought() == 60 * SHARE


async def test_a_sale_whose_receipt_is_not_there_yet_waits_for_it(world: World):
    await holding(world, 100)
    debt = await world.sells(2, 40, of=100)
    receipt = world.chain.receipts.pop(debt.trade.tx_hash)
    await passes(world, 10)
    assert await sold(world) == []

    world.chain.receipts[debt.trade.tx_hash] = receipt
    await passes(world, 10)

    assert await sold(world) == [40]


async def test_a_sale_that_a_reorg_moved_to_another_transaction_is_still_owed(world: World):
    await holding(world, 100)
    debt = await world.sells(2, 40, of=100)
    trade = debt.trade
    moved = replace(world.chain.receipts.pop(trade.tx_hash), tx_hash="0xmoved")
    world.chain.receipts["0xmoved"] = moved
    amounts = (trade.shares_micros, trade.usdc_micros)
    fill = OrderFilled(trade.order_hash, LEADER, EXCHANGE, EXCHANGE, Side.SELL, TOKEN, *amounts, 0, 1)
    log = FillLog(fill, "0xmoved", trade.block_number, "0xb", None)

    async def fills_of_order(order_hash: str, first_block: int) -> tuple[FillLog, ...]:
        return (log,) if order_hash == trade.order_hash else ()

    world.chain.fills_of_order = fills_of_order  # type: ignore[method-assign]
    await passes(world, 10)

    assert await sold(world) == [40]


@pytest.mark.parametrize("point", ["mid_exit_owed", "after_exit_owed"])
async def test_a_crash_around_the_step_sells_once(world: World, point: str, monkeypatch: pytest.MonkeyPatch):
    await holding(world, 100)
    passages: list[str] = []

    def dies(name: str) -> None:
        passages.append(name)
        if passages == [*passages[:-1], point] and passages.count(point) == 1:
            world.kill()
            raise RuntimeError(point)

    monkeypatch.setattr(debts, "crashpoint", dies)
    await world.sells(2, 40, of=100)
    await world.run(2)
    assert not world.workers
    world.start("second")

    await passes(world, 20)

    assert passages.count(point) == 2
    assert await sold(world) == [40]


async def test_an_engine_that_dies_while_it_sells_sells_once(world: World):
    await holding(world, 100)
    world.venue.script = ["hang"]
    await world.sells(2, 40, of=100)
    await world.run(3)
    world.kill()
    world.start("second")

    await passes(world, 40)

    assert await sold(world) == [40]
    assert len({bytes(post) for post in world.venue.posts[1:]}) == 1


async def test_two_engines_open_one_attempt_at_a_time(world: World):
    await holding(world, 100)
    world.start("second")
    world.venue.script = ["half"]
    await world.sells(2, 80, of=100)

    await passes(world, 20)

    assert sum(await sold(world)) == 80
    assert world.venue.bought() == 20 * SHARE


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
