"""`Exits` in memory."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from services.common.domain import transitions
from services.common.domain.copy import Copy
from services.common.domain.exit import Exit, ExitState, Kept, Step, forgetting_step, with_kept, with_step, without_step
from services.common.store.memory.database import MemoryDatabase


class MemoryExits:
    """`exits` in memory; the meaning of each method is in the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def get(self, exit_id: str) -> Exit | None:
        await self._db.turn()
        return self._db.exits.get(exit_id)

    async def owe(
        self, exit_id: str, account_id: str, follow_id: str, token_id: str, step: Step, now: datetime
    ) -> Exit:
        await self._db.turn()
        known = self._db.exits.get(exit_id) or Exit(exit_id, account_id, follow_id, token_id, ExitState.OPEN, (), now)
        self._db.exits[exit_id] = with_step(known, step, now)
        return self._db.exits[exit_id]

    async def open_attempt(self, exit_id: str, version: int, attempt: Copy) -> bool:
        await self._db.turn()
        known = self._db.exits.get(exit_id)
        if known is None or known.version != version or known.open_attempt or known.state is not ExitState.OPEN:
            return False
        if not self._db.add(transitions.detected(attempt)):
            return False
        self._db.exits[exit_id] = replace(
            known, open_attempt=attempt.copy_id, attempts=known.attempts + 1, version=version + 1
        )
        return True

    async def close_attempt(self, exit_id: str, copy_id: str) -> bool:
        await self._db.turn()
        known = self._db.exits.get(exit_id)
        if known is None or known.open_attempt != copy_id:
            return False
        self._db.exits[exit_id] = replace(known, open_attempt="", version=known.version + 1)
        return True

    async def end(self, exit_id: str, version: int, state: ExitState, now: datetime) -> bool:
        await self._db.turn()
        known = self._db.exits.get(exit_id)
        if known is None or known.version != version or known.open_attempt:
            return False
        self._db.exits[exit_id] = replace(known, state=state, version=version + 1)
        return True

    async def open_ones(self, account_id: str) -> tuple[Exit, ...]:
        return await self._all(account_id, lambda known: known.state is ExitState.OPEN)

    async def retracted(self, account_id: str) -> tuple[Exit, ...]:
        return await self._all(account_id, lambda known: len(known.standing) < len(known.steps))

    async def _all(self, account_id: str, wanted: Callable[[Exit], bool]) -> tuple[Exit, ...]:
        await self._db.turn()
        found = (known for known in self._db.exits.values() if known.account_id == account_id and wanted(known))
        return tuple(sorted(found, key=lambda known: known.exit_id))

    async def retract(self, exit_id: str, version: int, key: str) -> bool:
        return await self._at(exit_id, version, lambda known: without_step(known, key))

    async def forget(self, exit_id: str, version: int, key: str) -> bool:
        return await self._at(exit_id, version, lambda known: forgetting_step(known, key))

    async def _at(self, exit_id: str, version: int, change: Callable[[Exit], Exit | None]) -> bool:
        await self._db.turn()
        known = self._db.exits.get(exit_id)
        after = change(known) if known is not None and known.version == version else None
        if after is None:
            return False
        self._db.exits[exit_id] = after
        return True

    async def keep(
        self, exit_id: str, account_id: str, follow_id: str, token_id: str, version: int, kept: Kept, now: datetime
    ) -> bool:
        await self._db.turn()
        known = self._db.exits.get(exit_id) or Exit(exit_id, account_id, follow_id, token_id, ExitState.OPEN, (), now)
        if known.version != version or known.open_attempt:
            return False
        self._db.exits[exit_id] = with_kept(known, kept)
        return True

    async def escalate(self, exit_id: str) -> bool:
        await self._db.turn()
        known = self._db.exits.get(exit_id)
        if known is None or known.overdue or known.state is not ExitState.OPEN:
            return False
        self._db.exits[exit_id] = replace(known, overdue=True, version=known.version + 1)
        return True
