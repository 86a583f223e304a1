"""The order in which copies of one token are taken, and that what may not be taken holds up nobody else."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain.account import AccountState, Limits, PauseScope
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Market, Token
from services.common.domain.trade import LeaderTrade
from services.monitor.turns import Turns
from tests.builders import TOKEN, a_copy, a_follow, a_trade
from tests.controlled import brought_to, paused
from tests.engine_world import ACCOUNT, POLICY, World
from tests.scripted_venue import OTHER_TOKEN, SHARE

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


async def test_a_single_trade_is_worked_on_before_the_rest_of_anothers_burst():
    world = await World(Limits(max_in_flight_market=100, max_orders_per_second=100)).open()
    await world.stores.follows.create(a_follow(ACCOUNT, leader=OTHER_LEADER, policy=POLICY))
    really, elsewhere = world.venue.by_token, "9" * 70

    async def by_token(token_id: str) -> Market | None:
        market = await really(token_id)
        if market is None or token_id != elsewhere:
            return market
        tokens = (Token(elsewhere, "Yes"), Token("6" * 70, "No"))
        return replace(market, condition_id="0x" + "d" * 64, event_id="9", tokens=tokens)

    world.venue.by_token = by_token  # type: ignore[method-assign]
    turns, now = Turns(), world.clock.now()
    burst = [a_copy(n, account=ACCOUNT, trade=a_trade(n, traded_at=now), policy=POLICY, now=now) for n in range(1, 41)]
    trade = of_another(world, 41, token_id=elsewhere)
    single = a_copy(41, account=ACCOUNT, trade=trade, policy=POLICY, now=now)
    for copy in (*burst, single):
        await world.stores.copies.insert(turns.given([copy], now))

    world.start()
    await world.run(10)
    world.kill()

    places = [elsewhere.encode() in post for post in world.venue.posts]
    assert len(places) == 41
    assert places.index(True) <= 2
