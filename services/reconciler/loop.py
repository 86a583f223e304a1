"""The reconciler's work on one account: settle often, compare now and then, and never in two processes at once."""

import asyncio
from datetime import datetime, timedelta

from services.common.domain.account import Account
from services.common.domain.fill import ReconciliationResult
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.reconciler.compare import Comparison
from services.reconciler.resolutions import Resolutions
from services.reconciler.settle import Settler

LEASE = timedelta(seconds=30)
RENEWALS = 6
"""How often a lease could be renewed while it lasts."""


class Reconciliation:
    """One account's turns. They are serial: a request for a comparison waits for the turn under way."""

    def __init__(
        self,
        account: Account,
        settler: Settler,
        resolutions: Resolutions,
        comparison: Comparison,
        stores: Stores,
        clock: Clock,
        *,
        holder: str,
        every: timedelta,
        lease: timedelta = LEASE,
    ) -> None:
        self.account = account
        self._settler = settler
        self._resolutions = resolutions
        self._comparison = comparison
        self._stores = stores
        self._clock = clock
        self._holder = holder
        self._every = every
        self._lasts = lease
        self._compared_at: float | None = None
        self._answered: datetime | None = None
        self._settled = 0
        self._renew_at: float | None = None
        self._line = asyncio.Lock()

    async def turn(self) -> None:
        """Settle what can be settled; when it is time, or somebody asks, book what is resolved and compare. Does nothing while another
        process has the lease."""
        async with self._line:
            if not await self._take():
                return
            self._settled += await self._settler.turn(self._keep)
            asked = await self._stores.results.asked(self.account.account_id)
            if self._is_due or asked != self._answered:
                await self._resolutions.turn(self._keep)
                await self._compare()
                self._answered = asked

    @property
    def _is_due(self) -> bool:
        at = self._compared_at
        return at is None or self._clock.monotonic() - at >= self._every.total_seconds()

    async def run_now(self) -> ReconciliationResult:
        """Settle and compare at once. A comparison only reads, so it is made whoever has the lease."""
        async with self._line:
            if await self._take():
                self._settled += await self._settler.turn(self._keep, anew=True)
                await self._resolutions.turn(self._keep)
            return await self._compare()

    async def give_back(self) -> None:
        """Let another process go on at once."""
        await self._stores.leases.give_back(self._lease, self._holder)

    async def _take(self) -> bool:
        asked_at = self._clock.monotonic()
        mine = await self._stores.leases.take(self._lease, self._holder, self._lasts)
        self._renew_at = asked_at + self._lasts.total_seconds() / RENEWALS if mine else None
        return mine

    async def _keep(self) -> bool:
        """Whether the lease is held, renewed where it has been for a while: a turn over a slow venue outlasts it."""
        if self._renew_at is not None and self._clock.monotonic() < self._renew_at:
            return True
        return await self._take()

    async def _compare(self) -> ReconciliationResult:
        settled, self._settled = self._settled, 0
        result = await self._comparison.run(settled)
        self._compared_at = self._clock.monotonic()
        return result

    @property
    def _lease(self) -> str:
        return f"reconcile:{self.account.account_id}"
