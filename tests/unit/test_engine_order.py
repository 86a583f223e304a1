"""The order in which copies of one token are taken, and that what may not be taken holds up nobody else."""

from datetime import timedelta

import pytest

from services.common.domain.account import AccountState, PauseScope
from services.common.domain.lifecycle import CopyState
from services.common.domain.trade import LeaderTrade
from tests.builders import TOKEN, a_copy, a_follow, a_trade
from tests.controlled import brought_to, paused
from tests.engine_world import ACCOUNT, OTHER_TOKEN, POLICY, SHARE, World

OTHER_LEADER = "0x" + "b" * 40


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


async def holding(world: World, shares: int) -> None:
    """The account holds what it bought when the leader bought."""
    copy = await world.buys(1, shares=shares, block_number=100)
    world.start()
    await world.run(1)
    assert (await world.copy(copy)).state is CopyState.EXECUTED
    await world.settles()


def of_another(world: World, number: int, **changes: object) -> LeaderTrade:
    """A BUY of another leader in the same token."""
    return a_trade(
        number,
        leader=OTHER_LEADER,
        shares_micros=10 * SHARE,
        usdc_micros=5 * SHARE,
        traded_at=world.clock.now(),
        **changes,
    )


async def test_a_reducing_account_sells_past_an_earlier_buy_that_it_may_not_make(world: World):
    await holding(world, 20)
    await world.stores.accounts.change(ACCOUNT, brought_to(AccountState.REDUCING, world.clock.now()))
    waiting = await world.buys(2, shares=10, block_number=101)
    await world.sells(3, 20, of=20, block_number=102)

    await world.run(10)

    assert (await world.copy(waiting)).state is CopyState.DETECTED
    assert world.venue.bought() == 0


async def test_a_paused_leader_holds_up_no_other_leader_in_the_same_token(world: World):
    await world.stores.follows.create(a_follow(ACCOUNT, leader=OTHER_LEADER, policy=POLICY))
    copy = await world.buys(1, block_number=100)
    await world.stores.accounts.change(ACCOUNT, paused(world.clock.now(), PauseScope.LEADER, copy.trade.leader))
    trade = of_another(world, 2, block_number=101)
    other = a_copy(2, account=ACCOUNT, trade=trade, policy=POLICY, now=world.clock.now())
    await world.stores.copies.insert([other])
    world.start()

    await world.run(5)

    assert (await world.copy(copy)).state is CopyState.DETECTED
    assert (await world.copy(other)).state is CopyState.EXECUTED


async def test_a_market_that_answers_slowly_holds_up_no_decision_on_another(world: World):
    really = world.venue.by_token

    async def by_token(token_id: str) -> object:
        if token_id == TOKEN:
            await world.clock.sleep(timedelta(seconds=4))
        return await really(token_id)

    world.venue.by_token = by_token  # type: ignore[method-assign]
    slow = await world.buys(1)
    quick = await world.buys(2, token_id=OTHER_TOKEN)
    world.start()

    await world.run(2)
    assert (await world.copy(slow)).state is CopyState.CLAIMED
    assert (await world.copy(quick)).state is CopyState.EXECUTED

    await world.run(10)
    assert (await world.copy(slow)).state is CopyState.EXECUTED
