"""Signatures are stored sealed, and deleted thirty days after their copy is final; the trail does not notice."""

from datetime import datetime, timedelta

import pytest

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.custody import KEPT
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.audit import Told
from services.common.ports.stores import Stores
from tests.builders import ACCOUNT, a_trade
from tests.contract.lifecycle_world import begun, executing, kept, settled

LEASE = timedelta(seconds=60)
MOMENT = timedelta(milliseconds=1)
SEALED = "s1.key.text"


async def signed(stores: Stores, copy: Copy) -> Copy:
    assert copy.intent
    assert await stores.copies.sign(copy.ref, copy.intent.order_hash, SEALED)
    return await kept(stores, copy)


async def reconciled(stores: Stores, now: datetime) -> Copy:
    """A signed copy that is final."""
    copy = await signed(stores, await executing(stores, now))
    done = Attempt(1, now, Outcome.ACKED)
    assert await stores.copies.execute(copy.ref, done, 10_000_000, 5_000_000, 0, ExposureChange(now), now)
    assert await settled(stores, copy, copy.fence, CopyState.RECONCILED, now)
    return await kept(stores, copy)


async def told(stores: Stores) -> list[Told]:
    return [one async for one in stores.audit.trails()]


def signatures(copy: Copy) -> list[str]:
    return [intent.signature for intent in copy.intents]


@pytest.mark.parametrize("bare", ["0x" + "ab" * 65, ""])
async def test_a_signature_that_anybody_could_read_is_not_stored(stores: Stores, now: datetime, bare: str) -> None:
    copy = await executing(stores, now)
    assert copy.intent

    with pytest.raises(ValueError, match="sealed or not at all"):
        await stores.copies.sign(copy.ref, copy.intent.order_hash, bare)

    assert signatures(await kept(stores, copy)) == [""]


async def test_a_signature_is_deleted_thirty_days_after_its_copy_is_final(stores: Stores, now: datetime) -> None:
    copy, before = await reconciled(stores, now), await told(stores)

    assert await stores.copies.forget_signatures(now + KEPT - MOMENT) == 0
    assert signatures(await kept(stores, copy)) == [SEALED]
    assert await stores.copies.forget_signatures(now + KEPT) == 1

    assert signatures(await kept(stores, copy)) == [""]
    assert await told(stores) == before
    assert await stores.copies.forget_signatures(now + KEPT * 9) == 0


async def test_a_copy_that_somebody_has_looked_at_is_no_younger_for_it(stores: Stores, now: datetime) -> None:
    copy = await signed(stores, await executing(stores, now))
    assert await stores.copies.fail(copy.ref, None, "rejected", True, True, None, None, now)
    assert await stores.copies.acknowledge(copy.copy_id, "ops", "seen", now + KEPT - MOMENT)

    assert await stores.copies.forget_signatures(now + KEPT) == 1


async def test_what_may_still_fill_keeps_its_signature(stores: Stores, now: datetime) -> None:
    sent = await signed(stores, await executing(stores, now))
    given_up = await signed(stores, await executing(stores, now, 2, trade=a_trade(2, token_id="2")))
    over = now + timedelta(hours=24)
    assert await stores.copies.fail(given_up.ref, None, "presumed_dead", True, False, None, over, now)

    assert await stores.copies.forget_signatures(now + KEPT * 9) == 0
    assert await stores.copies.close_watch(given_up.copy_id, given_up.fence, ExposureChange(over), over)
    assert await stores.copies.forget_signatures(over + KEPT - MOMENT) == 0
    assert await stores.copies.forget_signatures(over + KEPT) == 1

    assert signatures(await kept(stores, given_up)) == [""]
    assert signatures(await kept(stores, sent)) == [SEALED]


async def test_a_copy_that_lives_again_keeps_its_signature_until_it_is_final_again(
    stores: Stores, now: datetime
) -> None:
    copy, later = await reconciled(stores, now), now + timedelta(days=1)
    assert await settled(stores, copy, copy.fence, CopyState.EXECUTED, later)
    assert await stores.copies.forget_signatures(now + KEPT * 9) == 0

    again = await kept(stores, copy)
    assert await settled(stores, again, again.fence, CopyState.RECONCILED, later)

    assert await stores.copies.forget_signatures(later + KEPT - MOMENT) == 0
    assert await stores.copies.forget_signatures(later + KEPT) == 1


async def test_the_orders_before_the_last_lose_theirs_with_it(stores: Stores, now: datetime) -> None:
    first = await signed(stores, await executing(stores, now))
    freed, rejected = ExposureChange(now, drop=first.copy_id), Attempt(1, now, Outcome.REJECTED)
    assert await stores.copies.fail(first.ref, rejected, "rejected", False, True, freed, None, now, timedelta(0))
    taken = await stores.copies.claim(ACCOUNT, "w1", LEASE, fresh=True)
    assert taken is not None
    second = await signed(stores, await begun(stores, taken, 2, now))
    assert signatures(second) == [SEALED, SEALED]
    assert await stores.copies.forget_signatures(now + KEPT * 9) == 0
    assert await stores.copies.fail(second.ref, rejected, "rejected", False, True, freed, None, now)

    assert await stores.copies.forget_signatures(now + KEPT) == 1

    assert signatures(await kept(stores, second)) == ["", ""]


async def test_no_more_are_deleted_at_once_than_was_asked_for_the_eldest_first(stores: Stores, now: datetime) -> None:
    copies = []
    for number in (2, 1):
        at = now - timedelta(days=number)
        copy = await signed(stores, await executing(stores, at, number, trade=a_trade(number, token_id=str(number))))
        assert await stores.copies.fail(copy.ref, None, "rejected", False, True, None, None, at)
        copies.append(copy)
    eldest, other = copies

    assert await stores.copies.forget_signatures(now + KEPT, 1) == 1
    assert signatures(await kept(stores, eldest)) == [""]
    assert signatures(await kept(stores, other)) == [SEALED]
    assert await stores.copies.forget_signatures(now + KEPT, 5) == 1
