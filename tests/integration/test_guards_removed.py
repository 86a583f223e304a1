"""Every guard of entries is on in an engine on the real database: one account for each, all at once, with the guards and without."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain.account import ExposureChange, Limits
from services.common.domain.copy import Copy
from services.common.domain.lifecycle import CopyState
from services.common.store import replica
from services.common.store.client import MongoStores
from services.engine import decider
from services.engine.case import Case
from services.engine.pipeline import Approved, Refused, decide
from tests.builders import a_copy, a_trade
from tests.engine_account import EngineAccount
from tests.engine_world import POLICY
from tests.unit.test_engine_without_a_guard import SCENES, Scene, market, without

APART = ("venue_validity", "price_collar")
"""Their scenes change what every account sees."""
TOGETHER = [[name for name in SCENES if name not in APART], *([name] for name in APART)]


@pytest.fixture(scope="module")
def database(mongo_uri: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    replica.drop(mongo_uri, name)


@pytest.fixture
async def stores(mongo_uri: str, database: str) -> AsyncIterator[MongoStores]:
    made = MongoStores(mongo_uri, database, name="tests")
    await made.prepare()
    yield made
    await made.close()


class Account(EngineAccount):
    """An account of its own for one scene."""

    async def open(self, scene: Scene, patch: pytest.MonkeyPatch) -> Copy:
        """The copy that the scene is about, stored and waiting."""
        now, mine = self.clock.now(), self.account_id
        market(ends_at=now + timedelta(days=2))(self, patch)  # type: ignore[arg-type]
        scene.prepare(self, patch)  # type: ignore[arg-type]
        await self.create(Limits(**{"max_order_micros": 10**12, **scene.limits}))
        if scene.exposure:
            put = scene.exposure.get("put")
            exposure = {**scene.exposure, **({"put": replace(put, at=now)} if put else {})}
            await self.stores.accounts.apply(mine, ExposureChange(now, **exposure))
        trade = replace(a_trade(1, traded_at=now - timedelta(seconds=scene.age_s)), **scene.trade)
        made = a_copy(1, account=mine, trade=trade, policy=replace(POLICY, **scene.policy), now=now)
        copy = replace(made, **scene.copy)
        assert await self.stores.copies.insert([copy])
        return copy

    async def judged(self, copy: Copy) -> Copy:
        """The copy once the engine has decided on it, and sent it where it has."""
        async with self.running():
            return await self.reaches(copy, [CopyState.SKIPPED, CopyState.EXECUTED, CopyState.FAILED])


async def played(
    stores: MongoStores, names: Sequence[str], patch: pytest.MonkeyPatch
) -> dict[str, tuple[Account, Copy]]:
    accounts = [Account(stores, name) for name in names]
    copies = [await one.open(SCENES[one.name], patch) for one in accounts]
    done = await asyncio.gather(*(one.judged(copy) for one, copy in zip(accounts, copies, strict=True)))
    return {one.name: (one, copy) for one, copy in zip(accounts, done, strict=True)}


@pytest.mark.parametrize("names", TOGETHER, ids=["all others", *APART])
async def test_what_a_guard_alone_refuses_is_not_sent(
    stores: MongoStores, names: list[str], monkeypatch: pytest.MonkeyPatch
):
    found = await played(stores, names, monkeypatch)

    refused = {
        name: [v.guard for v in copy.decision.refusals] if copy.decision else [] for name, (_, copy) in found.items()
    }
    assert refused == {name: [name] for name in names}
    assert [name for name, (one, copy) in found.items() if one.venue.posts or copy.skip_reason != name] == []


@pytest.mark.parametrize("names", TOGETHER, ids=["all others", *APART])
async def test_without_that_guard_it_is_sent(stores: MongoStores, names: list[str], monkeypatch: pytest.MonkeyPatch):
    guards: dict[str, str] = {}

    def missing_one(case: Case) -> Approved | Refused:
        return decide(case, guards=without(guards[case.account.account_id]))

    monkeypatch.setattr(decider, "decide", missing_one)
    original = Account.open

    async def known(self: Account, scene: Scene, patch: pytest.MonkeyPatch) -> Copy:
        guards[self.account_id] = self.name
        return await original(self, scene, patch)

    monkeypatch.setattr(Account, "open", known)

    found = await played(stores, names, monkeypatch)

    assert {name: (copy.state, len(one.venue.posts)) for name, (one, copy) in found.items()} == dict.fromkeys(
        names, (CopyState.EXECUTED, 1)
    )
