"""Entries that one order copies: taken whole in its transaction, and led by its eldest from then on."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Begun, Stores
from tests.builders import ACCOUNT, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent
from tests.contract.lifecycle_world import LEASE, S, kept, settled

KEY = "follow|token|1"


async def a_group(stores: Stores, now: datetime, count: int = 3) -> list[Copy]:
    """Entries of one group, the eldest of them claimed."""
    group = [a_copy(number, now=now, group_key=KEY) for number in range(1, count + 1)]
    await stores.accounts.create(an_account())
    await stores.copies.insert(group)
    eldest = await stores.copies.claim(ACCOUNT, "w1", LEASE, fresh=True)
    assert eldest is not None
    assert eldest.copy_id == group[0].copy_id
    return [eldest, *group[1:]]


async def begin(stores: Stores, eldest: Copy, members: Sequence[Copy], now: datetime, number: int = 1) -> Begun:
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    intent = an_intent(number, now, generation=len(eldest.order_hashes) + 1)
    ids = [member.copy_id for member in members]
    return await stores.copies.begin(
        eldest, account.seq, intent, a_decision(now), an_exposure(eldest, intent, now), ids, now
    )


async def states(stores: Stores, group: Sequence[Copy]) -> list[str]:
    return [str((await kept(stores, copy)).state) for copy in group]


async def test_an_order_takes_its_whole_group_with_it(stores: Stores, now: datetime) -> None:
    group = await a_group(stores, now)

    assert await begin(stores, group[0], group[1:], now) is Begun.DONE

    assert await states(stores, group) == ["executing"] * 3
    members = [await kept(stores, copy) for copy in group[1:]]
    assert {(member.member_of, member.claimable_at, member.claimed_by) for member in members} == {
        (group[0].copy_id, None, "")
    }
    assert await stores.copies.claim(ACCOUNT, "w2", LEASE, fresh=True) is None


async def test_a_group_is_listed_in_chain_order_and_by_its_account(stores: Stores, now: datetime) -> None:
    other = "0x" + "b" * 40
    await stores.copies.insert([a_copy(number, now=now, group_key=KEY) for number in (2, 3, 1)])
    await stores.copies.insert([a_copy(4, now=now, account=other, group_key=KEY), a_copy(5, now=now)])

    found = await stores.copies.of_group(ACCOUNT, KEY)

    assert [copy.trade.block_number for copy in found] == [101, 102, 103]
    assert await stores.copies.of_group(ACCOUNT, "another") == ()


@pytest.mark.parametrize("state", [S.SKIPPED, S.CLAIMED])
async def test_an_order_for_an_entry_that_does_not_wait_any_more_is_not_begun(
    stores: Stores, now: datetime, state: CopyState
) -> None:
    group = await a_group(stores, now)
    if state is S.SKIPPED:
        await stores.copies.void(group[2].copy_id, "removed", now)
    else:
        # Nobody waits for what is in hand, so that the next can be taken.
        ids = [copy.copy_id for copy in group]
        for _ in group[1:]:
            await stores.copies.claim(ACCOUNT, "w2", LEASE, fresh=True, in_hand=ids)

    assert await begin(stores, group[0], group[1:], now) is Begun.ACCOUNT_MOVED

    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert (account.seq, account.exposure.open) == (0, {})
    assert (await kept(stores, group[0])).state is S.CLAIMED
    assert (await kept(stores, group[1])).member_of == ""


async def test_an_entry_that_is_gone_for_good_is_not_waited_for(stores: Stores, now: datetime) -> None:
    group = await a_group(stores, now)
    await stores.copies.void(group[2].copy_id, "removed", now)

    assert await begin(stores, group[0], group[1:2], now) is Begun.DONE
    assert await states(stores, group) == ["executing", "executing", "skipped"]


async def test_of_many_that_form_one_group_one_order_counts_each_member(stores: Stores, now: datetime) -> None:
    group = await a_group(stores, now, count=6)
    ids = [copy.copy_id for copy in group]
    second = await stores.copies.claim(ACCOUNT, "w2", LEASE, fresh=True, in_hand=ids)
    assert second is not None
    orders = [(group[0], group[2:], 1), (second, group[2:], 2)]

    for _ in range(3):
        tried = await asyncio.gather(
            *(begin(stores, leader, members, now, number) for leader, members, number in orders)
        )
        if Begun.DONE in tried:
            break

    assert sorted(map(str, tried)) == ["account_moved", "done"]
    led = {(await kept(stores, copy)).member_of for copy in group[2:]}
    (winner,) = [leader.copy_id for (leader, _, _), done in zip(orders, tried, strict=True) if done is Begun.DONE]
    assert led == {winner}


async def test_members_share_the_fate_of_their_order(stores: Stores, now: datetime) -> None:
    group = await a_group(stores, now)
    await begin(stores, group[0], group[1:], now)
    ref, nothing = group[0].ref, ExposureChange(now)

    assert await stores.copies.execute(ref, Attempt(1, now, Outcome.ACKED), 10_000_000, 5_000_000, 0, nothing, now)
    assert await states(stores, group) == ["executed"] * 3
    eldest = await kept(stores, group[0])
    assert await settled(stores, eldest, eldest.fence, S.RECONCILED, now)
    assert await states(stores, group) == ["reconciled"] * 3
    assert [(await kept(stores, copy)).filled_micros for copy in group] == [10_000_000, 0, 0]


async def test_members_of_an_order_that_came_to_nothing_fail_with_it_and_live_again_with_it(
    stores: Stores, now: datetime
) -> None:
    group = await a_group(stores, now)
    await begin(stores, group[0], group[1:], now)

    assert await stores.copies.fail(group[0].ref, None, "presumed_dead", True, False, None, now + LEASE, now)
    assert await states(stores, group) == ["failed"] * 3
    assert [(await kept(stores, copy)).failure for copy in group[1:]] == ["presumed_dead"] * 2
    eldest = await kept(stores, group[0])
    assert await settled(stores, eldest, eldest.fence, S.EXECUTED, now)
    assert await states(stores, group) == ["executed"] * 3
    eldest = await kept(stores, group[0])
    assert await settled(stores, eldest, eldest.fence, S.FAILED, now)
    assert [(await kept(stores, copy)).failure for copy in group] == ["settlement_failed"] * 3


async def test_members_wait_with_an_order_that_is_tried_again_and_end_where_there_is_none(
    stores: Stores, now: datetime
) -> None:
    group = await a_group(stores, now)
    await begin(stores, group[0], group[1:], now)
    zero = Attempt(1, now, Outcome.ACKED, code="unmatched")
    gone = ExposureChange(now, drop=group[0].copy_id)
    assert await stores.copies.fail(group[0].ref, zero, "unmatched", False, True, gone, None, now, timedelta(0))
    assert await states(stores, group) == ["detected", "executing", "executing"]

    again = await stores.copies.claim(ACCOUNT, "w1", LEASE, fresh=True)
    assert again is not None
    assert await begin(stores, again, group[1:], now, 2) is Begun.DONE
    assert await stores.copies.fail(again.ref, zero, "unmatched", False, True, gone, None, now, timedelta(0))
    last = await stores.copies.claim(ACCOUNT, "w1", LEASE, fresh=True)
    assert last is not None
    assert await stores.copies.skip(last.ref, "trade_time", a_decision(now), now)

    assert await states(stores, group) == ["skipped", "failed", "failed"]
    assert [(await kept(stores, copy)).failure for copy in group[1:]] == ["trade_time"] * 2


async def test_an_entry_of_another_group_or_none_is_left_alone(stores: Stores, now: datetime) -> None:
    group = await a_group(stores, now)
    late = a_copy(9, now=now, group_key=KEY)
    await stores.copies.insert([late, a_copy(10, now=now, trade=a_trade(10, token_id="9"))])
    await begin(stores, group[0], group[1:], now)

    await stores.copies.execute(group[0].ref, Attempt(1, now, Outcome.ACKED), 1, 1, 0, ExposureChange(now), now)

    assert await states(stores, [*group, late]) == ["executed"] * 3 + ["detected"]
