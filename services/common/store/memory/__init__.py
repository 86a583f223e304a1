"""The stores in memory: for replay, simulation and unit tests. They pass the same contract suites as MongoDB's."""

from collections.abc import Callable
from datetime import datetime

from services.common.store.memory.accounts import MemoryAccounts
from services.common.store.memory.audit import MemoryAudit
from services.common.store.memory.books import MemoryPositions, MemoryResults
from services.common.store.memory.copies import MemoryCopies
from services.common.store.memory.database import MemoryDatabase
from services.common.store.memory.exits import MemoryExits
from services.common.store.memory.people import MemoryLogIns, MemoryNonces, MemoryRefusedTokens, MemoryUsers
from services.common.store.memory.requests import MemoryCloseRequests
from services.common.store.memory.trades import MemoryTrades
from services.common.store.memory.watching import MemoryDeadLetters, MemoryFollows, MemoryLeaders, MemoryLeases


class MemoryStores:
    """Everything a service may ask of the database, on `now` as the database's clock.

    Not `interleaved`, an operation lets nobody else run: quicker, for those whose work is serial anyway.
    """

    def __init__(self, now: Callable[[], datetime], *, interleaved: bool = True) -> None:
        self.database = MemoryDatabase(now, interleaved=interleaved)
        self.copies = MemoryCopies(self.database)
        self.trades = MemoryTrades(self.database)
        self.accounts = MemoryAccounts(self.database)
        self.follows = MemoryFollows(self.database)
        self.leaders = MemoryLeaders(self.database)
        self.exits = MemoryExits(self.database)
        self.close_requests = MemoryCloseRequests(self.database)
        self.positions = MemoryPositions(self.database)
        self.results = MemoryResults(self.database)
        self.leases = MemoryLeases(self.database)
        self.dead_letters = MemoryDeadLetters(self.database)
        self.users = MemoryUsers(self.database)
        self.log_ins = MemoryLogIns(self.database)
        self.refused_tokens = MemoryRefusedTokens(self.database)
        self.nonces = MemoryNonces(self.database)
        self.audit = MemoryAudit(self.database)

    async def now(self) -> datetime:
        """The database's clock."""
        return self.database.now()

    async def ping(self) -> None:
        """Answer, or raise `StoreUnavailable`."""
        await self.database.turn()

    async def close(self) -> None:
        """Nothing is held open."""
