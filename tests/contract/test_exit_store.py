"""Exits: a step is owed once, one attempt is open at a time, an end is on the version that was read."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.common.domain.close_request import Ask, CloseRequest, request_key
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Cause, Exit, ExitState, Kept, Place, Step, exit_id
from services.common.domain.follow import follow_id
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.ports.stores import Stores
from tests.builders import ACCOUNT, LEADER, NOON, TOKEN, a_copy, a_decision, a_trade
from tests.contract.lifecycle_world import claimed

FOLLOW = follow_id(ACCOUNT, LEADER)
EXIT = exit_id(FOLLOW, TOKEN)


def a_step(number: int = 1, **changes: Any) -> Step:
    return replace(Step(f"step {number}", Place(100 + number, 1), 10, 100), **changes)


def an_attempt(number: int, now: datetime) -> Copy:
    sell = a_trade(number, side=Side.SELL)
    return a_copy(number, kind=CopyKind.EXIT, now=now, trade=sell, exit_id=EXIT, attempt_number=number)


async def owe(stores: Stores, step: Step, now: datetime) -> Exit:
    return await stores.exits.owe(EXIT, ACCOUNT, FOLLOW, TOKEN, step, now)


async def kept(stores: Stores) -> Exit:
    found = await stores.exits.get(EXIT)
    assert found is not None
    return found


async def test_the_first_step_opens_an_exit(stores: Stores, now: datetime) -> None:
    owed = await owe(stores, a_step(), now)

    assert owed == Exit(EXIT, ACCOUNT, FOLLOW, TOKEN, ExitState.OPEN, (a_step(),), now, version=1)
    assert await kept(stores) == owed
    assert await stores.exits.open_ones(ACCOUNT) == (owed,)
    assert await stores.exits.open_ones("0x" + "b" * 40) == ()
    assert await stores.exits.get("none") is None


async def test_a_step_is_owed_once_by_its_key(stores: Stores, now: datetime) -> None:
    first = await owe(stores, a_step(), now)

    assert await owe(stores, a_step(decrease_micros=99), now) == first
    assert await kept(stores) == first


async def test_steps_in_a_race_are_all_owed_once_and_in_the_leaders_order(stores: Stores, now: datetime) -> None:
    await asyncio.gather(*(owe(stores, a_step(number), now) for number in (3, 1, 4, 2, 3, 1, 4, 2)))

    found = await kept(stores)
    assert found.steps == tuple(a_step(number) for number in (1, 2, 3, 4))
    assert found.version == 4


async def test_a_step_of_more_than_a_machine_word_is_kept_whole(stores: Stores, now: datetime) -> None:
    step = a_step(decrease_micros=2**63, before_micros=2**200)

    await owe(stores, step, now)

    assert (await kept(stores)).steps == (step,)


async def test_one_attempt_is_open_at_a_time(stores: Stores, now: datetime) -> None:
    owed = await owe(stores, a_step(), now)

    done = await asyncio.gather(
        *(stores.exits.open_attempt(EXIT, owed.version, an_attempt(number, now)) for number in range(1, 9))
    )

    assert sorted(done) == [False] * 7 + [True]
    found = await kept(stores)
    (copy,) = await stores.copies.of_exit(EXIT)
    assert (found.attempts, found.open_attempt, found.version) == (1, copy.copy_id, owed.version + 1)
    assert (copy.kind, [entry.action for entry in copy.trail]) == (CopyKind.EXIT, ["detected"])


async def test_an_attempt_is_not_opened_twice_nor_on_what_has_changed(stores: Stores, now: datetime) -> None:
    stale = (await owe(stores, a_step(1), now)).version
    fresh = (await owe(stores, a_step(2), now)).version
    attempt = an_attempt(1, now)

    assert not await stores.exits.open_attempt(EXIT, stale, attempt)
    assert await stores.copies.get(attempt.copy_id) is None
    assert await stores.exits.open_attempt(EXIT, fresh, attempt)
    assert not await stores.exits.open_attempt(EXIT, fresh, attempt)
    assert not await stores.exits.open_attempt(EXIT, fresh + 1, an_attempt(2, now))
    assert (await kept(stores)).attempts == 1
    assert not await stores.exits.open_attempt("none", 0, an_attempt(3, now))


async def test_the_copy_of_an_attempt_is_never_made_again(stores: Stores, now: datetime) -> None:
    owed = await owe(stores, a_step(), now)
    attempt = an_attempt(1, now)
    await stores.exits.open_attempt(EXIT, owed.version, attempt)
    assert await stores.exits.close_attempt(EXIT, attempt.copy_id)
    before = await kept(stores)

    assert not await stores.exits.open_attempt(EXIT, before.version, attempt)
    assert await kept(stores) == before


async def test_an_attempt_is_closed_once_and_only_by_its_own_name(stores: Stores, now: datetime) -> None:
    owed = await owe(stores, a_step(), now)
    attempt = an_attempt(1, now)
    await stores.exits.open_attempt(EXIT, owed.version, attempt)

    assert not await stores.exits.close_attempt(EXIT, an_attempt(2, now).copy_id)
    assert await stores.exits.close_attempt(EXIT, attempt.copy_id)
    closed = await kept(stores)
    assert not await stores.exits.close_attempt(EXIT, attempt.copy_id)
    assert await kept(stores) == closed
    assert (closed.open_attempt, closed.attempts, closed.version) == ("", 1, owed.version + 2)


@pytest.mark.parametrize("state", [state for state in ExitState if state is not ExitState.OPEN])
async def test_an_exit_ends_on_the_version_that_was_read(stores: Stores, now: datetime, state: ExitState) -> None:
    owed = await owe(stores, a_step(), now)

    assert not await stores.exits.end(EXIT, owed.version - 1, state, now)
    assert await stores.exits.end(EXIT, owed.version, state, now)
    assert not await stores.exits.end(EXIT, owed.version, state, now)
    assert await kept(stores) == replace(owed, state=state, version=owed.version + 1)
    assert await stores.exits.open_ones(ACCOUNT) == ()
    assert not await stores.exits.end("none", 0, state, now)


async def test_an_exit_with_an_open_attempt_does_not_end_and_an_ended_one_opens_no_attempt(
    stores: Stores, now: datetime
) -> None:
    owed = await owe(stores, a_step(), now)
    attempt = an_attempt(1, now)
    await stores.exits.open_attempt(EXIT, owed.version, attempt)
    opened = await kept(stores)

    assert not await stores.exits.end(EXIT, opened.version, ExitState.MET, now)
    await stores.exits.close_attempt(EXIT, attempt.copy_id)
    assert await stores.exits.end(EXIT, opened.version + 1, ExitState.MET, now)
    assert not await stores.exits.open_attempt(EXIT, opened.version + 2, an_attempt(2, now))


async def test_a_new_step_opens_an_exit_that_had_ended_and_an_old_one_does_not(stores: Stores, now: datetime) -> None:
    owed = await owe(stores, a_step(1), now)
    await stores.exits.end(EXIT, owed.version, ExitState.MET, now)

    assert (await owe(stores, a_step(1), now)).state is ExitState.MET
    again = await owe(stores, a_step(2), now)

    assert (again.state, again.steps) == (ExitState.OPEN, (a_step(1), a_step(2)))


async def test_an_end_and_a_new_step_in_a_race_leave_what_is_owed_open(stores: Stores, now: datetime) -> None:
    owed = await owe(stores, a_step(1), now)

    await asyncio.gather(
        stores.exits.end(EXIT, owed.version, ExitState.MET, now),
        owe(stores, a_step(2), now),
        stores.exits.end(EXIT, owed.version, ExitState.DUST, now),
    )

    found = await kept(stores)
    assert (found.state, found.steps) == (ExitState.OPEN, (a_step(1), a_step(2)))


async def test_attempts_and_debts_of_an_exit_are_listed_debts_first(stores: Stores, now: datetime) -> None:
    debts = [a_copy(number, kind=CopyKind.DEBT, now=now, exit_id=EXIT) for number in (6, 5)]
    attempts = [an_attempt(number, now) for number in (2, 1)]
    await stores.copies.insert([*attempts, *debts, a_copy(9, now=now)])

    found = [copy.copy_id for copy in await stores.copies.of_exit(EXIT)]

    assert found == [copy.copy_id for copy in (debts[1], debts[0], attempts[1], attempts[0])]


async def test_a_debt_is_parked_with_its_step_and_seen_by_whoever_ends_its_exit(stores: Stores, now: datetime) -> None:
    other = await owe(stores, a_step(1), now)
    debt = await claimed(stores, a_copy(1, kind=CopyKind.DEBT, now=now))

    parked = await stores.copies.park(debt.ref, a_step(2), now)

    assert parked == replace(other, steps=(a_step(1), a_step(2)), version=other.version + 1) == await kept(stores)
    assert [copy.copy_id for copy in await stores.copies.of_exit(EXIT)] == [debt.copy_id]
    assert not await stores.exits.end(EXIT, other.version, ExitState.MET, now)
    assert await stores.exits.end(EXIT, parked.version, ExitState.MET, now)


async def test_the_first_debt_of_a_token_opens_its_exit(stores: Stores, now: datetime) -> None:
    debt = await claimed(stores, a_copy(1, kind=CopyKind.DEBT, now=now))

    parked = await stores.copies.park(debt.ref, a_step(), now)

    assert (
        parked == Exit(EXIT, ACCOUNT, FOLLOW, TOKEN, ExitState.OPEN, (a_step(),), now, version=1) == await kept(stores)
    )


async def test_a_step_that_was_owed_before_is_parked_with_all_the_same(stores: Stores, now: datetime) -> None:
    owed = await owe(stores, a_step(), now)
    debt = await claimed(stores, a_copy(1, kind=CopyKind.DEBT, now=now))

    assert await stores.copies.park(debt.ref, a_step(), now) == replace(owed, version=owed.version + 1)
    assert await stores.copies.park(debt.ref, a_step(), now) is None


async def test_debts_in_a_race_are_each_parked_with_their_step(stores: Stores, now: datetime) -> None:
    debts = [await claimed(stores, a_copy(number, kind=CopyKind.DEBT, now=now)) for number in range(1, 7)]

    await asyncio.gather(*(stores.copies.park(one.ref, a_step(n), now) for n, one in enumerate(debts)))

    assert len((await kept(stores)).steps) == len(await stores.copies.of_exit(EXIT)) == 6


async def test_no_debt_is_parked_in_an_exit_that_is_over_with_its_step(stores: Stores, now: datetime) -> None:
    debt = await claimed(stores, a_copy(1, kind=CopyKind.DEBT, now=now))
    opened = await owe(stores, a_step(), now)
    assert await stores.exits.end(EXIT, opened.version, ExitState.MET, now)
    over = await kept(stores)

    assert await stores.copies.park(debt.ref, a_step(), now) == over == await kept(stores)

    assert (await stores.copies.get(debt.copy_id)).state is CopyState.CLAIMED


async def test_who_has_lost_the_claim_owes_nothing(stores: Stores, now: datetime) -> None:
    debt = await claimed(stores, a_copy(1, kind=CopyKind.DEBT, now=now))

    assert await stores.copies.park(replace(debt.ref, fence=debt.fence - 1), a_step(), now) is None

    assert await stores.exits.get(EXIT) is None


async def test_an_exit_that_opens_again_is_as_old_as_its_new_step(stores: Stores, now: datetime) -> None:
    owed = await owe(stores, a_step(1), now)
    assert await stores.exits.escalate(EXIT)
    assert not await stores.exits.escalate(EXIT)
    later = now + timedelta(hours=1)
    same = await owe(stores, a_step(2), later)
    assert (same.opened_at, same.overdue) == (owed.opened_at, True)
    await stores.exits.end(EXIT, same.version, ExitState.DUST, now)
    assert not await stores.exits.escalate(EXIT)

    again = await owe(stores, a_step(3), later)

    assert (again.opened_at, again.overdue) == (later, False)


async def test_a_step_is_removed_on_the_version_that_was_read_and_counts_again_when_it_is_back(
    stores: Stores, now: datetime
) -> None:
    await owe(stores, a_step(1), now)
    owed = await owe(stores, a_step(2), now)

    assert not await stores.exits.retract(EXIT, owed.version - 1, "step 1")
    assert not await stores.exits.retract(EXIT, owed.version, "another")
    assert await stores.exits.retract(EXIT, owed.version, "step 1")
    assert not await stores.exits.retract(EXIT, owed.version + 1, "step 1")
    removed = await kept(stores)
    assert [step.removed for step in removed.steps] == [True, False]
    assert removed.standing == (a_step(2),)
    assert (await owe(stores, a_step(1), now)).standing == (a_step(1), a_step(2))
    assert not await stores.exits.retract("none", 0, "step 1")


async def test_a_step_that_was_removed_is_looked_for_until_it_is_dropped(stores: Stores, now: datetime) -> None:
    await owe(stores, a_step(1), now)
    owed = await owe(stores, a_step(2), now)
    assert await stores.exits.retracted(ACCOUNT) == ()
    assert await stores.exits.retract(EXIT, owed.version, "step 1")
    removed = await kept(stores)
    assert await stores.exits.end(EXIT, removed.version, ExitState.MET, now)
    over = await kept(stores)
    assert await stores.exits.retracted(ACCOUNT) == (over,)
    assert await stores.exits.retracted("0x" + "f" * 40) == ()

    assert not await stores.exits.forget(EXIT, removed.version, "step 1")
    assert not await stores.exits.forget(EXIT, over.version, "step 2")
    assert not await stores.exits.forget("none", 0, "step 1")
    assert await stores.exits.forget(EXIT, over.version, "step 1")

    assert (await kept(stores)).steps == (a_step(2),)
    assert await stores.exits.retracted(ACCOUNT) == ()


async def test_what_its_owner_keeps_ends_an_exit_or_is_noted_where_there_was_none(
    stores: Stores, now: datetime
) -> None:
    mark = Kept(Place(110, 2), 40)
    ids = EXIT, ACCOUNT, FOLLOW, TOKEN

    assert not await stores.exits.keep(*ids, 3, mark, now)
    assert await stores.exits.keep(*ids, 0, mark, now)
    assert not await stores.exits.keep(*ids, 0, mark, now)
    found = await kept(stores)
    assert (found.state, found.kept, found.steps, found.version) == (ExitState.KEPT, mark, (), 1)
    owed = await owe(stores, a_step(1), now)
    assert owed.kept == mark
    attempt = an_attempt(1, now)
    await stores.exits.open_attempt(EXIT, owed.version, attempt)
    assert not await stores.exits.keep(*ids, owed.version + 1, mark, now)
    await stores.exits.close_attempt(EXIT, attempt.copy_id)
    assert await stores.exits.keep(*ids, owed.version + 2, replace(mark, sold_micros=50), now)
    assert (await kept(stores)).kept == Kept(Place(110, 2), 50)


async def test_an_attempt_that_is_put_back_keeps_the_report_of_what_held_it_back(stores: Stores, now: datetime) -> None:
    attempt = await claimed(stores, an_attempt(1, now))
    first, second = a_decision(now, account_seq=1), a_decision(now, account_seq=2)

    assert await stores.copies.release(attempt.ref, timedelta(0), now, first)
    assert (await stores.copies.get(attempt.copy_id)).decision == first
    again = await claimed(stores, attempt)
    assert await stores.copies.release(again.ref, timedelta(0), now)
    assert (await stores.copies.get(attempt.copy_id)).decision == first
    again = await claimed(stores, attempt)
    assert await stores.copies.release(again.ref, timedelta(0), now, second)
    assert (await stores.copies.get(attempt.copy_id)).decision == second


def a_request(request_id: str = "r1", **changes: Any) -> CloseRequest:
    ask = Ask(FOLLOW, TOKEN, a_step(cause=Cause.REQUEST))
    made = CloseRequest(request_key(ACCOUNT, request_id), ACCOUNT, request_id, (TOKEN,), (ask,), "ops", NOON)
    return replace(made, **changes)


async def test_a_request_to_close_is_kept_once_and_unfinished_until_it_is_finished(stores: Stores) -> None:
    first, second = a_request(), a_request("r2", at=NOON - timedelta(seconds=1))

    assert await stores.close_requests.get(first.key) is None
    assert await stores.close_requests.open(first) == first
    assert await stores.close_requests.open(replace(first, asset_ids=("9",), asks=())) == first
    assert await stores.close_requests.open(second) == second
    assert await stores.close_requests.unfinished(ACCOUNT) == (second, first)
    assert await stores.close_requests.unfinished("0x" + "b" * 40) == ()

    for _ in range(2):
        await stores.close_requests.finish(first.key)

    assert await stores.close_requests.get(first.key) == replace(first, done=True)
    assert await stores.close_requests.unfinished(ACCOUNT) == (second,)
    assert (await stores.close_requests.open(first)).done


async def test_requests_of_one_name_in_a_race_are_one(stores: Stores) -> None:
    made = [a_request(by=f"ops {number}") for number in range(8)]

    kept_ones = await asyncio.gather(*map(stores.close_requests.open, made))

    assert len({one.by for one in kept_ones}) == 1
