"""`Positions` and `Results` in MongoDB."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from services.common.domain.account import ExposureChange
from services.common.domain.fill import Fill, LedgerLine, Position, ReconciliationResult, continues
from services.common.ports.answers import Change, Page
from services.common.store import codec, exposures
from services.common.store.session import Client, Database, Session, guarded, transact
from services.common.store.watching import watched


async def write(
    database: Database,
    fills: Sequence[Fill],
    lines: Sequence[LedgerLine],
    positions: Sequence[Position],
    session: Session,
) -> None:
    """Book fills, their lines and the positions they make, inside the settlement's transaction."""
    for fill in fills:
        await database["fills"].replace_one(_of_trade(fill), codec.encode(fill), upsert=True, session=session)
    for line in lines:
        await database["ledger"].replace_one(_of_trade(line), codec.encode(line), upsert=True, session=session)
    for position in positions:
        await database["user_positions"].replace_one(
            {"account": position.account_id, "tokenId": position.token_id},
            codec.encode(position),
            upsert=True,
            session=session,
        )


async def current(
    database: Database, lines: Sequence[LedgerLine], positions: Sequence[Position], session: Session
) -> bool:
    """Whether the positions were computed on what is stored now: a reconciler that was frozen beyond its lease computed on less."""
    if not positions:
        return True
    found = [await database["ledger"].find_one(_of_trade(line), session=session) for line in lines]
    known = [codec.decode(LedgerLine, document) for document in found if document is not None]
    for after in positions:
        wanted = {"account": after.account_id, "tokenId": after.token_id}
        stored = await database["user_positions"].find_one(wanted, session=session)
        if not continues(_position(stored) if stored else None, after, lines, known):
            return False
    return True


def _of_trade(item: Fill | LedgerLine) -> dict[str, str]:
    return {"account": item.account_id, "tradeId": item.trade_id, "orderHash": item.order_hash}


def _position(document: Any) -> Position:
    return codec.decode(Position, document)


class MongoPositions:
    """`user_positions`, `fills` and `ledger`; the meaning of each method is in the port."""

    def __init__(self, client: Client, database: Database) -> None:
        self._client = client
        self._database = database
        self._positions = database["user_positions"]
        self._fills = database["fills"]
        self._ledger = database["ledger"]

    async def get(self, account_id: str, token_id: str) -> Position | None:
        async with guarded():
            found = await self._positions.find_one({"account": account_id, "tokenId": token_id})
        return _position(found) if found else None

    async def of(self, accounts: Sequence[str]) -> tuple[Position, ...]:
        async with guarded():
            cursor = self._positions.find({"account": {"$in": list(accounts)}}, sort=[("account", 1), ("tokenId", 1)])
            return tuple([_position(document) async for document in cursor])

    async def mark(self, account_id: str, token_id: str, mark_micros: int, now: datetime) -> None:
        async with guarded():
            await self._positions.update_one(
                {"account": account_id, "tokenId": token_id}, {"$set": {"markMicros": mark_micros}}
            )

    async def resolve(self, position: Position, line: LedgerLine, change: ExposureChange) -> bool:
        async def work(session: Session) -> bool:
            if await self._ledger.find_one(_of_trade(line), session=session) is not None:
                return False
            if not await current(self._database, [line], [position], session):
                return False
            if not await exposures.move(self._database, position.account_id, change, session):
                return False
            await write(self._database, (), [line], [position], session)
            return True

        return await transact(self._client, work)

    async def fills_of(self, copy_id: str) -> tuple[Fill, ...]:
        return await self._fills_where({"copyId": copy_id})

    async def fills(self, accounts: Sequence[str]) -> tuple[Fill, ...]:
        return await self._fills_where({"account": {"$in": list(accounts)}})

    async def ledger(self, account_id: str, token_id: str | None = None) -> tuple[LedgerLine, ...]:
        wanted = {"account": account_id} | ({"tokenId": token_id} if token_id is not None else {})
        async with guarded():
            cursor = self._ledger.find(wanted, sort=[("tradeId", 1), ("orderHash", 1)])
            return tuple([codec.decode(LedgerLine, document) async for document in cursor])

    def watch(self, token: str | None) -> AsyncIterator[Change[Position]]:
        return watched(self._positions, _position, token)

    async def _fills_where(self, wanted: dict[str, Any]) -> tuple[Fill, ...]:
        async with guarded():
            cursor = self._fills.find(wanted, sort=[("account", 1), ("tradeId", 1), ("orderHash", 1)])
            return tuple([codec.decode(Fill, document) async for document in cursor])


class MongoResults:
    """`reconciliation_results`."""

    def __init__(self, database: Database) -> None:
        self._results = database["reconciliation_results"]
        self._asks = database["reconciliation_asks"]

    async def add(self, result: ReconciliationResult) -> bool:
        try:
            async with guarded():
                await self._results.insert_one(codec.document(result, "result_id"))
        except DuplicateKeyError:
            return False
        return True

    async def latest(self, account_id: str) -> ReconciliationResult | None:
        newest = await self.page([account_id], 1, 0)
        return newest.items[0] if newest.items else None

    async def ask(self, account_id: str, now: datetime) -> None:
        async with guarded():
            await self._asks.update_one({"_id": account_id}, {"$set": {"at": now}}, upsert=True)

    async def asked(self, account_id: str) -> datetime | None:
        async with guarded():
            found = await self._asks.find_one({"_id": account_id})
        return codec.aware(found["at"]) if found else None

    async def page(self, accounts: Sequence[str], limit: int, offset: int) -> Page[ReconciliationResult]:
        wanted = {"account": {"$in": list(accounts)}}
        async with guarded():
            items = await self._newest(wanted, limit, offset) if limit else ()  # to MongoDB, 0 is no limit
            return Page(items, await self._results.count_documents(wanted))

    async def _newest(self, wanted: dict[str, Any], limit: int, offset: int) -> tuple[ReconciliationResult, ...]:
        cursor = self._results.find(wanted, sort=[("finishedAt", -1), ("_id", -1)], skip=offset, limit=limit)
        return tuple([codec.record(ReconciliationResult, document, "result_id") async for document in cursor])
