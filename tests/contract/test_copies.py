"""What every store of copies must do, races included."""

import asyncio
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from tests.builders import ACCOUNT, CONDITION, TOKEN, a_copy, a_decision, a_trade, an_account, an_intent
from tests.contract.lifecycle_world import LEASE, claimed, executing
from tests.patience import PATIENT_S, patiently

SHORT = timedelta(milliseconds=60)


async def test_what_is_kept_is_what_was_given(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)

    assert copy.intent == an_intent(1, now)
    assert copy.decision == a_decision(now)
    assert copy.trade == a_trade(1)
    assert [entry.action for entry in copy.trail] == ["detected", f"intent:{an_intent(1, now).order_hash}"]


async def test_the_same_trade_twice_is_one_copy_and_stops_no_other(stores: Any, now: datetime) -> None:
    first, second = a_copy(1, now=now), a_copy(2, now=now)

    assert await stores.copies.insert([first]) == (first.copy_id,)
    assert await stores.copies.insert([first, second]) == (second.copy_id,)


async def test_a_new_copy_is_heard_of_once_and_can_be_claimed_from_then_on(stores: Any, now: datetime) -> None:
    first, second = a_copy(1, now=now), a_copy(2, now=now, trade=a_trade(2, token_id="2"))
    claims: list[asyncio.Task[Any]] = []

    def heard(copy: Copy) -> None:
        claims.append(asyncio.create_task(stores.copies.claim(ACCOUNT, "w1", LEASE, fresh=True)))

    await stores.copies.insert([first], on_new=heard)
    await stores.copies.insert([first, second], on_new=heard)

    assert sorted(copy.copy_id for copy in await asyncio.gather(*claims)) == sorted([first.copy_id, second.copy_id])


async def test_two_workers_never_hold_one_copy(stores: Any, now: datetime) -> None:
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(1, now=now)])

    taken = await asyncio.gather(*(stores.copies.claim(ACCOUNT, f"w{n}", LEASE, fresh=True) for n in range(6)))

    assert sum(copy is not None for copy in taken) == 1


async def test_a_lapsed_lease_passes_on_and_the_old_fence_writes_nothing(stores: Any, now: datetime) -> None:
    old = await claimed(stores, a_copy(1, now=now), SHORT)
    await asyncio.sleep(0.1)
    new = await stores.copies.claim(ACCOUNT, "w2", LEASE, fresh=True)

    assert new is not None
    assert new.fence == old.fence + 1
    assert not await stores.copies.skip(old.ref, "edge", a_decision(now), now)
    assert not await stores.copies.renew(old.ref, LEASE)
    assert await stores.copies.renew(new.ref, LEASE)


async def test_debts_come_before_exits_and_exits_before_entries(stores: Any, now: datetime) -> None:
    await stores.accounts.create(an_account())
    entry = a_copy(1, now=now, trade=a_trade(1, token_id="1"))
    leave = a_copy(2, kind=CopyKind.EXIT, now=now, trade=a_trade(2, token_id="2", side=Side.SELL))
    debt = a_copy(3, kind=CopyKind.DEBT, now=now, trade=a_trade(3, token_id="3", side=Side.SELL))
    await stores.copies.insert([entry, leave, debt])

    taken = [await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) for _ in range(4)]

    assert [copy and copy.copy_id for copy in taken] == [debt.copy_id, leave.copy_id, entry.copy_id, None]


async def test_copies_of_one_token_are_taken_in_the_chains_order(stores: Any, now: datetime) -> None:
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(2, now=now), a_copy(1, now=now + timedelta(milliseconds=1))])
    await asyncio.sleep(0.01)

    first = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    assert first.trade.block_number == a_trade(1).block_number
    assert await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) is None
    assert await stores.copies.skip(first.ref, "edge", None, now)
    await asyncio.sleep(0.12)
    second = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)

    assert second.trade.block_number == a_trade(2).block_number


async def test_a_closed_gate_lets_only_lapsed_orders_be_looked_up(stores: Any, now: datetime) -> None:
    order = await executing(stores, now, 1)
    await stores.copies.insert([a_copy(2, now=now, trade=a_trade(2, token_id="9"))])
    assert await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=False) is None
    await stores.copies.record(order.ref, Attempt(1, now, Outcome.UNKNOWN), timedelta(0), now)
    await asyncio.sleep(0.01)

    taken = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=False)

    assert taken.copy_id == order.copy_id
    assert taken.state is CopyState.EXECUTING


@pytest.mark.parametrize(
    "barred", [{"barred_leaders": [a_trade().leader]}, {"barred_markets": [CONDITION]}, {"only_exits": True}]
)
async def test_barred_entries_wait(stores: Any, now: datetime, barred: Any) -> None:
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(1, now=now)])

    assert await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True, **barred) is None
    assert await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) is not None


async def test_changes_are_watched_from_now_and_resumed_after_a_token(stores: Any, now: datetime) -> None:
    numbers = count(1)

    async def inserted() -> str:
        copy = a_copy(next(numbers), now=now)
        await stores.copies.insert([copy])
        return copy.copy_id

    watching = stores.copies.watch(None)
    first = asyncio.ensure_future(anext(watching))
    made = [await inserted()]
    async with asyncio.timeout(PATIENT_S):
        while not first.done():  # what comes before the watch has begun is not seen
            made.append(await inserted())
            await asyncio.sleep(0.05)
    seen = await first
    await watching.aclose()
    made.append(await inserted())

    resumed = stores.copies.watch(seen.token)
    missed = await patiently(anext(resumed))
    await resumed.aclose()

    assert seen.value.copy_id in made
    assert missed.value.copy_id == made[made.index(seen.value.copy_id) + 1]


async def test_pages_and_counts_cover_an_accounts_own_copies(stores: Any, now: datetime) -> None:
    await stores.accounts.create(an_account())
    mine = [a_copy(n, now=now + timedelta(milliseconds=n), trade=a_trade(n, token_id=str(n))) for n in range(3)]
    await stores.copies.insert([*mine, a_copy(9, account="0x" + "b" * 40, now=now)])

    page = await stores.copies.page([ACCOUNT], 2, 1)

    assert page.total == 3
    assert [copy.copy_id for copy in page.items] == [mine[1].copy_id, mine[0].copy_id]
    assert await stores.copies.counts([ACCOUNT]) == {(CopyKind.ENTRY, CopyState.DETECTED, ""): 3}


async def test_a_busy_token_is_left_alone_but_for_debts_and_what_is_executing(stores: Any, now: datetime) -> None:
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(1, now=now), a_copy(2, kind=CopyKind.DEBT, now=now)])

    first = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True, busy_tokens=[TOKEN])
    second = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True, busy_tokens=[TOKEN])
    third = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)

    assert first is not None
    assert first.kind is CopyKind.DEBT
    assert second is None
    assert third is not None
    assert third.kind is CopyKind.ENTRY
