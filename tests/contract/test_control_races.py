"""Control against work in a race: after a stop, a pause or another version, nothing is journaled that it forbids (orders.md 4)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from services.common.domain import control
from services.common.domain.account import Account, AccountState, Pause, PauseScope
from services.common.domain.control import Standing
from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Begun, Stores
from services.common.store.memory import MemoryStores
from tests.builders import ACCOUNT, CONDITION, LEADER, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent
from tests.contract.lifecycle_world import LEASE, executing

OLD, NEW = "1", "2"
RACES_IN_MEMORY, RACES_ON_MONGO = 1_000, 40

Control = Callable[[Account], Account]


def stopped(now: datetime) -> Control:
    return lambda account: control.in_state(account, AccountState.HALTED, "ops", now)


def upgraded(now: datetime) -> Control:
    return lambda account: control.started(account, NEW, "ops", now)


CONTROLS: dict[str, Callable[[datetime], Control]] = {
    "stop": stopped,
    "another version": upgraded,
    "reducing": lambda now: lambda account: control.in_state(account, AccountState.REDUCING, "ops", now),
    "pause": lambda now: lambda account: control.paused(account, Pause(PauseScope.ALL, "", "ops", now)),
    "pause of the leader": lambda now: lambda a: control.paused(a, Pause(PauseScope.LEADER, LEADER, "ops", now)),
    "pause of the market": lambda now: lambda a: control.paused(a, Pause(PauseScope.MARKET, CONDITION, "ops", now)),
}


async def claimed(stores: Stores, count: int, now: datetime) -> list[Copy]:
    """Entries of as many tokens, each in the hands of a worker of the old version."""
    await stores.accounts.create(an_account(active_version=OLD))
    await stores.copies.insert([a_copy(n, now=now, trade=a_trade(n, token_id=str(n))) for n in range(1, count + 1)])
    found = [await stores.copies.claim(ACCOUNT, f"w{n}", LEASE, fresh=True) for n in range(count)]
    return [copy for copy in found if copy is not None]


async def decide(stores: Stores, number: int, copy: Copy, now: datetime, pause: Callable[[], Awaitable[None]]) -> None:
    """What an engine does: judge the account that it has read, then journal on that very line; again while it has moved."""
    intent = an_intent(number, now)
    while True:
        account = await stores.accounts.get(ACCOUNT)
        assert account is not None
        if not control.admits(account, Standing(OLD, LEADER, CONDITION, entry=True)):
            return
        await pause()
        change = an_exposure(copy, intent, now)
        if await stores.copies.begin(copy, account.seq, intent, a_decision(now), change, (), now) is Begun.DONE:
            return


async def one_race(stores: Stores, wanted: Control, orders: int, now: datetime, seed: int) -> None:
    """Orders are journaled while control comes somewhere between them."""
    copies, dice = await claimed(stores, orders, now), random.Random(seed)

    async def wait() -> None:
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)

    async def steer() -> Account | None:
        for _ in range(dice.randrange(20)):
            await asyncio.sleep(0)
        return await stores.accounts.change(ACCOUNT, wanted)

    after, *_ = await asyncio.gather(steer(), *(decide(stores, n, copy, now, wait) for n, copy in enumerate(copies)))
    account = await stores.accounts.get(ACCOUNT)

    assert after is not None
    assert account is not None
    # Every intent advances the line: none was begun behind the change.
    assert account.seq == after.seq
    assert len(account.exposure.open) == after.seq - 1


async def emptied(stores: Stores) -> None:
    for name in ("accounts", "user_activities"):
        await stores.database[name].delete_many({})  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CONTROLS)
async def test_no_order_is_journaled_behind_control_in_a_thousand_races(name: str, now: datetime) -> None:
    for seed in range(RACES_IN_MEMORY // len(CONTROLS)):
        await one_race(MemoryStores(lambda: now), CONTROLS[name](now), 3, now, seed)


@pytest.mark.parametrize("name", ["stop", "another version"])
async def test_no_order_is_journaled_behind_control_on_a_real_database(
    mongo_stores: Stores, name: str, now: datetime
) -> None:
    for seed in range(RACES_ON_MONGO):
        await one_race(mongo_stores, CONTROLS[name](now), 4, now, seed)
        await emptied(mongo_stores)


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
async def test_a_thousand_stops_on_a_real_database_each_end_the_journal(mongo_stores: Stores, now: datetime) -> None:
    for seed in range(1_000):
        await one_race(mongo_stores, stopped(now), 4, now, seed)
        await emptied(mongo_stores)


@pytest.mark.parametrize("name", CONTROLS)
async def test_what_is_sent_again_is_held_to_control_too(stores: Stores, now: datetime, name: str) -> None:
    copy = await executing(stores, now)
    standing = Standing(OLD, LEADER, CONDITION, entry=True)
    assert await stores.copies.journal(copy.ref, Attempt(2, now), now, standing)

    before = await stores.accounts.change(ACCOUNT, CONTROLS[name](now))

    assert not await stores.copies.journal(copy.ref, Attempt(3, now), now, standing)
    account = await stores.accounts.get(ACCOUNT)
    assert account == before


async def test_a_sale_is_sent_again_while_the_account_is_reducing(stores: Stores, now: datetime) -> None:
    copy = await executing(stores, now)
    await stores.accounts.change(ACCOUNT, CONTROLS["reducing"](now))

    assert await stores.copies.journal(copy.ref, Attempt(2, now), now, Standing(OLD, LEADER, CONDITION, entry=False))


async def test_resends_and_a_new_version_in_a_race_leave_nothing_of_the_old_one_behind_it(
    stores: Stores, now: datetime
) -> None:
    copy = await executing(stores, now)
    standing = Standing(OLD, LEADER, CONDITION, entry=True)

    after, *sent = await asyncio.gather(
        stores.accounts.change(ACCOUNT, upgraded(now)),
        *(stores.copies.journal(copy.ref, Attempt(2 + n, now), now, standing) for n in range(6)),
    )

    account, kept = await stores.accounts.get(ACCOUNT), await stores.copies.get(copy.copy_id)
    assert after is not None
    assert account is not None
    assert account.seq == after.seq
    assert kept is not None
    assert kept.state is CopyState.EXECUTING
    assert kept.intent is not None
    assert len(kept.intent.attempts) == 1 + sum(bool(one) for one in sent)
