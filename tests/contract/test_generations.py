"""Another order for the same copy: its last is final, and every order that it ever had stays its own."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState, ForbiddenTransition
from services.common.ports.stores import Begun, StoreUnavailable
from tests.builders import ACCOUNT, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent

LEASE = timedelta(seconds=5)
REJECTED = Outcome.REJECTED


async def begun(stores: Any, number: int, now: datetime) -> Copy:
    """The next copy that may be claimed, with its order `number` under way."""
    copy = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    intent = replace(an_intent(number, now), generation=len(copy.intents) + 1)
    seq = (await stores.accounts.get(ACCOUNT)).seq
    change = an_exposure(copy, intent, now)
    assert await stores.copies.begin(copy, seq, intent, a_decision(now), change, (), now) is Begun.DONE
    return await stores.copies.get(copy.copy_id)


async def tried_again(stores: Any, copy: Copy, now: datetime, after: timedelta = timedelta(0)) -> bool:
    attempt = Attempt(1, now, REJECTED, 400, "not enough balance / allowance")
    freed = ExposureChange(now, drop=copy.copy_id)
    return await stores.copies.fail(copy.ref, attempt, "rejected", False, True, freed, None, now, after)


async def test_a_failed_copy_waits_for_its_next_order_in_the_write_that_fails_it(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(1, now=now)])
    copy = await begun(stores, 1, now)

    assert await tried_again(stores, copy, now, timedelta(minutes=1))

    kept = await stores.copies.get(copy.copy_id)
    assert (kept.state, kept.failure, kept.retry_count, kept.last_retry_at) == (CopyState.DETECTED, "rejected", 1, now)
    assert [entry.action for entry in kept.trail[-2:]] == ["failed:rejected", "retry:1"]
    assert not (await stores.accounts.get(ACCOUNT)).exposure.open
    assert await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) is None


async def test_the_orders_before_the_last_are_kept_and_counted(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(1, now=now)])
    first = await begun(stores, 1, now)
    assert await tried_again(stores, first, now)

    second = await begun(stores, 2, now)

    assert (second.state, second.failure) == (CopyState.EXECUTING, "")
    assert [(intent.generation, intent.order_hash) for intent in second.intents] == [
        (1, an_intent(1).order_hash),
        (2, an_intent(2).order_hash),
    ]
    (order,) = await stores.copies.recent_orders(ACCOUNT, now - timedelta(minutes=1))
    assert (order.rejections, [attempt.outcome for attempt in order.attempts]) == (1, [REJECTED, Outcome.OPEN])


@pytest.mark.parametrize("generation", [1, 2])
async def test_no_other_copy_may_have_an_order_of_any_generation(stores: Any, now: datetime, generation: int):
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(1, now=now)])
    assert await tried_again(stores, await begun(stores, 1, now), now)
    await begun(stores, 2, now)
    await stores.copies.insert([a_copy(2, now=now)])

    with pytest.raises(StoreUnavailable):
        await begun(stores, generation, now)


async def test_an_order_that_may_still_fill_is_followed_by_no_other(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(1, now=now)])
    copy = await begun(stores, 1, now)
    assert await stores.copies.record(copy.ref, Attempt(1, now, Outcome.UNKNOWN), None, now)
    assert await stores.copies.journal(copy.ref, Attempt(2, now), now)
    freed = ExposureChange(now, drop=copy.copy_id)
    before = await stores.copies.get(copy.copy_id)

    with pytest.raises(ForbiddenTransition):
        second = Attempt(2, now, REJECTED)
        await stores.copies.fail(copy.ref, second, "rejected", False, True, freed, None, now, timedelta(0))

    assert await stores.copies.get(copy.copy_id) == before


async def test_a_copy_that_is_tried_again_blocks_none_of_its_token(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(number, now=now, trade=a_trade(number)) for number in (1, 2)])
    first = await begun(stores, 1, now)
    assert await tried_again(stores, first, now, timedelta(minutes=1))

    other = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)

    assert other is not None
    assert other.copy_id != first.copy_id
