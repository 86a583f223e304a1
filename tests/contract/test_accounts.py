"""An account's line: every control change advances it, by compare-and-set, and exposure moves beside it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.common.domain.account import (
    Account,
    AccountState,
    Day,
    ExposureChange,
    Holding,
    Limits,
    Pause,
    PauseScope,
)
from services.common.domain.exposure import applied
from services.common.ports.stores import Stores
from tests.builders import ACCOUNT, CONDITION, LEADER, TOKEN, a_copy, an_account, an_exposure, an_intent
from tests.controlled import OfAccount, brought_to, limited, paused, resumed, started

NOBODY = "0x" + "f" * 40

CONTROLS: dict[str, Callable[[datetime], OfAccount]] = {
    "version": lambda now: started(now, "2.0"),
    "state": lambda now: brought_to(AccountState.REDUCING, now),
    "pause": lambda now: paused(now, PauseScope.LEADER, LEADER),
    "resume": resumed,
    "limits": lambda now: limited(now, {"max_order_micros": 1}),
}


def held(shares: int, cost: int, token: str = TOKEN) -> Holding:
    return Holding(token, CONDITION, "7", shares, cost)


async def line(stores: Stores, account_id: str = ACCOUNT) -> Account:
    found = await stores.accounts.get(account_id)
    assert found is not None
    return found


async def test_an_account_is_created_once_and_kept_as_it_was_given(stores: Stores) -> None:
    account = an_account(limits=Limits(max_order_micros=5), state=AccountState.HALTED)

    assert await stores.accounts.create(account)
    assert not await stores.accounts.create(account)
    assert not await stores.accounts.create(an_account())
    assert await line(stores) == account


async def test_accounts_are_listed_by_their_ids(stores: Stores) -> None:
    for letter in "cab":
        await stores.accounts.create(an_account("0x" + letter * 40))

    assert [account.account_id[2] for account in await stores.accounts.all()] == ["a", "b", "c"]
    assert await stores.accounts.get(NOBODY) is None


@pytest.mark.parametrize("name", CONTROLS)
async def test_a_control_change_advances_the_line_and_leaves_an_entry(stores: Stores, now: datetime, name: str) -> None:
    await stores.accounts.create(an_account())

    after = await stores.accounts.change(ACCOUNT, CONTROLS[name](now))

    assert after == await line(stores)
    assert (after.seq, len(after.trail)) == (1, 1)
    assert (after.trail[0].seq, after.trail[0].at, after.trail[0].fence) == (1, now, 1)


@pytest.mark.parametrize("name", CONTROLS)
async def test_control_of_an_unknown_account_changes_nothing(stores: Stores, now: datetime, name: str) -> None:
    assert await stores.accounts.change(NOBODY, CONTROLS[name](now)) is None
    assert await stores.accounts.all() == ()


async def test_each_control_change_does_what_it_says(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    for control in CONTROLS.values():
        await stores.accounts.change(ACCOUNT, control(now))

    account = await line(stores)

    assert account.state is AccountState.REDUCING
    assert account.pauses == (Pause(PauseScope.LEADER, LEADER, "ops", now),)
    assert (account.limits, account.limits_version) == (Limits(max_order_micros=1), 2)
    assert account.active_version == "2.0"
    assert [entry.previous for entry in account.trail[1:]] == [entry.digest for entry in account.trail[:-1]]


async def test_a_pause_of_one_subject_is_one_pause_and_ends_alone(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    for by in ("one", "two"):
        await stores.accounts.change(ACCOUNT, paused(now, PauseScope.MARKET, CONDITION, by))
    await stores.accounts.change(ACCOUNT, paused(now))

    after = await stores.accounts.change(ACCOUNT, resumed(now))

    assert after is not None
    assert [(pause.scope, pause.by) for pause in after.pauses] == [(PauseScope.MARKET, "two")]
    assert after.seq == 4


async def test_limits_are_changed_on_the_version_that_was_read(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())

    done = await asyncio.gather(
        *(stores.accounts.change(ACCOUNT, limited(now, {"max_order_micros": number})) for number in range(1, 9))
    )

    (winner,) = [account for account in done if account is not None]
    assert await line(stores) == winner
    assert (winner.limits_version, winner.seq) == (2, 1)


async def test_control_changes_in_a_race_are_all_kept(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())

    await asyncio.gather(
        *(stores.accounts.change(ACCOUNT, paused(now, PauseScope.MARKET, f"market {n}")) for n in range(8)),
        *(stores.accounts.apply(ACCOUNT, ExposureChange(now, spent_micros=1, spent_on=LEADER)) for _ in range(8)),
    )

    account = await line(stores)
    assert {pause.subject for pause in account.pauses} == {f"market {n}" for n in range(8)}
    assert (account.seq, account.exposure.day(now).spent_micros) == (16, 8)


async def test_exposure_moves_as_the_domain_says(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    first, second = a_copy(1, now=now), a_copy(2, now=now)
    changes = [
        an_exposure(first, an_intent(1, now), now),
        an_exposure(second, an_intent(2, now), now),
        ExposureChange(now, drop=first.copy_id, held=held(10_000_000, 5_000_000)),
        ExposureChange(now, held=held(-4_000_000, -2_000_000), lost_micros=7, high_water_micros=900),
        ExposureChange(now + timedelta(days=1), lost_micros=-3, high_water_micros=100),
        ExposureChange(now + timedelta(days=1), opening_micros=-4),
        ExposureChange(now + timedelta(days=1), lost_micros=-3),
        ExposureChange(now, drop="none such"),
    ]
    expected = an_account().exposure

    for change in changes:
        assert await stores.accounts.apply(ACCOUNT, change)
        expected = applied(expected, change)

    account = await line(stores)
    assert account.exposure == expected
    assert account.seq == len(changes)
    assert account.trail == ()


async def test_after_a_start_the_best_is_what_is_noted_next_and_nothing_else_moves(
    stores: Stores, now: datetime
) -> None:
    await stores.accounts.create(an_account())
    await stores.accounts.apply(
        ACCOUNT,
        ExposureChange(now, held=held(10, 5), lost_micros=7, spent_micros=3, spent_on=LEADER, high_water_micros=900),
    )
    before = await line(stores)
    await stores.accounts.change(ACCOUNT, resumed(now))
    assert (await line(stores)).exposure == before.exposure

    after = await stores.accounts.change(ACCOUNT, started(now, "2.0"))

    assert after == await line(stores)
    assert after.exposure == replace(before.exposure, forgets_best=True)
    bests = [await best_with(stores, ExposureChange(now, high_water_micros=noted)) for noted in (0, 40, 30, 50)]
    assert bests == [900, 40, 40, 50]
    assert (await line(stores)).exposure == replace(before.exposure, high_water_micros=50)


async def best_with(stores: Stores, change: ExposureChange) -> int:
    """The account's best once this has moved it."""
    await stores.accounts.apply(ACCOUNT, change)
    return (await line(stores)).exposure.high_water_micros


async def test_a_new_best_comes_with_whatever_else_moves(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    await stores.accounts.apply(ACCOUNT, ExposureChange(now, held=held(10, 7), high_water_micros=900))
    await stores.accounts.change(ACCOUNT, started(now, "2.0"))

    await stores.accounts.apply(ACCOUNT, ExposureChange(now, held=held(-10, -6), high_water_micros=40, lost_micros=1))

    exposure = (await line(stores)).exposure
    assert (exposure.held, exposure.high_water_micros, exposure.day(now).lost_micros) == ({}, 40, 1)


async def test_a_holding_that_reaches_zero_shares_is_unset_with_what_is_left_of_its_cost(
    stores: Stores, now: datetime
) -> None:
    await stores.accounts.create(an_account())
    for change in (held(10, 7), held(-10, -6)):
        await stores.accounts.apply(ACCOUNT, ExposureChange(now, held=change))
    assert (await line(stores)).exposure.held == {}

    await stores.accounts.apply(ACCOUNT, ExposureChange(now, held=held(5, 3)))

    assert (await line(stores)).exposure.held == {TOKEN: held(5, 3)}


async def test_an_open_intent_is_replaced_where_it_is_put_again(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    change = an_exposure(a_copy(1, now=now), an_intent(1, now), now)
    assert change.put is not None
    matched = replace(change.put, matched=True, shares_micros=1)

    await stores.accounts.apply(ACCOUNT, change)
    await stores.accounts.apply(ACCOUNT, ExposureChange(now, put=matched, drop=matched.copy_id))

    assert (await line(stores)).exposure.open == {matched.copy_id: matched}


async def test_the_day_of_an_amount_is_its_own_utc_day(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    last = now.replace(hour=23, minute=59, second=59, microsecond=999_000)
    for at in (last, last + timedelta(milliseconds=1)):
        await stores.accounts.apply(ACCOUNT, ExposureChange(at, spent_micros=5, spent_on=LEADER))

    exposure = (await line(stores)).exposure

    assert len(exposure.days) == 2
    assert exposure.day(last).spent_micros == exposure.day(last + timedelta(milliseconds=1)).spent_micros == 5
    assert exposure.day(last).leaders == {LEADER: 5}


async def test_a_days_opening_is_written_once_and_moves_nothing_else(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    await stores.accounts.apply(ACCOUNT, ExposureChange(now, lost_micros=7, spent_micros=3, spent_on=LEADER))

    first = await stores.accounts.apply(ACCOUNT, ExposureChange(now, opening_micros=-9))
    await stores.accounts.apply(ACCOUNT, ExposureChange(now, lost_micros=1))
    second = await stores.accounts.apply(ACCOUNT, ExposureChange(now, opening_micros=5))
    tomorrow = await stores.accounts.apply(ACCOUNT, ExposureChange(now + timedelta(days=1), opening_micros=0))

    account = await line(stores)
    assert (first, second, tomorrow, account.seq) == (True, False, True, 4)
    assert account.exposure.day(now) == Day(3, {LEADER: 3}, 8, -9)
    assert account.exposure.day(now + timedelta(days=1)) == Day(opening_micros=0)


async def test_of_openings_in_a_race_one_is_kept(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())

    done = await asyncio.gather(
        *(stores.accounts.apply(ACCOUNT, ExposureChange(now, opening_micros=number)) for number in range(8))
    )

    account = await line(stores)
    assert done.count(True) == 1
    assert (account.exposure.day(now).opening_micros, account.seq) == (done.index(True), 1)


async def test_a_start_leaves_the_days_opening_as_it_is(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    await stores.accounts.apply(ACCOUNT, ExposureChange(now, opening_micros=9))

    await stores.accounts.change(ACCOUNT, started(now, "2.0"))

    assert (await line(stores)).exposure.day(now).opening_micros == 9


async def test_exposure_of_an_unknown_account_is_not_moved(stores: Stores, now: datetime) -> None:
    for change in (ExposureChange(now, lost_micros=1), ExposureChange(now, opening_micros=1)):
        assert not await stores.accounts.apply(NOBODY, change)
    assert await stores.accounts.get(NOBODY) is None
