"""What this engine can say of itself: how long it is up, what it works on, and what keeps it waiting."""

from collections.abc import Mapping, Sequence

from services.common.domain.account import Account
from services.common.domain.verdict import Verdict
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores, StoreUnavailable
from services.engine.worker import Worker


class Status:
    """The workers of this process, by account, and its uptime."""

    def __init__(self, stores: Stores, workers: Mapping[str, Worker], clock: Clock, version: str) -> None:
        self._stores = stores
        self._workers = workers
        self._clock = clock
        self._began = clock.monotonic()
        self.version = version

    @property
    def uptime_ms(self) -> int:
        return int((self._clock.monotonic() - self._began) * 1000)

    async def active(self, accounts: Sequence[str]) -> int:
        """Copies of these accounts that are claimed, executing or executed."""
        return await self._stores.copies.under_way(accounts)

    async def closed(self, accounts: Sequence[Account]) -> tuple[Verdict, ...]:
        """The gate's failing conditions, over all of these accounts that are worked on here."""
        failing: list[Verdict] = []
        for account in accounts:
            worker = self._workers.get(account.account_id)
            if worker is not None:
                failing += await self._closed(worker)
        return tuple(failing)

    def changed(self, accounts: Sequence[str]) -> None:
        """Control has changed these accounts: their workers read them anew."""
        for account_id in accounts:
            worker = self._workers.get(account_id)
            if worker is not None:
                worker.desk.gatekeeper.forget()
                worker.lookout.known.forget()
                worker.wake()

    async def _closed(self, worker: Worker) -> Sequence[Verdict]:
        try:
            return (await worker.desk.gatekeeper.admission()).closed
        except StoreUnavailable:
            return [Verdict("readiness", False, "store_away")]
