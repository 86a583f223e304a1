"""What waits for what in one token, on every store: entries for each other, exits for nobody."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from services.common.domain.copy import CopyKind
from tests.builders import ACCOUNT, LEADER, a_copy, a_decision, a_trade, an_account

LEASE = timedelta(seconds=5)
OTHER_LEADER = "0x" + "b" * 40


async def test_an_exit_goes_past_an_earlier_entry_that_may_not_be_taken(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    entry, attempt = a_copy(1, now=now), a_copy(2, kind=CopyKind.EXIT, now=now)
    await stores.copies.insert([entry, attempt])

    taken = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True, only_exits=True)

    assert taken is not None
    assert taken.copy_id == attempt.copy_id


async def test_an_entry_waits_for_an_earlier_one_unless_its_leader_is_barred(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    first, second = a_copy(1, now=now), a_copy(2, now=now, trade=a_trade(2, leader=OTHER_LEADER))
    await stores.copies.insert([first, second])
    held = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    assert held is not None
    assert held.copy_id == first.copy_id

    assert await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) is None
    taken = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True, barred_leaders=(LEADER,))

    assert taken is not None
    assert taken.copy_id == second.copy_id


async def test_an_entry_waits_for_none_that_its_own_claimant_has_in_hand(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(number, now=now) for number in (1, 2, 3)])
    first = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    assert first is not None

    second = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True, in_hand=[first.copy_id])
    others = await stores.copies.claim(ACCOUNT, "other", LEASE, fresh=True)

    assert second is not None
    assert second.trade.block_number > first.trade.block_number
    assert others is None


async def test_an_entry_waits_for_an_earlier_attempt_to_sell_but_not_for_one_that_a_guard_has_put_back(
    stores: Any, now: datetime
):
    await stores.accounts.create(an_account())
    attempt, entry = a_copy(1, kind=CopyKind.EXIT, now=now), a_copy(2, now=now)
    await stores.copies.insert([attempt, entry])
    held = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    assert held is not None
    assert await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) is None

    assert await stores.copies.release(held.ref, timedelta(minutes=1), now, a_decision(now))
    taken = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)

    assert taken is not None
    assert taken.copy_id == entry.copy_id


async def test_however_many_wait_for_one_that_was_put_back_it_is_taken_and_so_is_what_is_under_way(
    stores: Any, now: datetime
):
    await stores.accounts.create(an_account())
    many = [a_copy(number, now=now) for number in range(1, 81)]
    other = a_copy(99, now=now + timedelta(milliseconds=1), trade=a_trade(99, token_id="99"))
    await stores.copies.insert([*many, other])
    first = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    assert first is not None
    assert first.copy_id == many[0].copy_id
    assert await stores.copies.release(first.ref, timedelta(milliseconds=2), now)

    async def taken() -> set[str]:
        found = [await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) for _ in range(2)]
        return {copy.copy_id for copy in found if copy is not None}

    await asyncio.sleep(0.01)
    assert await taken() == {many[0].copy_id, other.copy_id}
