"""`Exits` in MongoDB."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from services.common.domain import transitions
from services.common.domain.copy import Copy
from services.common.domain.exit import Exit, ExitState, Kept, Step, forgetting_step, with_kept, with_step, without_step
from services.common.store import activities, codec
from services.common.store.session import Client, Collection, Conflict, Database, Session, guarded, transact

ID = "exit_id"


class MongoExits:
    """`exits`; the meaning of each method is in the port."""

    def __init__(self, client: Client, database: Database) -> None:
        self._client = client
        self._exits = database["exits"]
        self._copies = database["user_activities"]

    async def get(self, exit_id: str) -> Exit | None:
        async with guarded():
            found = await self._exits.find_one({"_id": exit_id})
        return read(found) if found else None

    async def owe(
        self, exit_id: str, account_id: str, follow_id: str, token_id: str, step: Step, now: datetime
    ) -> Exit:
        while True:
            known = await self.get(exit_id) or Exit(exit_id, account_id, follow_id, token_id, ExitState.OPEN, (), now)
            after = with_step(known, step, now)
            if after == known or await self._put(known, after):
                return after

    async def _put(self, known: Exit, after: Exit) -> bool:
        try:
            async with guarded():
                return await put(self._exits, known.version, after)
        except DuplicateKeyError:
            return False

    async def open_attempt(self, exit_id: str, version: int, attempt: Copy) -> bool:
        async def work(session: Session) -> bool:
            found = await self._exits.find_one(
                {"_id": exit_id, "version": version, "openAttempt": "", "state": "open"}, session=session
            )
            if found is None or await self._copies.find_one({"_id": attempt.copy_id}, session=session):
                return False
            known = read(found)
            opened = replace(known, open_attempt=attempt.copy_id, attempts=known.attempts + 1, version=version + 1)
            done = await self._exits.replace_one(
                {"_id": exit_id, "version": version}, codec.document(opened, ID), session=session
            )
            if not done.matched_count:
                raise Conflict
            await self._copies.insert_one(activities.write(transitions.detected(attempt), 1), session=session)
            return True

        return await transact(self._client, work)

    async def close_attempt(self, exit_id: str, copy_id: str) -> bool:
        return await self._change(
            exit_id, lambda known: replace(known, open_attempt="") if known.open_attempt == copy_id else None
        )

    async def end(self, exit_id: str, version: int, state: ExitState, now: datetime) -> bool:
        def ended(known: Exit) -> Exit | None:
            return replace(known, state=state) if known.version == version and not known.open_attempt else None

        return await self._change(exit_id, ended)

    async def retract(self, exit_id: str, version: int, key: str) -> bool:
        return await self._at(exit_id, version, lambda known: without_step(known, key))

    async def forget(self, exit_id: str, version: int, key: str) -> bool:
        return await self._at(exit_id, version, lambda known: forgetting_step(known, key))

    async def _at(self, exit_id: str, version: int, change: Callable[[Exit], Exit | None]) -> bool:
        known = await self.get(exit_id)
        after = change(known) if known is not None and known.version == version else None
        return known is not None and after is not None and await self._put(known, after)

    async def retracted(self, account_id: str) -> tuple[Exit, ...]:
        return await self._all({"account": account_id, "steps.removed": True})

    async def keep(
        self, exit_id: str, account_id: str, follow_id: str, token_id: str, version: int, kept: Kept, now: datetime
    ) -> bool:
        known = await self.get(exit_id) or Exit(exit_id, account_id, follow_id, token_id, ExitState.OPEN, (), now)
        fits = known.version == version and not known.open_attempt
        return fits and await self._put(known, with_kept(known, kept))

    async def escalate(self, exit_id: str) -> bool:
        def told(known: Exit) -> Exit | None:
            return None if known.overdue or known.state is not ExitState.OPEN else replace(known, overdue=True)

        return await self._change(exit_id, told)

    async def open_ones(self, account_id: str) -> tuple[Exit, ...]:
        return await self._all({"account": account_id, "state": "open"})

    async def _all(self, wanted: Mapping[str, Any]) -> tuple[Exit, ...]:
        async with guarded():
            cursor = self._exits.find(wanted, sort=[("_id", 1)])
            return tuple([read(document) async for document in cursor])

    async def _change(self, exit_id: str, change: Callable[[Exit], Exit | None]) -> bool:
        while (known := await self.get(exit_id)) is not None:
            after = change(known)
            if after is None:
                return False
            if await self._put(known, replace(after, version=known.version + 1)):
                return True
        return False


def read(document: Mapping[str, Any]) -> Exit:
    """The exit of a document."""
    return codec.record(Exit, document, ID)


async def put(exits: Collection, version: int, after: Exit, session: Session | None = None) -> bool:
    """Replace the exit of this version, 0 for one that is new; False where it has moved."""
    held = {"_id": after.exit_id, "version": version}
    done = await exits.replace_one(held, codec.document(after, ID), upsert=version == 0, session=session)
    return bool(done.matched_count or done.upserted_id)
