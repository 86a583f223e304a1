"""`Users` and `Nonces` in MongoDB."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from services.common.domain import changes, log_ins, refused_tokens
from services.common.domain.user import Nonce, User
from services.common.store import codec, trails
from services.common.store.session import Collection, Database, guarded

Day = log_ins.LogIns | refused_tokens.RefusedTokens


class MongoUsers:
    """`users`; `_id` is the lower-case address."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._users = database["users"]

    async def get(self, address: str) -> User | None:
        async with guarded():
            return _user(await self._users.find_one({"_id": address}))

    async def upsert(self, user: User) -> User:
        while True:
            known = await self.get(user.address)
            if known is None and (made := await self._insert(changes.welcomed(user))):
                return made
            if known is not None:
                if known.role is user.role:
                    return known
                if after := await self._put(known, changes.in_role(known, user.role, user.created_at)):
                    return after

    async def advance_epoch(self, address: str, now: datetime) -> User | None:
        while (known := await self.get(address)) is not None:
            if after := await self._put(known, changes.signed_out(known, now)):
                return after
        return None

    async def _insert(self, user: User) -> User | None:
        try:
            async with guarded():
                await self._users.insert_one(codec.document(user, "address"))
        except DuplicateKeyError:
            return None
        return user

    async def _put(self, known: User, after: User) -> User | None:
        after = replace(after, trail=await trails.shortened(self._database, "users", after.address, after.trail))
        held = {"_id": known.address, **trails.unmoved(known.trail)}
        async with guarded():
            done = await self._users.replace_one(held, codec.document(after, "address"))
        return after if done.matched_count else None


def _user(found: dict[str, Any] | None) -> User | None:
    return codec.record(User, found, "address") if found else None


class MongoLogIns:
    """`log_ins`; `_id` is the day."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._days = database["log_ins"]
        self._line = asyncio.Lock()

    async def note(self, who: str, action: str, now: datetime) -> None:
        # All of a day meet in one document: those of this process one after the other, or a crowd would mostly write in vain.
        async with self._line:
            while not await self._noted(who, action, now):
                pass

    async def _noted(self, who: str, action: str, now: datetime) -> bool:
        day = log_ins.day_of(now)
        async with guarded():
            found = await self._days.find_one({"_id": day})
        known = codec.record(log_ins.LogIns, found, "day") if found else log_ins.LogIns(day)
        return await self._put(known, log_ins.noted(known, who, action, now))

    async def _put(self, known: log_ins.LogIns, after: log_ins.LogIns) -> bool:
        trail = await trails.shortened(self._database, "log_ins", after.day, after.trail)
        return await _put_day(self._days, known, replace(after, trail=trail))


class MongoRefusedTokens:
    """`refused_tokens`; `_id` is the day."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._days = database["refused_tokens"]

    async def note(self, day: str, refusals: Sequence[refused_tokens.Refusal], now: datetime) -> None:
        while not await self._noted(day, refusals, now):
            pass

    async def _noted(self, day: str, refusals: Sequence[refused_tokens.Refusal], now: datetime) -> bool:
        async with guarded():
            found = await self._days.find_one({"_id": day})
        empty = refused_tokens.RefusedTokens(day)
        known = codec.record(refused_tokens.RefusedTokens, found, "day") if found else empty
        after = refused_tokens.noted(known, refusals, now)
        trail = await trails.shortened(self._database, "refused_tokens", day, after.trail)
        return await _put_day(self._days, known, replace(after, trail=trail))


async def _put_day(days: Collection, known: Day, after: Day) -> bool:
    """Whether the day was still as it was read."""
    held = {"_id": after.day, **trails.unmoved(known.trail)}
    try:
        async with guarded():
            done = await days.replace_one(held, codec.document(after, "day"), upsert=not known.trail)
    except DuplicateKeyError:
        return False
    return bool(done.matched_count or done.upserted_id)


class MongoNonces:
    """`auth_nonces`; a TTL index forgets what nobody used."""

    def __init__(self, database: Database) -> None:
        self._nonces = database["auth_nonces"]

    async def add(self, nonce: Nonce) -> None:
        with suppress(DuplicateKeyError):
            async with guarded():
                await self._nonces.insert_one(codec.document(nonce, "nonce"))

    async def open_for(self, address: str, now: datetime, limit: int = 5) -> tuple[Nonce, ...]:
        wanted = {"address": address, "expiresAt": {"$gt": now}}
        async with guarded():
            cursor = self._nonces.find(wanted, sort=[("expiresAt", -1)], limit=limit)
            return tuple([codec.record(Nonce, document, "nonce") async for document in cursor])

    async def consume(self, nonce: str, address: str, now: datetime) -> Nonce | None:
        held = {"_id": nonce, "address": address, "expiresAt": {"$gt": now}}
        async with guarded():
            found = await self._nonces.find_one_and_delete(held)
        return codec.record(Nonce, found, "nonce") if found else None
