"""The end of a watch: what was presumed dead and never filled sets its cash free again."""

from datetime import datetime, timedelta
from typing import Any

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.intent import IntentState
from services.common.domain.lifecycle import CopyState
from tests.builders import ACCOUNT
from tests.contract.lifecycle_world import executing

DAY = timedelta(days=1)


async def given_up(stores: Any, now: datetime, until: datetime) -> Copy:
    copy = await executing(stores, now)
    assert await stores.copies.fail(copy.ref, None, "presumed_dead", True, False, None, until, now)
    return await stores.copies.get(copy.copy_id)


async def test_a_watch_that_lasts_is_not_over(stores: Any, now: datetime) -> None:
    await given_up(stores, now, now + DAY)

    assert await stores.copies.unwatched(ACCOUNT, 10) == ()


async def test_a_watch_that_is_over_frees_the_cash_once(stores: Any, now: datetime) -> None:
    copy = await given_up(stores, now, now - DAY)
    (found,) = await stores.copies.unwatched(ACCOUNT, 10)
    change = ExposureChange(now, drop=copy.copy_id)

    assert found == copy
    assert await stores.copies.close_watch(copy.copy_id, copy.fence, change, now)
    assert not await stores.copies.close_watch(copy.copy_id, copy.fence, change, now)

    after = await stores.copies.get(copy.copy_id)
    assert (after.state, after.intent.state, after.fence) == (CopyState.FAILED, IntentState.FINAL, copy.fence + 1)
    assert (await stores.accounts.get(ACCOUNT)).exposure.open == {}
    assert await stores.copies.unwatched(ACCOUNT, 10) == ()
    assert await stores.copies.unsettled(ACCOUNT, 10) == ()
