"""Groups in a running engine: one order for all of them, whoever is late stands alone, and exits know whose shares they are."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain.copy import Copy
from services.common.domain.follow import Grouping
from services.common.domain.grouping import group_of
from services.common.domain.lifecycle import CopyState
from services.engine.decision_record import read_case
from tests.builders import a_copy, a_follow, a_trade
from tests.engine_world import ACCOUNT, POLICY, World
from tests.scripted_venue import SHARE

GROUPED = replace(POLICY, grouping=Grouping.TOKEN, group_window_ms=5_000)


async def buys(world: World, number: int, shares: int = 10) -> Copy:
    """The leader buys, and the monitor stores it as one of a group."""
    now = world.clock.now()
    trade = a_trade(number, shares_micros=shares * SHARE, usdc_micros=shares * 500_000, traded_at=now)
    group = group_of(trade, a_follow(ACCOUNT, policy=GROUPED), now)
    assert group
    copy = a_copy(number, account=ACCOUNT, trade=trade, policy=GROUPED, now=now)
    copy = replace(copy, group_key=group.key, claimable_at=group.ends_at)
    await world.stores.copies.insert([copy])
    return copy


def about(shares: int) -> object:
    """What is bought for so many shares' money: a limit above their price and whole cents leave a little of it."""
    return pytest.approx(shares * SHARE, rel=0.06)


async def states(world: World, *copies: Copy) -> list[str]:
    return [str((await world.copy(copy)).state) for copy in copies]


async def test_small_trades_become_one_order_when_their_window_ends():
    world = await World().open()
    world.start()
    small = [await buys(world, number, shares=2) for number in (1, 2, 3)]

    await world.run(4)
    assert world.venue.bought() == 0
    await world.run(2)

    assert world.venue.bought() == about(6)
    assert len(world.venue.fills) == 1
    assert await states(world, *small) == ["executed"] * 3
    eldest, *members = [await world.copy(copy) for copy in small]
    assert {member.member_of for member in members} == {eldest.copy_id}
    await world.settles()
    assert await states(world, *small) == ["reconciled"] * 3


async def test_a_trade_that_comes_late_stands_alone():
    world = await World().open()
    world.start()
    first = [await buys(world, number) for number in (1, 2)]
    await world.run(6)
    late = replace(a_copy(3, account=ACCOUNT, policy=GROUPED, now=world.clock.now()), group_key=first[0].group_key)
    late = replace(late, trade=replace(late.trade, traded_at=world.clock.now()))
    await world.stores.copies.insert([late])

    await world.run(2)

    assert world.venue.bought() == about(30)
    alone = await world.copy(late)
    assert (alone.member_of, len(alone.order_hashes)) == ("", 1)


async def test_two_processes_form_one_group_once():
    world = await World().open()
    world.start("one")
    world.start("two")
    group = [await buys(world, number) for number in range(1, 7)]

    await world.run(8)

    assert world.venue.bought() == about(60)
    assert await states(world, *group) == ["executed"] * 6
    assert len(world.venue.fills) == 1


async def test_what_a_guard_refuses_of_a_group_is_asked_again_of_the_rest():
    world = await World().open()
    old = await buys(world, 1)
    await world.run(28)
    young = a_copy(2, account=ACCOUNT, policy=GROUPED, now=world.clock.now())
    trade = replace(young.trade, traded_at=world.clock.now())
    await world.stores.copies.insert([replace(young, trade=trade, group_key=old.group_key)])
    world.clock.jump(3)
    await world.reconciled()
    world.start()

    await world.run(3)

    assert await states(world, old, young) == ["skipped", "executed"]
    assert (await world.copy(old)).skip_reason == "trade_time"
    assert world.venue.bought() == about(10)


async def test_an_exit_owes_of_a_group_what_its_members_bought_before_the_sale():
    world = await World().open()
    before, after = await buys(world, 1, shares=10), await buys(world, 3, shares=30)
    world.start()
    await world.run(6)
    await world.settles()
    assert world.venue.bought() == about(40)

    await world.sells(2, shares=10, of=10)
    await world.run(5)

    assert world.venue.bought() == about(30)
    eldest = await world.copy(before)
    assert eldest.decision
    assert read_case(eldest.decision.case).members == (after.trade,)


async def test_a_member_shrinks_by_what_was_sold_of_it_while_it_waited():
    world = await World().open()
    world.start()
    await buys(world, 1, shares=10)
    await world.sells(2, shares=5, of=10)
    await buys(world, 3, shares=20)

    await world.run(8)
    assert world.venue.bought() == about(25)
    await world.settles()
    await world.run(5)

    assert world.venue.bought() == about(25)


async def test_an_order_of_a_group_that_comes_to_nothing_is_tried_again_for_all_of_them():
    world = await World().open()
    world.start()
    world.venue.script = ["unmatched"]
    group = [await buys(world, number) for number in (1, 2)]

    await world.run(10)

    assert await states(world, *group) == ["executed"] * 2
    assert world.venue.bought() == about(20)
    assert len((await world.copy(group[0])).order_hashes) == 2


async def test_a_window_is_over_for_everyone_at_once():
    world = await World().open()
    one, other = await buys(world, 1), await buys(world, 2)

    assert one.claimable_at == other.claimable_at
    assert one.claimable_at
    assert timedelta(0) < one.claimable_at - world.clock.now() <= timedelta(seconds=5)
    assert (await world.copy(one)).state is CopyState.DETECTED
