"""What wants a review is listed until somebody acknowledges it, and that is in its trail."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Stores
from tests.builders import ACCOUNT, a_copy, an_account
from tests.contract.lifecycle_world import executing

OTHER = "0x" + "b" * 40


async def given_up(stores: Stores, now: datetime) -> Copy:
    """A copy whose order's fate nobody knows."""
    copy = await executing(stores, now)
    until = now + timedelta(days=1)
    assert await stores.copies.fail(copy.ref, None, "presumed_dead", True, False, None, until, now)
    return copy


async def test_a_copy_that_was_given_up_wants_a_review_until_it_is_acknowledged(stores: Stores, now: datetime) -> None:
    copy = await given_up(stores, now)
    listed = [one.copy_id for one in await stores.copies.reviews([ACCOUNT], 10)]

    done = await stores.copies.acknowledge(copy.copy_id, "0xadmin", "never arrived", now)

    assert listed == [copy.copy_id]
    assert done is not None
    assert done == await stores.copies.get(copy.copy_id)
    assert (done.needs_review, done.state) == (False, CopyState.FAILED)
    assert (done.trail[-1].actor, done.trail[-1].action) == ("0xadmin", "reviewed:never arrived")
    assert await stores.copies.reviews([ACCOUNT], 10) == ()


async def test_a_review_is_acknowledged_once_and_none_where_none_is_wanted(stores: Stores, now: datetime) -> None:
    copy = await given_up(stores, now)
    await stores.copies.insert([a_copy(2, now=now)])

    done = [
        await stores.copies.acknowledge(copy_id, "0xadmin", "", now)
        for copy_id in (copy.copy_id, copy.copy_id, a_copy(2).copy_id, "none")
    ]

    assert [one is not None for one in done] == [True, False, False, False]


async def test_reviews_are_those_of_the_accounts_that_are_asked_for_and_no_more_than_wanted(
    stores: Stores, now: datetime
) -> None:
    copy = await given_up(stores, now)

    assert await stores.copies.reviews([OTHER], 10) == ()
    assert await stores.copies.reviews([ACCOUNT], 0) == ()
    assert [one.copy_id for one in await stores.copies.reviews([OTHER, ACCOUNT], 1)] == [copy.copy_id]


async def test_a_late_fill_wants_a_review_again(stores: Stores, now: datetime) -> None:
    copy = await given_up(stores, now)
    await stores.copies.acknowledge(copy.copy_id, "0xadmin", "", now)
    known = await stores.copies.get(copy.copy_id)
    assert known is not None

    revived = await stores.copies.settle(
        copy.copy_id, known.fence, CopyState.EXECUTED, (), (), (), 10, 5, 1, ExposureChange(now), True, now
    )

    assert revived
    assert [one.copy_id for one in await stores.copies.reviews([ACCOUNT], 10)] == [copy.copy_id]


async def test_a_claimed_copy_keeps_its_review(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    copy = replace(a_copy(3, now=now), needs_review=True)
    await stores.copies.insert([copy])

    assert await stores.copies.acknowledge(copy.copy_id, "0xadmin", "", now) is None
