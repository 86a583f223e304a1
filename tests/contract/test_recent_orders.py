"""What brakes and counters are made of: the orders of the last minutes, with what became of them and in which market."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.common.domain.account import ExposureChange
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Begun
from tests.builders import ACCOUNT, CONDITION, TOKEN, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent

LEASE = timedelta(seconds=5)
MINUTE = timedelta(minutes=1)


async def sent(stores: Any, number: int, now: datetime) -> str:
    """A copy whose order is under way since `now`, with everything that a decision keeps."""
    await stores.copies.insert([a_copy(number, now=now, trade=a_trade(number, condition_id=""))])
    copy = await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    intent = an_intent(number, now)
    seq = (await stores.accounts.get(ACCOUNT)).seq
    decision = a_decision(now, market=CONDITION)
    begun = await stores.copies.begin(copy, seq, intent, decision, an_exposure(copy, intent, now), (), now)
    assert begun is Begun.DONE
    unknown = Attempt(1, now, Outcome.UNKNOWN, 500, "lost")
    assert await stores.copies.record(copy.ref, unknown, MINUTE, now)
    return copy.copy_id


async def test_recent_orders_tell_their_attempts_and_their_market(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    await sent(stores, 1, now - 2 * MINUTE)
    copy_id = await sent(stores, 2, now)

    (found,) = await stores.copies.recent_orders(ACCOUNT, now - MINUTE)

    assert found.copy_id == copy_id
    assert [(one.outcome, one.at, one.code) for one in found.attempts] == [(Outcome.UNKNOWN, now, "lost")]
    assert (found.market, found.token_id, found.sent_at) == (CONDITION, TOKEN, now)


async def test_what_is_under_way_is_counted_and_what_waits_or_is_over_is_not(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    await sent(stores, 1, now)
    held, waiting, over = a_copy(2, now=now), a_copy(3, now=now), a_copy(4, now=now)
    await stores.copies.insert([held])
    await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True)
    await stores.copies.insert([waiting, replace(over, state=CopyState.SKIPPED, claimable_at=None)])

    assert await stores.copies.under_way([ACCOUNT]) == 2
    assert await stores.copies.under_way([]) == 0


async def test_an_order_that_matched_is_under_way_until_it_is_settled(stores: Any, now: datetime):
    await stores.accounts.create(an_account())
    copy = await stores.copies.get(await sent(stores, 1, now))

    assert await stores.copies.execute(copy.ref, None, 10, 5, 0, ExposureChange(now), now)
    assert await stores.copies.under_way([ACCOUNT]) == 1
    change = ExposureChange(now, drop=copy.copy_id)
    assert await stores.copies.settle(
        copy.copy_id, copy.fence, CopyState.RECONCILED, (), (), (), 10, 5, 0, change, False, now
    )

    assert await stores.copies.under_way([ACCOUNT]) == 0
