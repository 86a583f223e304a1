"""What every store must do with intents and their attempts: one order for a copy, on one line of its account."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt, IntentState, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Begun
from tests.builders import ACCOUNT, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent
from tests.contract.lifecycle_world import LEASE, claimed, executing
from tests.controlled import halted, limited, paused

SHORT = timedelta(milliseconds=60)


async def test_an_intent_is_not_stored_under_a_lapsed_lease(stores: Any, now: datetime) -> None:
    copy = await claimed(stores, a_copy(1, now=now), SHORT)
    intent = an_intent(1, now)
    await asyncio.sleep(0.1)

    assert (
        await stores.copies.begin(copy, 0, intent, a_decision(now), an_exposure(copy, intent), (), now)
        is Begun.CLAIM_LOST
    )
    assert (await stores.accounts.get(ACCOUNT)).exposure.open == {}


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
