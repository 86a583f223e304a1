"""`Users` and `Nonces` in MongoDB."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.common.domain.user import Nonce, User
from services.common.store import codec
from services.common.store.session import Database, guarded


class MongoUsers:
    """`users`; `_id` is the lower-case address."""

    def __init__(self, database: Database) -> None:
        self._users = database["users"]

    async def get(self, address: str) -> User | None:
        async with guarded():
            return _user(await self._users.find_one({"_id": address}))

    async def upsert(self, user: User) -> User:
        made = codec.document(user, "address")
        first = {name: made[name] for name in ("tokenEpoch", "createdAt")}
        change = {"$set": {"role": made["role"]}, "$setOnInsert": first}
        async with guarded():
            found = await self._users.find_one_and_update(
                {"_id": user.address}, change, upsert=True, return_document=ReturnDocument.AFTER
            )
        return codec.record(User, found, "address")

    async def advance_epoch(self, address: str) -> User | None:
        async with guarded():
            change = {"$inc": {"tokenEpoch": 1}}
            return _user(
                await self._users.find_one_and_update({"_id": address}, change, return_document=ReturnDocument.AFTER)
            )


def _user(found: dict[str, Any] | None) -> User | None:
    return codec.record(User, found, "address") if found else None


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
