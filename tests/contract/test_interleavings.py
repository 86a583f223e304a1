"""What snapshot isolation lets two transactions see, provoked step by step on a real mongod."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from services.common.domain.account import Account, AccountState, ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Begun, StoreUnavailable
from services.common.store import copies as store_of_copies
from services.common.store import session
from services.common.store.client import MongoStores
from services.common.store.session import Session
from tests.builders import ACCOUNT, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent
from tests.contract.lifecycle_world import LEASE, S, books, executed, executing, in_state, kept, settled
from tests.controlled import halted, paused
from tests.patience import PATIENT_S


def meanwhile(
    stores: MongoStores, monkeypatch: pytest.MonkeyPatch, name: str, work: Callable[[], Awaitable[Any]]
) -> None:
    """Once, after the store's own `name` has read inside its transaction, others write."""
    original, done = getattr(stores.copies, name), []

    async def interrupted(*args: Any, **kwargs: Any) -> Any:
        found = await original(*args, **kwargs)
        if not done:
            done.append(True)
            await work()
        return found

    monkeypatch.setattr(stores.copies, name, interrupted)


def before(stores: MongoStores, monkeypatch: pytest.MonkeyPatch, name: str, work: Callable[[], Awaitable[Any]]) -> None:
    """Once, when the store is about to do its own `name` inside its transaction, others write."""
    original, done = getattr(stores.copies, name), []

    async def preceded(*args: Any, **kwargs: Any) -> Any:
        if not done:
            done.append(True)
            await work()
        return await original(*args, **kwargs)

    monkeypatch.setattr(stores.copies, name, preceded)


async def line(stores: MongoStores) -> Account:
    found = await stores.accounts.get(ACCOUNT)
    assert found is not None
    return found


async def begin(stores: MongoStores, copy: Copy, now: datetime, seq: int = 0, number: int = 1) -> Begun:
    intent = an_intent(number, now)
    return await stores.copies.begin(copy, seq, intent, a_decision(now), an_exposure(copy, intent, now), (), now)


async def halt(stores: MongoStores, now: datetime) -> None:
    await stores.accounts.change(ACCOUNT, halted(now))


async def pause(stores: MongoStores, now: datetime) -> None:
    await stores.accounts.change(ACCOUNT, paused(now))


@pytest.mark.parametrize("control", [halt, pause])
async def test_a_stop_that_commits_inside_a_resends_transaction_wins(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime, control: Any
) -> None:
    copy = await executing(mongo_stores, now)
    meanwhile(mongo_stores, monkeypatch, "_read", lambda: control(mongo_stores, now))

    assert not await mongo_stores.copies.journal(copy.ref, Attempt(2, now), now)

    assert await kept(mongo_stores, copy) == copy


async def test_a_stop_that_comes_while_an_intent_commits_is_written_after_it(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    copy = await in_state(mongo_stores, CopyState.CLAIMED, now)
    stops: list[asyncio.Task[Any]] = []

    async def stop() -> None:
        stops.append(asyncio.create_task(halt(mongo_stores, now)))
        await asyncio.sleep(0.05)  # the line is this transaction's now: the stop waits for it

    meanwhile(mongo_stores, monkeypatch, "_take_up", stop)

    assert await begin(mongo_stores, copy, now) is Begun.DONE
    async with asyncio.timeout(PATIENT_S):
        await stops[0]

    account = await line(mongo_stores)
    assert (account.state, account.seq) == (AccountState.HALTED, 2)
    assert list(account.exposure.open) == [copy.copy_id]
    assert not await mongo_stores.copies.journal(copy.ref, Attempt(2, now), now)


async def test_a_claim_that_passes_on_inside_a_transaction_takes_its_writes_away(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    copy = await in_state(mongo_stores, CopyState.CLAIMED, now)
    await mongo_stores.copies.renew(copy.ref, timedelta(0))

    async def passed_on() -> None:
        assert await mongo_stores.copies.claim(ACCOUNT, "w2", LEASE, fresh=True) is not None

    before(mongo_stores, monkeypatch, "_take_up", passed_on)

    assert await begin(mongo_stores, copy, now) is Begun.CLAIM_LOST

    assert ((await line(mongo_stores)).seq, (await line(mongo_stores)).exposure.open) == (0, {})
    assert (await kept(mongo_stores, copy)).claimed_by == "w2"


async def test_a_claim_that_passes_on_inside_a_conclusion_takes_it_away(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    copy = await executing(mongo_stores, now)
    await mongo_stores.copies.renew(copy.ref, timedelta(0))
    meanwhile(mongo_stores, monkeypatch, "_read", lambda: mongo_stores.copies.claim(ACCOUNT, "w2", LEASE, fresh=True))

    assert not await mongo_stores.copies.execute(copy.ref, None, 10, 5, 1, ExposureChange(now), now)

    after = await kept(mongo_stores, copy)
    assert (after.state, after.claimed_by, (await line(mongo_stores)).seq) == (S.EXECUTING, "w2", 1)


async def test_a_settlement_inside_a_settlement_is_booked_once(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    copy = await executed(mongo_stores, now)
    inner = books(copy, now, "inner")
    meanwhile(
        mongo_stores,
        monkeypatch,
        "_read",
        lambda: settled(mongo_stores, copy, copy.fence, S.RECONCILED, now, inner),
    )

    assert not await settled(mongo_stores, copy, copy.fence, S.RECONCILED, now, books(copy, now, "outer"))

    assert [line.trade_id for line in await mongo_stores.positions.ledger(ACCOUNT)] == ["inner"]
    assert (await line(mongo_stores)).exposure.held[copy.trade.token_id].shares_micros == 10_000_000


async def test_a_renewal_inside_a_conclusion_holds_nothing_up(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    copy = await executing(mongo_stores, now)
    meanwhile(mongo_stores, monkeypatch, "_read", lambda: mongo_stores.copies.renew(copy.ref, LEASE))

    assert await mongo_stores.copies.execute(copy.ref, None, 10, 5, 1, ExposureChange(now), now)
    assert (await kept(mongo_stores, copy)).state is S.EXECUTED


async def test_a_worker_that_was_frozen_in_its_claim_writes_nothing_over_anothers(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    copy = copy_of(1, now)
    await in_state(mongo_stores, CopyState.DETECTED, now)
    others: list[Copy | None] = []

    async def frozen() -> None:
        async with asyncio.timeout(PATIENT_S):
            while not others or others[-1] is None:
                others.append(await mongo_stores.copies.claim(ACCOUNT, "quick", LEASE, fresh=True))

    meanwhile(mongo_stores, monkeypatch, "_take", frozen)

    slow = await mongo_stores.copies.claim(ACCOUNT, "slow", timedelta(milliseconds=1), fresh=True)

    assert slow is not None
    assert await begin(mongo_stores, slow, now) is Begun.CLAIM_LOST
    assert not await mongo_stores.copies.release(slow.ref, LEASE, now)
    after = await kept(mongo_stores, copy)
    assert (after.claimed_by, after.fence) == ("quick", 2)


async def test_a_process_that_dies_inside_a_transaction_holds_the_account_for_seconds_only(
    mongo_stores: MongoStores, now: datetime
) -> None:
    copy = await in_state(mongo_stores, CopyState.CLAIMED, now)
    async with await mongo_stores.database.client.start_session() as dead:
        dead.start_transaction()
        held = await mongo_stores.database["accounts"].update_one({"_id": ACCOUNT}, {"$inc": {"seq": 1}}, session=dead)
        assert held.matched_count == 1

        with pytest.raises(StoreUnavailable):
            await begin(mongo_stores, copy, now)
        async with asyncio.timeout(PATIENT_S):
            while True:
                try:
                    await halt(mongo_stores, now)
                    break
                except StoreUnavailable:
                    continue

    account = await line(mongo_stores)
    assert (account.state, account.seq) == (AccountState.HALTED, 1)
    assert await begin(mongo_stores, copy, now) is Begun.ACCOUNT_MOVED


class Killed(BaseException):
    """A process that goes no further."""


@pytest.mark.parametrize("stands", [True, False], ids=["it stands", "it was never made"])
async def test_an_intent_whose_process_is_killed_while_it_commits_is_adopted_or_made_by_the_next(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime, stands: bool
) -> None:
    await mongo_stores.accounts.create(an_account())
    await mongo_stores.copies.insert([a_copy(1, now=now)])
    copy = await mongo_stores.copies.claim(ACCOUNT, "killed", LEASE, fresh=True)
    assert copy is not None

    async def killed(dying: Session, _: Callable[[], None]) -> None:
        if stands:
            await dying.commit_transaction()
        else:
            # What the server does with a transaction of which it hears nothing more, only sooner.
            await dying.client.admin.command("killSessions", [dying.session_id])
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(session, "_commit", killed)
        await begin(mongo_stores, copy, now)
    await mongo_stores.copies.renew(copy.ref, timedelta(0))

    assert (await line(mongo_stores)).seq == int(stands)
    looked_up = await mongo_stores.copies.claim(ACCOUNT, "next", LEASE, fresh=False)
    assert (looked_up and looked_up.order_hashes) == ((an_intent(1, now).order_hash,) if stands else None)
    new = await mongo_stores.copies.claim(ACCOUNT, "next", LEASE, fresh=True)
    assert (new is None) == stands
    assert new is None or await begin(mongo_stores, new, now, number=2) is Begun.DONE
    assert ((await line(mongo_stores)).seq, len((await kept(mongo_stores, copy)).intents)) == (1, 1)


@pytest.mark.parametrize("stands", [True, False], ids=["it stands", "it was never made"])
async def test_an_intent_whose_commit_was_not_answered_is_one_when_it_is_asked_for_again(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime, stands: bool
) -> None:
    copy = await in_state(mongo_stores, CopyState.CLAIMED, now)

    async def unanswered(asking: Session, _: Callable[[], None]) -> None:
        await (asking.commit_transaction() if stands else asking.abort_transaction())
        raise AutoReconnect("no answer")

    with monkeypatch.context() as patch, pytest.raises(StoreUnavailable):
        patch.setattr(session, "_commit", unanswered)
        await begin(mongo_stores, copy, now)

    assert bool((await kept(mongo_stores, copy)).order_hashes) is stands
    assert await begin(mongo_stores, copy, now) is Begun.DONE
    assert ((await line(mongo_stores)).seq, len((await kept(mongo_stores, copy)).intents)) == (1, 1)


async def test_whoever_is_told_of_a_commit_is_told_once_and_the_commit_goes_on(
    mongo_stores: MongoStores, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    passed: list[str] = []
    monkeypatch.setattr(store_of_copies, "crashpoint", passed.append)
    copy = await in_state(mongo_stores, CopyState.CLAIMED, now)

    assert await begin(mongo_stores, copy, now) is Begun.DONE

    assert passed == ["mid_intent"]


def copy_of(number: int, now: datetime) -> Copy:
    return a_copy(number, now=now) if number == 1 else a_copy(number, now=now, trade=a_trade(number, token_id="2"))
