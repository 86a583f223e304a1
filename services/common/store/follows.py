"""`Follows`, `Leaders`, `Leases` and `DeadLetters` in MongoDB."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.common.domain.dead_letter import DeadLetter
from services.common.domain.follow import Follow
from services.common.ports.accounts import Leader
from services.common.store import codec, trails
from services.common.store.session import Database, guarded


class MongoFollows:
    """`follows`; `_id` names account and leader."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._follows = database["follows"]

    async def create(self, follow: Follow) -> bool:
        try:
            async with guarded():
                await self._follows.insert_one(codec.document(follow, "follow_id"))
        except DuplicateKeyError:
            return False
        return True

    async def get(self, follow_id: str) -> Follow | None:
        async with guarded():
            found = await self._follows.find_one({"_id": follow_id})
        return codec.record(Follow, found, "follow_id") if found else None

    async def all(self) -> tuple[Follow, ...]:
        async with guarded():
            return tuple(
                [
                    codec.record(Follow, document, "follow_id")
                    async for document in self._follows.find(sort=[("_id", 1)])
                ]
            )

    async def change(self, follow_id: str, change: Callable[[Follow], Follow | None]) -> Follow | None:
        while (known := await self.get(follow_id)) is not None:
            after = change(known)
            if after is None:
                return None
            after = replace(after, trail=await trails.shortened(self._database, "follows", follow_id, after.trail))
            held = {"_id": follow_id, **trails.unmoved(known.trail)}
            async with guarded():
                if (await self._follows.replace_one(held, codec.document(after, "follow_id"))).matched_count:
                    return after
        return None


class MongoLeaders:
    """`leaders`."""

    def __init__(self, database: Database) -> None:
        self._leaders = database["leaders"]

    async def get(self, address: str) -> Leader | None:
        async with guarded():
            found = await self._leaders.find_one({"_id": address})
        return codec.record(Leader, found, "address") if found else None

    async def all(self) -> tuple[Leader, ...]:
        async with guarded():
            return tuple(
                [codec.record(Leader, document, "address") async for document in self._leaders.find(sort=[("_id", 1)])]
            )

    async def start(self, leader: Leader) -> bool:
        try:
            async with guarded():
                await self._leaders.insert_one(codec.document(leader, "address"))
        except DuplicateKeyError:
            return False
        return True

    async def advance(self, leader: Leader) -> bool:
        held = {"_id": leader.address, "cursorBlock": {"$lte": leader.cursor_block}}
        async with guarded():
            return (await self._leaders.replace_one(held, codec.document(leader, "address"))).matched_count == 1


class MongoLeases:
    """Leases on the database's clock."""

    def __init__(self, database: Database) -> None:
        self._leases = database["leases"]

    async def take(self, name: str, holder: str, lease: timedelta) -> bool:
        lapsed = {"$lte": [{"$ifNull": ["$until", "$$NOW"]}, "$$NOW"]}
        free = {"$or": [{"$eq": ["$holder", holder]}, lapsed]}
        until = {"$add": ["$$NOW", int(lease.total_seconds() * 1000)]}
        taken = {
            "holder": {"$cond": [free, holder, "$holder"]},
            "until": {"$cond": [free, until, "$until"]},
        }
        try:
            async with guarded():
                now = await self._leases.find_one_and_update(
                    {"_id": name}, [{"$set": taken}], upsert=True, return_document=ReturnDocument.AFTER
                )
        except DuplicateKeyError:
            # Another was first to make it.
            return False
        return bool(now["holder"] == holder)

    async def give_back(self, name: str, holder: str) -> None:
        async with guarded():
            await self._leases.delete_one({"_id": name, "holder": holder})


class MongoDeadLetters:
    """`dead_letters`; `_id` is the digest."""

    def __init__(self, database: Database) -> None:
        self._letters = database["dead_letters"]

    async def add(self, letter: DeadLetter) -> None:
        made = codec.document(_writable(letter), "digest")
        del made["_id"], made["count"]
        async with guarded():
            await self._letters.update_one(
                {"_id": letter.digest}, {"$setOnInsert": made, "$inc": {"count": 1}}, upsert=True
            )

    async def all(self) -> tuple[DeadLetter, ...]:
        async with guarded():
            return tuple(
                [
                    codec.record(DeadLetter, document, "digest")
                    async for document in self._letters.find(sort=[("_id", 1)])
                ]
            )


def _writable(letter: DeadLetter) -> DeadLetter:
    """The letter without what no document can hold: half a character anywhere, a NUL in a name."""
    shape = {_text(name).replace("\x00", "\ufffd"): kind for name, kind in letter.shape.items()}
    return replace(letter, shape=shape, reason=_text(letter.reason), body=_text(letter.body))


def _text(text: str) -> str:
    return text.encode(errors="replace").decode()
