"""Many at once on one thing: exactly one of them gets it, and the others are told."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.common.domain.account import AccountState, ExposureChange, PauseScope
from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Begun, Stores
from tests.builders import ACCOUNT, LEADER, a_copy, a_decision, a_trade, an_account, an_exposure, an_intent
from tests.contract.lifecycle_world import LEASE, S, books, executed, executing, in_state, kept, settled
from tests.controlled import brought_to, halted, limited, paused, started

MANY = 20


def entries(count: int, now: datetime) -> list[Copy]:
    """Entries of as many tokens, so that none waits for another."""
    return [a_copy(n, now=now, trade=a_trade(n, token_id=str(n))) for n in range(1, count + 1)]


async def all_claimed(stores: Stores, count: int, now: datetime) -> list[Copy]:
    await stores.accounts.create(an_account())
    await stores.copies.insert(entries(count, now))
    found = [await stores.copies.claim(ACCOUNT, f"w{n}", LEASE, fresh=True) for n in range(count)]
    return [copy for copy in found if copy is not None]


async def test_of_many_claims_of_one_copy_one_succeeds(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(1, now=now)])

    taken = await asyncio.gather(*(stores.copies.claim(ACCOUNT, f"w{n}", LEASE, fresh=True) for n in range(MANY)))

    (winner,) = [(f"w{n}", copy) for n, copy in enumerate(taken) if copy is not None]
    assert (winner[1].claimed_by, winner[1].fence) == (winner[0], 1)
    assert await kept(stores, winner[1]) == winner[1]


async def test_many_claims_of_as_many_copies_share_them_out(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    await stores.copies.insert(entries(MANY, now))

    taken = await asyncio.gather(*(stores.copies.claim(ACCOUNT, f"w{n}", LEASE, fresh=True) for n in range(MANY + 4)))

    ids = [copy.copy_id for copy in taken if copy is not None]
    assert sorted(ids) == sorted(copy.copy_id for copy in entries(MANY, now))


async def test_of_many_claims_of_one_token_the_first_of_the_chain_is_decided_first(
    stores: Stores, now: datetime
) -> None:
    await stores.accounts.create(an_account())
    await stores.copies.insert([a_copy(n, now=now) for n in (3, 1, 2)])

    taken = await asyncio.gather(*(stores.copies.claim(ACCOUNT, f"w{n}", LEASE, fresh=True) for n in range(6)))

    assert [copy.copy_id for copy in taken if copy is not None] == [a_copy(1).copy_id]


async def test_of_many_decisions_on_one_line_one_commits_and_the_others_are_told(stores: Stores, now: datetime) -> None:
    copies = await all_claimed(stores, MANY, now)

    async def begin(number: int, copy: Copy) -> Begun:
        intent = an_intent(number, now)
        return await stores.copies.begin(copy, 0, intent, a_decision(now), an_exposure(copy, intent, now), (), now)

    outcomes = await asyncio.gather(*(begin(number, copy) for number, copy in enumerate(copies)))

    assert sorted(outcomes) == sorted([Begun.DONE] + [Begun.ACCOUNT_MOVED] * (MANY - 1))
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert (account.seq, len(account.exposure.open)) == (1, 1)
    states = await stores.copies.counts([ACCOUNT])
    assert {state: count for (_, state, _), count in states.items()} == {S.EXECUTING: 1, S.CLAIMED: MANY - 1}


async def test_many_decisions_that_look_again_all_commit_on_lines_of_their_own(stores: Stores, now: datetime) -> None:
    copies = await all_claimed(stores, 8, now)

    async def decide(number: int, copy: Copy) -> None:
        intent = an_intent(number, now)
        change = an_exposure(copy, intent, now)
        while True:
            account = await stores.accounts.get(ACCOUNT)
            assert account is not None
            if await stores.copies.begin(copy, account.seq, intent, a_decision(now), change, (), now) is Begun.DONE:
                return

    await asyncio.gather(*(decide(number, copy) for number, copy in enumerate(copies)))

    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert (account.seq, len(account.exposure.open)) == (8, 8)
    assert account.exposure.day(now).spent_micros == 8 * an_intent(1, now).usdc_micros


async def test_many_repeats_of_one_decision_make_one_order(stores: Stores, now: datetime) -> None:
    copy = await in_state(stores, CopyState.CLAIMED, now)
    intent = an_intent(1, now)
    change = an_exposure(copy, intent, now)

    outcomes = await asyncio.gather(
        *(stores.copies.begin(copy, 0, intent, a_decision(now), change, (), now) for _ in range(8))
    )

    assert Begun.DONE in outcomes
    assert set(outcomes) <= {Begun.DONE, Begun.ACCOUNT_MOVED}
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert (account.seq, account.exposure.day(now).spent_micros) == (1, intent.usdc_micros)


async def test_two_workers_that_insert_the_same_trades_make_each_copy_once(stores: Stores, now: datetime) -> None:
    made = entries(MANY, now)

    done = await asyncio.gather(
        stores.copies.insert(made), stores.copies.insert(made[::-1]), stores.copies.insert(made[5:])
    )

    told = [copy_id for inserted in done for copy_id in inserted]
    assert sorted(told) == sorted(copy.copy_id for copy in made)
    assert (await stores.copies.page([ACCOUNT], 100, 0)).total == MANY


@pytest.mark.parametrize("how", ["halt", "reduce", "pause", "pause of a leader", "limits", "version"])
async def test_what_control_writes_between_snapshot_and_intent_stops_the_intent(
    stores: Stores, now: datetime, how: str
) -> None:
    copy = await in_state(stores, CopyState.CLAIMED, now)
    snapshot = await stores.accounts.get(ACCOUNT)
    assert snapshot is not None
    intent = an_intent(1, now)
    change = an_exposure(copy, intent, now)

    if how == "halt":
        await stores.accounts.change(ACCOUNT, halted(now))
    elif how == "reduce":
        await stores.accounts.change(ACCOUNT, brought_to(AccountState.REDUCING, now))
    elif how == "pause":
        await stores.accounts.change(ACCOUNT, paused(now))
    elif how == "pause of a leader":
        await stores.accounts.change(ACCOUNT, paused(now, PauseScope.LEADER, LEADER))
    elif how == "limits":
        await stores.accounts.change(ACCOUNT, limited(now, {"max_order_micros": 1}))
    else:
        await stores.accounts.change(ACCOUNT, started(now, "2"))

    begun = await stores.copies.begin(copy, snapshot.seq, intent, a_decision(now), change, (), now)

    assert begun is Begun.ACCOUNT_MOVED
    assert await kept(stores, copy) == copy
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    # A start says that the best is to be forgotten, which is no risk.
    assert (account.seq, replace(account.exposure, forgets_best=False)) == (1, snapshot.exposure)


async def test_a_stop_among_many_decisions_has_none_after_it(stores: Stores, now: datetime) -> None:
    copies = await all_claimed(stores, 8, now)

    async def decide(number: int, copy: Copy) -> bool:
        intent = an_intent(number, now)
        change = an_exposure(copy, intent, now)
        while True:
            account = await stores.accounts.get(ACCOUNT)
            assert account is not None
            if account.state is AccountState.HALTED:
                return False
            begun = await stores.copies.begin(copy, account.seq, intent, a_decision(now), change, (), now)
            if begun is Begun.DONE:
                return True

    async def stop() -> int:
        after = await stores.accounts.change(ACCOUNT, halted(now))
        assert after is not None
        return after.seq

    stopped_at, *decided = await asyncio.gather(
        stop(), *(decide(number, copy) for number, copy in enumerate(copies)), return_exceptions=False
    )

    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert account.seq == stopped_at == 1 + sum(decided)
    assert len(account.exposure.open) == sum(decided)


async def test_of_many_conclusions_of_one_order_one_is_written(stores: Stores, now: datetime) -> None:
    copy = await executing(stores, now)
    gone = ExposureChange(now, drop=copy.copy_id, lost_micros=1)

    done = await asyncio.gather(
        *(stores.copies.execute(copy.ref, None, 10, 5, 1, ExposureChange(now, lost_micros=1), now) for _ in range(4)),
        *(stores.copies.fail(copy.ref, None, "rejected", False, True, gone, None, now) for _ in range(4)),
    )

    assert sum(done) == 1
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert (account.seq, account.exposure.day(now).lost_micros) == (2, 1)


async def test_many_orders_of_one_account_that_match_at_once_are_all_written(stores: Stores, now: datetime) -> None:
    trades = [a_trade(n, token_id=str(n)) for n in range(1, MANY + 1)]
    copies = [await executing(stores, now, n, trade=trade) for n, trade in enumerate(trades, 1)]

    done = await asyncio.gather(
        *(
            stores.copies.execute(
                copy.ref, Attempt(1, now, Outcome.ACKED), 10, 5, 1, ExposureChange(now, lost_micros=1), now
            )
            for copy in copies
        )
    )

    assert all(done)
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert (account.seq, account.exposure.day(now).lost_micros) == (2 * MANY, MANY)


async def test_of_many_settlements_of_one_copy_one_is_booked(stores: Stores, now: datetime) -> None:
    copy = await executed(stores, now)

    done = await asyncio.gather(
        *(settled(stores, copy, copy.fence, S.RECONCILED, now, books(copy, now, f"t{n}")) for n in range(8))
    )

    assert sorted(done) == [False] * 7 + [True]
    assert len(await stores.positions.ledger(ACCOUNT)) == 1
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert sum(holding.shares_micros for holding in account.exposure.held.values()) == 10_000_000


async def test_a_conclusion_and_the_loss_of_its_lease_leave_one_owner(stores: Stores, now: datetime) -> None:
    copy = await executing(stores, now)
    await stores.copies.renew(copy.ref, timedelta(0))

    executed_it, taken = await asyncio.gather(
        stores.copies.execute(copy.ref, None, 10, 5, 1, ExposureChange(now), now),
        stores.copies.claim(ACCOUNT, "w2", LEASE, fresh=True),
    )

    after = await kept(stores, copy)
    assert after.state is (S.EXECUTED if executed_it else S.EXECUTING)
    if taken is not None:
        assert (executed_it, after.fence) == (False, copy.fence + 1)
