"""What every store must do with what has settled: fills, lines, position and exposure at once, and once."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.common.domain.account import ExposureChange, Holding
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.fill import Fill, LedgerLine, Position, TradeStatus
from services.common.domain.lifecycle import CopyState, ForbiddenTransition
from services.common.domain.market import Side
from tests.builders import ACCOUNT, CONDITION, TOKEN, a_copy, a_decision, a_trade, an_account, an_intent
from tests.contract import lifecycle_world
from tests.contract.lifecycle_world import LEASE, executing


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
