"""The connection, and everything a service may ask through it."""

from datetime import UTC, datetime
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from services.common.ports.stores import StoreUnavailable
from services.common.store import indexes, server
from services.common.store.accounts import MongoAccounts
from services.common.store.audit import MongoAudit
from services.common.store.books import MongoPositions, MongoResults
from services.common.store.copies import MongoCopies
from services.common.store.exits import MongoExits
from services.common.store.follows import MongoDeadLetters, MongoFollows, MongoLeaders, MongoLeases
from services.common.store.requests import MongoCloseRequests
from services.common.store.session import Client, guarded
from services.common.store.trades import MongoTrades
from services.common.store.users import MongoLogIns, MongoNonces, MongoRefusedTokens, MongoUsers

WRITE_TIMEOUT_MS = 5_000


class MongoStores:
    """Every collection over one client: majority, journaled, retried once by the driver where a repeat is harmless."""

    def __init__(self, uri: str, database: str, *, name: str) -> None:
        self._client: Client = AsyncIOMotorClient(
            uri,
            appname=name,
            tz_aware=True,
            retryWrites=True,
            serverSelectionTimeoutMS=WRITE_TIMEOUT_MS,
            connectTimeoutMS=2_000,
            socketTimeoutMS=10_000,
            maxPoolSize=50,
        )
        self.database = self._client.get_database(
            database,
            write_concern=WriteConcern("majority", wtimeout=WRITE_TIMEOUT_MS, j=True),
            read_concern=ReadConcern("majority"),
        )
        self.copies = MongoCopies(self._client, self.database)
        self.trades = MongoTrades(self.database)
        self.accounts = MongoAccounts(self.database)
        self.follows = MongoFollows(self.database)
        self.leaders = MongoLeaders(self.database)
        self.exits = MongoExits(self._client, self.database)
        self.close_requests = MongoCloseRequests(self.database)
        self.positions = MongoPositions(self._client, self.database)
        self.results = MongoResults(self.database)
        self.leases = MongoLeases(self.database)
        self.dead_letters = MongoDeadLetters(self.database)
        self.users = MongoUsers(self.database)
        self.log_ins = MongoLogIns(self.database)
        self.refused_tokens = MongoRefusedTokens(self.database)
        self.nonces = MongoNonces(self.database)
        self.audit = MongoAudit(self.database)

    async def prepare(self) -> None:
        """Verify the server, create and verify the indexes. Raises `ServerUnfit`, `IndexMissing` or `StoreUnavailable`."""
        await server.verify(self._client)
        await indexes.ensure(self.database)

    async def now(self) -> datetime:
        """The database's clock."""
        async with guarded():
            answer: dict[str, Any] = await self._client.admin.command("hello")
        at: datetime = answer["localTime"]
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    async def ping(self) -> None:
        """Answer, or raise `StoreUnavailable`."""
        try:
            await self._client.admin.command("ping")
        except PyMongoError as error:
            raise StoreUnavailable(type(error).__name__) from error

    async def close(self) -> None:
        """Let the connections go."""
        self._client.close()
