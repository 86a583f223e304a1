"""Every guard that judges exits is on in an engine on the real database: what it alone refuses waits, and is sold once it is gone from the
engine that runs. One account for each guard, all at once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from services.common.domain.account import ExposureChange, Holding, Limits
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import exit_id
from services.common.domain.follow import follow_id
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.store import replica
from services.common.store.client import MongoStores
from services.engine import decider
from services.engine.case import Case
from services.engine.guards import GUARDS
from services.engine.pipeline import Approved, Refused, decide
from services.engine.pricing import drafted
from tests.builders import CONDITION, LEADER, TOKEN, a_copy, a_trade
from tests.engine_account import EngineAccount
from tests.engine_world import POLICY, WALLET
from tests.mesh import eventually
from tests.scripted_venue import SHARE
from tests.unit.test_engine_exits_without_a_guard import SCENES
from tests.unit.test_engine_without_a_guard import market, without

HELD, SOLD = 100, 40
LEADERS = HELD * 52 // 50
"""What he buys at 0.50 for us to have that much at our limit, which is 0.52."""


@pytest.fixture
async def stores(mongo_uri: str) -> AsyncIterator[MongoStores]:
    made = MongoStores(mongo_uri, name := f"test_{uuid.uuid4().hex[:12]}", name="tests")
    await made.prepare()
    yield made
    await made.close()
    replica.drop(mongo_uri, name)


class Holder(EngineAccount):
    """An account that holds a hundred shares of what its leader then sells two fifths of."""

    async def buys(self, patch: pytest.MonkeyPatch) -> None:
        """The leader has bought, and so have we; it is settled."""
        now = self.clock.now()
        market(ends_at=now + timedelta(days=2))(self, patch)  # type: ignore[arg-type]
        trade = a_trade(1, shares_micros=LEADERS * SHARE, usdc_micros=LEADERS * SHARE // 2, traded_at=now)
        copy = a_copy(1, account=self.account_id, trade=trade, policy=POLICY, now=now)
        assert await self.stores.copies.insert([copy])
        await self._settle(await self.reaches(copy, [CopyState.EXECUTED]))

    async def _settle(self, copy: Copy) -> None:
        shares, now = copy.filled_micros, self.clock.now()
        assert shares == HELD * SHARE
        held = Holding(TOKEN, CONDITION, "7", shares, copy.paid_micros)
        change, sums = ExposureChange(now, drop=copy.copy_id, held=held), (shares, copy.paid_micros, copy.fee_micros)
        assert await self.stores.copies.settle(
            copy.copy_id, copy.fence, CopyState.RECONCILED, (), (), (), *sums, change, False, now
        )
        self.chain.balances[WALLET.lower(), TOKEN, None] = shares

    async def sells(self) -> None:
        """The leader sells, and it is owed."""
        now = self.clock.now()
        figures = {"shares_micros": SOLD * SHARE, "usdc_micros": SOLD * 490_000}
        trade = a_trade(2, side=Side.SELL, traded_at=now, **figures)
        debt = a_copy(2, account=self.account_id, kind=CopyKind.DEBT, trade=trade, policy=POLICY, now=now)
        self.chain.sells(debt, HELD * SHARE)
        assert await self.stores.copies.insert([debt])

    async def attempt(self) -> Copy:
        """The attempt to sell, once the engine has decided on it."""
        name = exit_id(follow_id(self.account_id, LEADER), TOKEN)

        async def decided() -> Copy | None:
            return next((one for one in await self.stores.copies.of_exit(name) if one.decision), None)

        return await eventually(decided)


def test_every_guard_that_judges_exits_has_its_scene():
    # One that judges entries alone is wrapped twice.
    assert list(SCENES) == [guard.__name__ for guard in GUARDS if not hasattr(guard.__wrapped__, "__wrapped__")]  # type: ignore[attr-defined]


async def test_what_a_guard_alone_refuses_waits_and_is_sold_once_the_guard_is_gone(
    stores: MongoStores, monkeypatch: pytest.MonkeyPatch
):
    holders = {one.account_id: one for one in (Holder(stores, name) for name in SCENES)}
    gone: set[str] = set()

    def seen(case: Case) -> Case:
        return SCENES[holders[case.account.account_id].name](drafted(case))

    def judged(case: Case) -> Approved | Refused:
        name = holders[case.account.account_id].name
        return decide(case, guards=without(name)) if name in gone else decide(case)

    every = list(holders.values())
    async with AsyncExitStack() as stack:
        for one in every:
            await one.create(Limits(max_order_micros=10**12))
            await stack.enter_async_context(one.running())
        await asyncio.gather(*(one.buys(monkeypatch) for one in every))
        monkeypatch.setattr(decider, "drafted", seen)
        monkeypatch.setattr(decider, "decide", judged)
        await asyncio.gather(*(one.sells() for one in every))
        refused = {one.name: await one.attempt() for one in every}

        assert {
            name: [verdict.guard for verdict in attempt.decision.refusals] if attempt.decision else []
            for name, attempt in refused.items()
        } == {name: [name] for name in SCENES}
        assert {name for name, attempt in refused.items() if attempt.order_hashes} == set()
        assert {one.name: len(one.venue.posts) for one in every} == dict.fromkeys(SCENES, 1)

        gone.update(SCENES)
        sold = {one.name: await one.reaches(refused[one.name], [CopyState.EXECUTED]) for one in every}

    assert {name: attempt.filled_micros // SHARE for name, attempt in sold.items()} == {
        name: SOLD - 1 if name == "sizing" else SOLD for name in SCENES
    }
    assert {one.name: len(one.venue.posts) for one in every} == dict.fromkeys(SCENES, 2)
