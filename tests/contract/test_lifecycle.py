"""The life of a copy: every step of the table is taken, every other one is refused and changes nothing."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.lifecycle import TRANSITIONS, CopyState, ForbiddenTransition
from services.common.domain.market import Side
from services.common.ports.stores import Begun, Stores, StoreUnavailable
from tests.builders import ACCOUNT, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent
from tests.contract.lifecycle_world import (
    ALLOWED,
    ENGINE,
    LEASE,
    MOVES,
    begun,
    claimed,
    executed,
    executing,
    in_state,
    kept,
    other_fences,
    settled,
    step_of,
)
from tests.patience import PATIENT_S


async def everything(stores: Stores, copy: Copy) -> tuple[Any, ...]:
    """All that a write on the copy could have changed."""
    return (
        await stores.copies.get(copy.copy_id),
        await stores.accounts.get(ACCOUNT),
        await stores.positions.of([ACCOUNT]),
        await stores.positions.fills([ACCOUNT]),
        await stores.positions.ledger(ACCOUNT),
    )


async def refused(stores: Stores, name: str, copy: Copy, ref: Any, now: datetime) -> bool:
    try:
        return not await MOVES[name](stores, copy, ref, now)
    except ForbiddenTransition:
        return True


@pytest.mark.parametrize(("state", "name"), ALLOWED, ids=str)
async def test_a_step_of_the_table_is_taken_once_and_under_its_own_fence(
    stores: Stores, now: datetime, state: CopyState, name: str
) -> None:
    copy = await in_state(stores, state, now)
    before = await everything(stores, copy)
    if name in ENGINE or name.startswith("settle"):
        for ref in other_fences(copy):
            assert await refused(stores, name, copy, ref, now)
        assert await everything(stores, copy) == before

    assert await MOVES[name](stores, copy, copy.ref, now)
    after = await everything(stores, copy)
    await refused(stores, name, copy, copy.ref, now)
    again = await everything(stores, copy)

    assert after[0] != before[0]
    assert after[0].state is again[0].state is ALLOWED[state, name]
    assert again[1:] == after[1:]


@pytest.mark.parametrize("state", CopyState)
async def test_a_step_that_the_table_lacks_is_refused_and_changes_nothing(
    stores: Stores, now: datetime, state: CopyState
) -> None:
    copy = await in_state(stores, state, now)
    before = await everything(stores, copy)

    taken = [
        name for name in MOVES if (state, name) not in ALLOWED and not await refused(stores, name, copy, copy.ref, now)
    ]

    assert taken == []
    assert await everything(stores, copy) == before


def test_every_step_that_an_entry_takes_is_in_the_table() -> None:
    taken = {(origin, target) for (origin, _), target in ALLOWED.items()}
    # Of debts and of lapsed leases, below; `failed → detected` is one write with the failure, in test_generations.py.
    elsewhere = {(CopyState.DETECTED, CopyState.EXECUTING)}
    later = {(CopyState.FAILED, CopyState.DETECTED)}

    assert taken <= TRANSITIONS.keys()
    assert TRANSITIONS.keys() - taken == elsewhere | later


@pytest.mark.parametrize("name", ENGINE)
async def test_a_claim_that_has_passed_on_writes_nothing(stores: Stores, now: datetime, name: str) -> None:
    old = (
        await executing(stores, now)
        if ALLOWED.get((CopyState.EXECUTING, name))
        else await in_state(stores, CopyState.CLAIMED, now)
    )
    assert await stores.copies.renew(old.ref, timedelta(0))
    new = await reclaimed(stores)
    before = await everything(stores, new)

    assert new.fence == old.fence + 1
    assert await refused(stores, name, old, old.ref, now)
    assert await everything(stores, new) == before


@pytest.mark.parametrize("state", [CopyState.CLAIMED, CopyState.EXECUTING])
async def test_a_lapsed_copy_is_claimed_again_where_it_was(stores: Stores, now: datetime, state: CopyState) -> None:
    old = await in_state(stores, state, now)
    assert await stores.copies.renew(old.ref, timedelta(0))

    new = await reclaimed(stores)

    assert (new.copy_id, new.state, new.claimed_by, new.fence) == (old.copy_id, state, "w2", old.fence + 1)
    assert new.intent == old.intent


@pytest.mark.parametrize("name", ["begin", "journal"])
async def test_nothing_is_journaled_under_a_lapsed_lease(stores: Stores, now: datetime, name: str) -> None:
    copy = await in_state(stores, CopyState.CLAIMED if name == "begin" else CopyState.EXECUTING, now)
    await lapsed(stores, copy)
    before = await everything(stores, await kept(stores, copy))

    assert await refused(stores, name, copy, copy.ref, now)
    assert await everything(stores, copy) == before


async def test_a_resend_that_is_journaled_is_not_confirmed_to_a_lapsed_lease(stores: Stores, now: datetime) -> None:
    copy = await executing(stores, now)
    assert await MOVES["journal"](stores, copy, copy.ref, now)
    await lapsed(stores, copy)

    assert not await MOVES["journal"](stores, copy, copy.ref, now)


async def a_parked_debt(stores: Stores, now: datetime) -> Copy:
    debt = await claimed(stores, a_copy(1, kind=CopyKind.DEBT, now=now))
    assert await stores.copies.park(debt.ref, step_of(debt), now)
    return await kept(stores, debt)


async def a_joined_debt(stores: Stores, now: datetime) -> tuple[Copy, Copy]:
    """A debt and the attempt, executing, that took it."""
    debt = await a_parked_debt(stores, now)
    sell = a_trade(2, side=Side.SELL)
    attempt = await claimed(
        stores, a_copy(2, kind=CopyKind.EXIT, now=now, trade=sell, exit_id=debt.exit_id, attempt_number=1)
    )
    intent = an_intent(2, now)
    await stores.copies.begin(attempt, 0, intent, a_decision(now), ExposureChange(now), [debt.copy_id], now)
    return await kept(stores, debt), await kept(stores, attempt)


async def a_debt_in(stores: Stores, state: CopyState, now: datetime) -> Copy:
    if state is CopyState.DETECTED:
        return await a_parked_debt(stores, now)
    if state is CopyState.CLAIMED:
        return await claimed(stores, a_copy(1, kind=CopyKind.DEBT, now=now))
    if state is CopyState.SKIPPED:
        debt = await a_parked_debt(stores, now)
        assert await stores.copies.close_member(debt.copy_id, CopyState.SKIPPED, "kept", now)
        return await kept(stores, debt)
    debt, attempt = await a_joined_debt(stores, now)
    if state is CopyState.FAILED:
        assert await stores.copies.close_member(debt.copy_id, CopyState.FAILED, "gone", now)
    if state in {CopyState.EXECUTED, CopyState.RECONCILED}:
        assert await stores.copies.execute(attempt.ref, None, 1, 1, 0, ExposureChange(now), now)
    if state is CopyState.RECONCILED:
        assert await settled(stores, attempt, attempt.fence, CopyState.RECONCILED, now)
    return await kept(stores, debt)


CLOSINGS = (
    (CopyState.DETECTED, CopyState.SKIPPED),
    (CopyState.EXECUTING, CopyState.FAILED),
    (CopyState.EXECUTED, CopyState.RECONCILED),
    (CopyState.EXECUTED, CopyState.FAILED),
)


@pytest.mark.parametrize("state", CopyState)
async def test_a_debt_ends_with_its_exit_from_where_it_waits_and_nowhere_else(
    stores: Stores, now: datetime, state: CopyState
) -> None:
    debt = await a_debt_in(stores, state, now)
    before = await everything(stores, debt)

    taken = [
        target
        for target in CopyState
        if (state, target) not in CLOSINGS and not await refused(stores, f"close as {target}", debt, debt.ref, now)
    ]

    assert debt.state is state
    assert taken == []
    assert await everything(stores, debt) == before


@pytest.mark.parametrize(("state", "target"), CLOSINGS, ids=str)
async def test_a_debt_is_closed_once(stores: Stores, now: datetime, state: CopyState, target: CopyState) -> None:
    debt = await a_debt_in(stores, state, now)

    assert await stores.copies.close_member(debt.copy_id, target, "closed", now)
    assert not await stores.copies.close_member(debt.copy_id, target, "closed", now)

    assert (await kept(stores, debt)).state is target


async def test_a_parked_debt_is_claimed_by_nobody(stores: Stores, now: datetime) -> None:
    debt = await a_parked_debt(stores, now)

    assert await stores.copies.claim(ACCOUNT, "w2", LEASE, fresh=True) is None
    assert (await kept(stores, debt)).state is CopyState.DETECTED


async def test_an_attempt_that_fails_leaves_its_debts_waiting_for_the_next(stores: Stores, now: datetime) -> None:
    debt, attempt = await a_joined_debt(stores, now)

    assert await stores.copies.fail(attempt.ref, None, "rejected", False, True, ExposureChange(now), None, now)

    assert await kept(stores, debt) == debt
    assert (debt.state, debt.member_of) == (CopyState.EXECUTING, attempt.copy_id)


async def test_a_late_fill_brings_a_given_up_copy_back_for_the_reconciler(stores: Stores, now: datetime) -> None:
    copy = await in_state(stores, CopyState.FAILED, now)

    assert await settled(stores, copy, copy.fence, CopyState.EXECUTED, now)

    after = await kept(stores, copy)
    assert (after.state, after.needs_review, after.failure) == (CopyState.EXECUTED, True, "")
    assert [found.copy_id for found in await stores.copies.unsettled(ACCOUNT, 10)] == [copy.copy_id]


async def test_a_copy_whose_trades_all_failed_has_failed_and_is_no_longer_looked_at(
    stores: Stores, now: datetime
) -> None:
    copy = await executed(stores, now)

    assert await settled(stores, copy, copy.fence, CopyState.FAILED, now)

    assert (await kept(stores, copy)).failure == "settlement_failed"
    assert await stores.copies.unsettled(ACCOUNT, 10) == ()


async def test_each_step_leaves_an_entry_chained_to_the_one_before(stores: Stores, now: datetime) -> None:
    copy = await in_state(stores, CopyState.RECONCILED, now)

    assert [entry.seq for entry in copy.trail] == [1, 2, 3, 4]
    assert [entry.previous for entry in copy.trail[1:]] == [entry.digest for entry in copy.trail[:-1]]
    assert [entry.action.partition(":")[0] for entry in copy.trail] == ["detected", "intent", "executed", "reconciled"]


async def test_copies_given_up_long_ago_do_not_hide_those_that_are_to_be_settled(stores: Stores, now: datetime) -> None:
    for number in (1, 2):
        dead = await executing(stores, now, number, trade=a_trade(number, token_id=str(number)))
        over = now - timedelta(hours=1)
        assert await stores.copies.fail(dead.ref, None, "presumed_dead", True, False, None, over, now)
    live = await executed(stores, now, 3, trade=a_trade(3, token_id="3"))
    await stores.copies.touch(live.copy_id, now)

    assert [found.copy_id for found in await stores.copies.unsettled(ACCOUNT, 1)] == [live.copy_id]


async def test_the_least_recently_looked_at_copy_is_looked_at_first(stores: Stores, now: datetime) -> None:
    copies = [await executed(stores, now, number, trade=a_trade(number, token_id=str(number))) for number in (1, 2, 3)]
    for place, copy in enumerate(reversed(copies)):
        await stores.copies.touch(copy.copy_id, now + timedelta(seconds=place))

    found = await stores.copies.unsettled(ACCOUNT, 2)

    assert [copy.copy_id for copy in found] == [copies[2].copy_id, copies[1].copy_id]


async def test_an_order_hash_belongs_to_one_copy(stores: Stores, now: datetime) -> None:
    await executing(stores, now, 1)
    second = await claimed(stores, a_copy(2, now=now, trade=a_trade(2, token_id="2")))
    before = await everything(stores, second)

    with pytest.raises(StoreUnavailable):
        await begun(stores, second, 1, now)

    assert await everything(stores, second) == before


async def test_an_account_is_touched_by_its_own_copies_only(stores: Stores, now: datetime) -> None:
    other = "0x" + "b" * 40
    await stores.accounts.create(an_account(other))
    await executed(stores, now)

    assert (await stores.accounts.get(other)) == an_account(other)
    assert await stores.copies.claim(other, "w", LEASE, fresh=True) is None
    assert await stores.copies.unsettled(other, 10) == ()


async def reclaimed(stores: Stores) -> Copy:
    """The copy whose lease is over, in other hands."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            found = await stores.copies.claim(ACCOUNT, "w2", LEASE, fresh=True)
            if found is not None:
                return found
            await asyncio.sleep(0.01)


async def lapsed(stores: Stores, copy: Copy) -> None:
    """The copy's lease is over on the database's clock."""
    assert await stores.copies.renew(copy.ref, timedelta(0))
    ended = (await kept(stores, copy)).claimable_at
    assert ended is not None
    while (left := ended - await stores.now()) >= timedelta(0):  # noqa: ASYNC110  the database's clock wakes nobody
        await asyncio.sleep(left.total_seconds() + 0.001)


async def test_a_copy_that_was_decided_on_large_figures_goes_on_as_any_other(stores: Stores, now: datetime) -> None:
    copy, intent = await claimed(stores, a_copy(1, now=now)), an_intent(1, now)
    decision = a_decision(now, record='{"limits": {"max_day_micros": 1099511627776}}')
    assert await stores.copies.begin(copy, 0, intent, decision, an_exposure(copy, intent, now), (), now) is Begun.DONE

    assert await stores.copies.execute(copy.ref, None, 10, 5, 1, ExposureChange(now), now)
    after = await kept(stores, copy)
    assert after.decision is not None
    assert (after.state, after.decision.digest) == (CopyState.EXECUTED, decision.digest)
