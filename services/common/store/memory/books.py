"""`Positions` and `Results` in memory."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime

from services.common.domain.account import ExposureChange
from services.common.domain.fill import Fill, LedgerLine, Position, ReconciliationResult, continues
from services.common.ports.answers import Change, Page
from services.common.store.memory.database import MemoryDatabase, add


class MemoryPositions:
    """`user_positions`, `fills` and `ledger` in memory; the meaning of each method is in the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def get(self, account_id: str, token_id: str) -> Position | None:
        await self._db.turn()
        return self._db.positions.get((account_id, token_id))

    async def of(self, accounts: Sequence[str]) -> tuple[Position, ...]:
        await self._db.turn()
        return tuple(position for key, position in sorted(self._db.positions.items()) if key[0] in accounts)

    async def mark(self, account_id: str, token_id: str, mark_micros: int, now: datetime) -> None:
        await self._db.turn()
        position = self._db.positions.get((account_id, token_id))
        if position is not None:
            marked = self._db.positions[account_id, token_id] = replace(position, mark_micros=mark_micros)
            self._db.position_feed.tell(marked)

    async def resolve(self, position: Position, line: LedgerLine, change: ExposureChange) -> bool:
        await self._db.turn()
        booked, held = (line.account_id, line.trade_id, line.order_hash), (position.account_id, position.token_id)
        if booked in self._db.lines or not continues(self._db.positions.get(held), position, [line], ()):
            return False
        if position.account_id not in self._db.accounts:
            return False
        self._db.lines[booked] = line
        self._db.positions[held] = position
        self._db.position_feed.tell(position)
        self._db.expose(position.account_id, change)
        return True

    async def fills_of(self, copy_id: str) -> tuple[Fill, ...]:
        await self._db.turn()
        return tuple(fill for _, fill in sorted(self._db.fills.items()) if fill.copy_id == copy_id)

    async def fills(self, accounts: Sequence[str]) -> tuple[Fill, ...]:
        await self._db.turn()
        return tuple(fill for key, fill in sorted(self._db.fills.items()) if key[0] in accounts)

    async def ledger(self, account_id: str, token_id: str | None = None) -> tuple[LedgerLine, ...]:
        await self._db.turn()
        return tuple(
            line
            for key, line in sorted(self._db.lines.items())
            if key[0] == account_id and token_id in {None, line.token_id}
        )

    def watch(self, token: str | None) -> AsyncIterator[Change[Position]]:
        return self._db.position_feed.watch(token)


class MemoryResults:
    """`reconciliation_results` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database
        self._results: dict[str, ReconciliationResult] = {}
        self._asked: dict[str, datetime] = {}

    async def add(self, result: ReconciliationResult) -> bool:
        await self._db.turn()
        return add(self._results, result.result_id, result)

    async def latest(self, account_id: str) -> ReconciliationResult | None:
        newest = await self.page([account_id], 1, 0)
        return newest.items[0] if newest.items else None

    async def ask(self, account_id: str, now: datetime) -> None:
        await self._db.turn()
        self._asked[account_id] = now

    async def asked(self, account_id: str) -> datetime | None:
        await self._db.turn()
        return self._asked.get(account_id)

    async def page(self, accounts: Sequence[str], limit: int, offset: int) -> Page[ReconciliationResult]:
        await self._db.turn()
        found = [result for result in self._results.values() if result.account_id in accounts]
        newest = sorted(found, key=lambda result: (result.finished_at, result.result_id), reverse=True)
        return Page(tuple(newest[offset : offset + limit]), len(found))
