"""An account with an engine of its own on a real database, beside a scripted venue and chain: many can run at once."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from services.common.clock import SystemClock
from services.common.domain.account import Limits
from services.common.domain.copy import Copy
from services.common.domain.fill import ReconciliationResult
from services.common.domain.lifecycle import CopyState
from services.common.polymarket.environment import PRODUCTION
from services.common.sealing import KeyRing
from services.common.store.client import MongoStores
from services.engine.assembly import Ports, assemble
from services.engine.timing import Timing
from tests.builders import a_follow, an_account
from tests.engine_world import POLICY, WALLET, Pen
from tests.mesh import eventually
from tests.scripted_chain import ScriptedChain
from tests.scripted_venue import Venue

COMPARED_IN = timedelta(seconds=10)
"""By the time that an engine asks, its account has been compared."""


class EngineAccount:
    """It follows the leader share for share; `name` tells it from the others of a test."""

    def __init__(self, stores: MongoStores, name: str) -> None:
        self.name = name
        self.account_id = f"0x{uuid.uuid4().hex:0>40}"
        self.clock = SystemClock()
        self.stores = stores
        self.venue = Venue(self.clock)  # type: ignore[arg-type]
        self.chain = ScriptedChain(self.clock)  # type: ignore[arg-type]
        self.engine = assemble(
            Ports(stores, self.venue, self.venue, self.chain, Pen(), self.clock, KeyRing.passing()),
            self.account_id,
            PRODUCTION.contract,
            exchanges=PRODUCTION.contracts,
            chain_id=137,
            version="test",
            timing=Timing(),
            name=f"engine of {name}",
        )

    async def create(self, limits: Limits) -> None:
        """Store the account and its follow, and let the reconciler have looked."""
        now, mine = self.clock.now(), self.account_id
        await self.stores.accounts.create(an_account(mine, wallet=WALLET, signer=WALLET, owner=mine, limits=limits))
        await self.stores.follows.create(a_follow(mine, policy=POLICY, created_at=now - timedelta(hours=1)))
        soon = now + COMPARED_IN
        await self.stores.results.add(ReconciliationResult(uuid.uuid4().hex, mine, now, soon, 0, (), 0, complete=True))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Its engine works for as long as this lasts."""
        running = asyncio.create_task(self.engine.run())
        try:
            yield
        finally:
            await self.engine.stop()
            running.cancel()

    async def reaches(self, copy: Copy, states: Sequence[CopyState]) -> Copy:
        """The copy once it is in one of these states."""

        async def there() -> Copy | None:
            found = await self.stores.copies.get(copy.copy_id)
            return found if found and found.state in states else None

        return await eventually(there)
