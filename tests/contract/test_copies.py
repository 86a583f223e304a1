"""What every store of copies must do, races included."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from services.common.domain.account import ExposureChange, Holding
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.fill import Fill, LedgerLine, Position, TradeStatus
from services.common.domain.intent import Attempt, IntentState, Outcome
from services.common.domain.lifecycle import CopyState, ForbiddenTransition
from services.common.domain.market import Side
from services.common.ports.stores import Begun
from tests.builders import ACCOUNT, CONDITION, TOKEN, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent
from tests.contract import lifecycle_world
from tests.controlled import halted, limited, paused
from tests.patience import PATIENT_S, patiently

LEASE = timedelta(seconds=5)
SHORT = timedelta(milliseconds=60)


async def claimed(stores: Any, copy: Copy, lease: timedelta = LEASE) -> Copy:
    await stores.accounts.create(an_account())
    await stores.copies.insert([copy])
    found = await stores.copies.claim(ACCOUNT, "w1", lease, fresh=True)
    assert found is not None
    return found


async def executing(stores: Any, now: datetime, number: int = 1) -> Copy:
    copy = await claimed(stores, a_copy(number, now=now))
    intent = an_intent(number, now)
    seq = (await stores.accounts.get(ACCOUNT)).seq
    assert (
        await stores.copies.begin(copy, seq, intent, a_decision(now), an_exposure(copy, intent, now), (), now)
        is Begun.DONE
    )
    return await stores.copies.get(copy.copy_id)


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


async def test_an_intent_is_not_stored_under_a_lapsed_lease(stores: Any, now: datetime) -> None:
    copy = await claimed(stores, a_copy(1, now=now), SHORT)
    intent = an_intent(1, now)
    await asyncio.sleep(0.1)

    assert (
        await stores.copies.begin(copy, 0, intent, a_decision(now), an_exposure(copy, intent), (), now)
        is Begun.CLAIM_LOST
    )
    assert (await stores.accounts.get(ACCOUNT)).exposure.open == {}


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


async def test_two_decisions_on_one_line_make_one_order(stores: Any, now: datetime) -> None:
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(n, now=now, trade=a_trade(n, token_id=str(n))) for n in (1, 2)])
    copies = [await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) for _ in (1, 2)]

    async def begin(number: int, copy: Copy) -> Begun:
        intent = an_intent(number, now)
        return await stores.copies.begin(copy, 0, intent, a_decision(now), an_exposure(copy, intent, now), (), now)

    outcomes = await asyncio.gather(*(begin(number, copy) for number, copy in enumerate(copies, 1)))

    assert sorted(outcomes) == sorted([Begun.DONE, Begun.ACCOUNT_MOVED])
    account = await stores.accounts.get(ACCOUNT)
    assert (account.seq, len(account.exposure.open)) == (1, 1)


async def test_an_intent_that_is_stored_again_is_found_to_be_there(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)
    intent = an_intent(1, now)

    again = await stores.copies.begin(copy, 0, intent, a_decision(now), an_exposure(copy, intent, now), (), now)

    assert again is Begun.DONE
    assert (await stores.accounts.get(ACCOUNT)).seq == 1


@pytest.mark.parametrize("how", ["halt", "pause", "limits"])
async def test_nothing_is_begun_on_a_line_that_control_has_moved(stores: Any, now: datetime, how: str) -> None:
    copy = await claimed(stores, a_copy(1, now=now))
    account = await stores.accounts.get(ACCOUNT)
    if how == "halt":
        await stores.accounts.change(ACCOUNT, halted(now))
    elif how == "pause":
        await stores.accounts.change(ACCOUNT, paused(now))
    else:
        await stores.accounts.change(ACCOUNT, limited(now, {"max_order_micros": 1}))

    intent = an_intent(1, now)
    begun = await stores.copies.begin(
        copy, account.seq, intent, a_decision(now), an_exposure(copy, intent, now), (), now
    )

    assert begun is Begun.ACCOUNT_MOVED
    assert (await stores.copies.get(copy.copy_id)).state is CopyState.CLAIMED


async def test_an_account_counts_the_attempts_that_are_journaled_and_nothing_else(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)
    assert await stores.copies.journal(copy.ref, Attempt(2, now), now)
    assert await stores.copies.execute(
        copy.ref, Attempt(2, now, Outcome.ACKED), 10_000_000, 5_000_000, 0, ExposureChange(now), now
    )

    account = await stores.accounts.get(ACCOUNT)
    assert (account.attempts, account.seq) == (2, 3)


async def test_a_resend_is_journaled_once_and_never_after_a_stop(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)
    second = Attempt(2, now)
    assert await stores.copies.journal(copy.ref, second, now)
    assert await stores.copies.journal(copy.ref, second, now)
    assert (await stores.accounts.get(ACCOUNT)).seq == 2

    await stores.accounts.change(ACCOUNT, halted(now))

    assert not await stores.copies.journal(copy.ref, Attempt(3, now), now)
    assert len((await stores.copies.get(copy.copy_id)).intent.attempts) == 2


async def test_stops_and_resends_in_a_race_leave_nothing_journaled_after_the_stop(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)

    async def stop() -> int:
        return (await stores.accounts.change(ACCOUNT, halted(now))).seq

    stopped_at, *journaled = await asyncio.gather(
        stop(), *(stores.copies.journal(copy.ref, Attempt(2 + n, now), now) for n in range(4))
    )

    account = await stores.accounts.get(ACCOUNT)
    assert account.seq == stopped_at
    assert len((await stores.copies.get(copy.copy_id)).intent.attempts) == 1 + sum(journaled)


async def test_a_match_moves_the_copy_and_the_account_together(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)
    assert await stores.copies.sign(copy.ref, copy.intent.order_hash, "s1.sealed")
    change = ExposureChange(now, put=replace(an_exposure(copy, copy.intent, now).put, matched=True))

    assert await stores.copies.execute(
        copy.ref, Attempt(1, now, Outcome.ACKED, 200, "matched"), 10_000_000, 5_000_000, 1_000, change, now
    )

    after = await stores.copies.get(copy.copy_id)
    account = await stores.accounts.get(ACCOUNT)
    assert (after.state, after.filled_micros, after.paid_micros, after.fee_micros) == (
        CopyState.EXECUTED,
        10_000_000,
        5_000_000,
        1_000,
    )
    assert (after.intent.signature, after.intent.state) == ("s1.sealed", IntentState.FINAL)
    assert account.exposure.open[copy.copy_id].matched
    assert not await stores.copies.execute(copy.ref, None, 1, 1, 1, change, now)


async def test_a_final_zero_gives_the_cash_back(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)
    gone = ExposureChange(now, drop=copy.copy_id)

    assert await stores.copies.fail(
        copy.ref, Attempt(1, now, Outcome.ACKED, 400, "killed"), "not_matched", False, True, gone, None, now
    )

    assert (await stores.accounts.get(ACCOUNT)).exposure.open == {}
    assert (await stores.copies.get(copy.copy_id)).failure == "not_matched"


async def test_what_is_presumed_dead_keeps_its_cash_and_is_watched(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)

    assert await stores.copies.fail(copy.ref, None, "presumed_dead", True, False, None, now + timedelta(hours=24), now)

    assert copy.copy_id in (await stores.accounts.get(ACCOUNT)).exposure.open
    assert [found.copy_id for found in await stores.copies.unsettled(ACCOUNT, 10)] == [copy.copy_id]


def booked(copy: Copy, now: datetime) -> dict[str, Any]:
    fill = Fill(
        ACCOUNT,
        "t1",
        copy.intent.order_hash,
        copy.copy_id,
        CONDITION,
        TOKEN,
        Side.BUY,
        10_000_000,
        5_000_000,
        1_000,
        TradeStatus.CONFIRMED,
        now,
    )
    line = LedgerLine(ACCOUNT, TOKEN, "t1", copy.intent.order_hash, copy.copy_id, 10_000_000, -5_000_000, 1_000, 0, now)
    position = Position(ACCOUNT, ACCOUNT, TOKEN, CONDITION, 10_000_000, 5_001_000, 10_000_000, 0, 1_000, now)
    change = ExposureChange(now, drop=copy.copy_id, held=Holding(TOKEN, CONDITION, "7", 10_000_000, 5_001_000))
    return {"fills": [fill], "lines": [line], "positions": [position], "change": change}


async def settle(stores: Any, copy: Copy, state: CopyState, now: datetime, **what: Any) -> bool:
    books = {"fills": (), "lines": (), "positions": (), "change": ExposureChange(now)} | what
    return await stores.copies.settle(
        copy.copy_id,
        copy.fence,
        state,
        books["fills"],
        books["lines"],
        books["positions"],
        10_000_000,
        5_000_000,
        1_000,
        books["change"],
        False,
        now,
    )


async def test_a_settlement_books_fill_line_position_and_exposure_at_once_and_once(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)
    await stores.copies.execute(copy.ref, None, 10_000_000, 5_000_000, 0, ExposureChange(now), now)
    copy = await stores.copies.get(copy.copy_id)

    done = await asyncio.gather(
        *(settle(stores, copy, CopyState.RECONCILED, now, **booked(copy, now)) for _ in range(3))
    )

    assert sorted(done) == [False, False, True]
    account = await stores.accounts.get(ACCOUNT)
    assert (account.exposure.open, account.exposure.held[TOKEN].shares_micros) == ({}, 10_000_000)
    assert [line.trade_id for line in await stores.positions.ledger(ACCOUNT)] == ["t1"]
    assert (await stores.positions.get(ACCOUNT, TOKEN)).shares_micros == 10_000_000
    assert await stores.copies.unsettled(ACCOUNT, 10) == ()


async def test_the_table_forbids_what_it_does_not_have(stores: Any, now: datetime) -> None:
    copy = await executing(stores, now)

    with pytest.raises(ForbiddenTransition):
        await settle(stores, copy, CopyState.RECONCILED, now)
    assert not await stores.copies.skip(copy.ref, "edge", None, now)
    assert not await stores.copies.release(copy.ref, timedelta(0), now)


async def test_debts_share_the_fate_of_the_attempt_that_takes_them(stores: Any, now: datetime) -> None:
    await stores.accounts.create(an_account())
    sell = a_trade(1, side=Side.SELL)
    debt = a_copy(1, kind=CopyKind.DEBT, now=now, trade=sell)
    await stores.copies.insert([debt])
    taken = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    owed = (await stores.copies.park(taken.ref, lifecycle_world.step_of(debt), now)).exit_id
    assert await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) is None
    attempt = a_copy(2, kind=CopyKind.EXIT, now=now, trade=sell, exit_id=owed, attempt_number=1)
    await stores.copies.insert([attempt])
    held = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    intent = an_intent(5, now)
    await stores.copies.begin(held, 0, intent, a_decision(now), ExposureChange(now), [debt.copy_id], now)

    joined = await stores.copies.get(debt.copy_id)
    await stores.copies.execute(held.ref, None, 1, 1, 0, ExposureChange(now), now)
    followed = await stores.copies.get(debt.copy_id)
    await settle(stores, await stores.copies.get(attempt.copy_id), CopyState.RECONCILED, now)

    assert (joined.state, joined.member_of) == (CopyState.EXECUTING, attempt.copy_id)
    assert followed.state is CopyState.EXECUTED
    assert (await stores.copies.get(debt.copy_id)).state is CopyState.RECONCILED


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
