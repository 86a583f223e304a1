"""Engines in several processes that want the same: no limit is ever passed, and an engine whose version is over journals nothing."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.cli.child import Child, start
from services.common.domain.account import Account, Limits
from services.common.domain.copy import Copy
from services.common.domain.fill import ReconciliationResult
from services.common.domain.follow import Policy
from services.common.domain.lifecycle import CopyState
from services.common.store.client import MongoStores
from tests.builders import a_copy, a_follow, a_trade, an_account
from tests.contender import condition, signer
from tests.controlled import started
from tests.mesh import SHARE, eventually

PROCESSES = 4
COPIES = 50
RACES = 3
COPIES_OF_RACE = 25
SHARES = 10 * SHARE
CAP = 38_765_433
"""Seven orders of ten shares at half a dollar with all that they may cost, and something that is of no use to any order."""

WIDE = Limits(
    max_trade_age_ms=600_000,
    intent_lifetime_ms=100_000,
    max_order_micros=10**12,
    max_market_micros=10**12,
    max_event_micros=10**12,
    max_leader_day_micros=10**12,
    max_daily_spend_micros=10**12,
    max_in_flight_account=1_000,
    max_exposure_bps=10_000,
    max_orders_per_second=10_000,
    max_orders_per_minute=100_000,
)
CAPPED = {
    "daily_spend": replace(WIDE, max_daily_spend_micros=CAP),
    "leader_day": replace(WIDE, max_leader_day_micros=CAP),
    "event_exposure": replace(WIDE, max_event_micros=CAP),
    "in_flight": replace(WIDE, max_in_flight_account=7),
    "message_rate": replace(WIDE, max_orders_per_minute=7),
    "repetition": replace(WIDE, max_repetitions=7),
}
ROUNDS = [1, *(pytest.param(number, marks=pytest.mark.nightly) for number in range(2, 26))]
OPEN = frozenset({CopyState.DETECTED, CopyState.CLAIMED, CopyState.EXECUTING})


async def account(stores: MongoStores, name: str, limits: Limits) -> str:
    """An account that follows one leader, whom the reconciler has just compared."""
    wallet = signer(name).address
    known, now = wallet.lower(), datetime.now(UTC)
    made = an_account(known, wallet=wallet, signer=wallet, owner=known, limits=limits, active_version="1")
    await stores.accounts.create(made)
    await stores.follows.create(a_follow(known, policy=Policy(ratio_bps=10_000)))
    soon = now + timedelta(seconds=90)  # after the engines have begun, whenever that is
    await stores.results.add(ReconciliationResult(f"r {known}", known, soon, soon, 0, (), 0, True))
    return known


async def trades(stores: MongoStores, known: str, many: int = COPIES, *, apart: bool = True) -> None:
    """The leader buys so often, each time in another market, or always in one."""
    now = datetime.now(UTC)

    def copy(number: int) -> Copy:
        token = str(number if apart else 1)
        trade = a_trade(
            number,
            token_id=token,
            condition_id=condition(token),
            shares_micros=SHARES,
            usdc_micros=SHARES // 2,
            traded_at=now,
        )
        return a_copy(number, account=known, trade=trade, policy=Policy(ratio_bps=10_000), now=now)

    await stores.copies.insert([copy(number) for number in range(1, many + 1)])


@asynccontextmanager
async def engines(
    uri: str, stores: MongoStores, names: list[str], versions: list[str], folder: Path
) -> AsyncIterator[None]:
    """As many engine processes as there are versions, all of them at work on all these accounts."""
    children: list[Child] = []
    try:
        for number, version in enumerate(versions):
            name = f"engine-{number}"
            command = [
                sys.executable,
                "-m",
                "tests.contender",
                uri,
                stores.database.name,
                name,
                version,
                ",".join(names),
            ]
            children.append(await start(name, command, folder / f"{name}.log"))
        await eventually(lambda: _ready(children))
        yield
    finally:
        await asyncio.gather(*(child.kill() for child in children))


async def _ready(children: list[Child]) -> bool:
    for child in children:
        child.check()
    return all("ready" in child.log.read_text() for child in children)


async def ended(stores: MongoStores, known: str) -> tuple[Copy, ...]:
    """The account's copies once none is under way."""

    async def found() -> tuple[Copy, ...] | None:
        copies = (await stores.copies.page([known], 10 * COPIES, 0)).items
        return None if any(copy.state in OPEN for copy in copies) else tuple(copies)

    return await eventually(found, 120)


async def stored(stores: MongoStores, known: str) -> Account:
    found = await stores.accounts.get(known)
    assert found is not None
    return found


@pytest.mark.parametrize("number", ROUNDS)
async def test_fifty_copies_for_one_limit_in_four_processes_never_pass_it(
    new_stores: MongoStores, mongo_uri: str, tmp_path: Path, number: int
):
    known = {name: await account(new_stores, f"{name} {number}", limits) for name, limits in CAPPED.items()}
    names = [f"{name} {number}" for name in CAPPED]
    async with engines(mongo_uri, new_stores, names, ["1"] * PROCESSES, tmp_path):
        await asyncio.gather(*(trades(new_stores, one, apart=name != "repetition") for name, one in known.items()))
        copies = {name: await ended(new_stores, one) for name, one in known.items()}

    for name, limits in CAPPED.items():
        taken = [copy for copy in copies[name] if copy.state is CopyState.EXECUTED]
        refused = {copy.skip_reason for copy in copies[name] if copy.state is CopyState.SKIPPED}
        exposure = (await stored(new_stores, known[name])).exposure
        spent = sum(copy.intents[-1].usdc_micros for copy in taken)
        messages = sum(len(intent.attempts) for copy in copies[name] for intent in copy.intents)

        assert (refused, len(copies[name])) == ({name}, COPIES)
        # On a busy machine an order may have to be sent again, which leaves room for one order less in the minute.
        assert len(taken) == 7 or (name == "message_rate" and len(taken) < 7 <= messages)
        assert len(exposure.open) == len(taken)
        assert sum(day.spent_micros for day in exposure.days.values()) == spent
        assert spent <= min(limits.max_daily_spend_micros, limits.max_leader_day_micros, limits.max_event_micros)
    # One process may have had all of one account, not of all.
    assert len({copy.claimed_by for found in copies.values() for copy in found}) > 1


@pytest.mark.parametrize("number", ROUNDS)
async def test_an_old_engine_journals_nothing_once_another_version_is_started(
    new_stores: MongoStores, mongo_uri: str, tmp_path: Path, number: int
):
    names = [f"version {number} {race}" for race in range(RACES)]
    known = [await account(new_stores, name, WIDE) for name in names]
    async with engines(mongo_uri, new_stores, names, ["1", "1", "2", "2"], tmp_path):
        changed = await asyncio.gather(*(_replaced(new_stores, one, race) for race, one in enumerate(known)))
        copies = [await ended(new_stores, one) for one in known]

    for replaced_at, found in zip(changed, copies, strict=True):
        # Of a copy that had to have another order the decision of the last is kept.
        orders = [
            (copy.intent.engine_version, copy.decision.account_seq) for copy in found if copy.intent and copy.decision
        ]
        assert len(orders) == COPIES_OF_RACE
        assert all(seq < replaced_at - 1 for version, seq in orders if version == "1")
        assert all(seq >= replaced_at for version, seq in orders if version == "2")
    # Old engines may have been through with a race before it was one, not with all of them.
    assert {copy.intent.engine_version for found in copies for copy in found if copy.intent} == {"1", "2"}


async def _replaced(stores: MongoStores, known: str, race: int) -> int:
    """The leader trades, and while the old engines are at it a new version is started: the place of that on the account's line."""
    await trades(stores, known, COPIES_OF_RACE)

    async def begun() -> bool:
        return (await stored(stores, known)).seq > race + 1

    await eventually(begun)
    changed = await stores.accounts.change(known, started(datetime.now(UTC), "2"))
    assert changed is not None
    return changed.seq
