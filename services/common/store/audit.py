"""`Audit` in MongoDB: the trails of every collection, and the checkpoints over them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from pymongo.errors import DuplicateKeyError, OperationFailure

from services.common.domain import contents, refused_tokens
from services.common.domain.checkpoint import Checkpoint, Head
from services.common.domain.copy import Copy
from services.common.domain.follow import Follow
from services.common.domain.log_ins import LogIns
from services.common.domain.trail import TrailEntry
from services.common.domain.user import User
from services.common.ports.answers import Change
from services.common.ports.audit import Told
from services.common.store import activities, codec, exposures
from services.common.store.session import Database, guarded
from services.common.store.trails import entry, named

TRAILED = ("accounts", "user_activities", "follows", "users", "log_ins", "refused_tokens")
LAST = {"$last": "$fullDocument.trail"}
WRITTEN: dict[str, Any] = {
    "$map": {"input": {"$objectToArray": {"$ifNull": ["$updateDescription.updatedFields", {}]}}, "in": "$$this.k"}
}
LENGTHENED: dict[str, Any] = {
    "$anyElementTrue": {"$map": {"input": WRITTEN, "in": {"$eq": [{"$substrBytes": ["$$this", 0, 5]}, "trail"]}}}
}
STAGES: list[dict[str, Any]] = [
    {"$match": {"ns.coll": {"$in": list(TRAILED)}, "operationType": {"$in": ["insert", "replace", "update"]}}},
    # Most updates leave the trail as it is; those need no look at the document.
    {"$match": {"$expr": {"$or": [{"$ne": ["$operationType", "update"]}, LENGTHENED]}}},
    {"$project": {"ns": 1, "documentKey": 1, "head": LAST}},
]


class MongoAudit:
    """The meaning of each method is in the port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checkpoints = database["checkpoints"]

    async def heads(self, token: str | None) -> AsyncIterator[Change[Head]]:
        over = False
        while not over:
            try:
                async with aclosing(self._after(token)) as changes:
                    async for change in changes:
                        yield change
                over = True
            except OperationFailure:
                if not token:
                    raise
                # The oplog no longer reaches it, or somebody made it up.
                token = None

    async def _after(self, token: str | None) -> AsyncGenerator[Change[Head]]:
        resume = {"_data": token} if token else None
        async with self._database.watch(STAGES, full_document="updateLookup", resume_after=resume) as stream:
            if not token:
                # Opened before the marker is told: what changes while its reader looks at everything comes after it.
                early = await stream.try_next()
                opened = stream.resume_token
                yield Change(str(opened["_data"]) if opened else "", None)
                if early is not None and (change := _change(early)):
                    yield change
            async for event in stream:
                if change := _change(event):
                    yield change

    async def every_head(self) -> AsyncIterator[Head]:
        for collection in TRAILED:
            async with guarded():
                cursor = self._database[collection].find({}, {"head": {"$last": "$trail"}}, sort=[("_id", 1)])
                async for document in cursor:
                    if head := _head(collection, document["_id"], document.get("head")):
                        yield head

    async def trails(self) -> AsyncIterator[Told]:
        for collection in TRAILED:
            async with guarded():
                async for document in self._database[collection].find(sort=[("_id", 1)]):
                    name, (content, trail, attached) = named(collection, document["_id"]), READ[collection](document)
                    earlier = await self._moved_out(name) if trail and trail[0].seq > 1 else ()
                    yield Told(name, content, (*earlier, *trail), attached)

    async def _moved_out(self, name: str) -> tuple[TrailEntry, ...]:
        cursor = self._database["trails"].find({"of": name}, sort=[("of", 1), ("seq", 1)])
        return tuple([entry(document) async for document in cursor])

    async def add(self, checkpoint: Checkpoint) -> bool:
        try:
            async with guarded():
                await self._checkpoints.insert_one(codec.document(checkpoint, "index"))
        except DuplicateKeyError:
            return False
        return True

    async def last(self) -> Checkpoint | None:
        async with guarded():
            found = await self._checkpoints.find_one(sort=[("_id", -1)])
        return codec.record(Checkpoint, found, "index") if found else None

    async def after(self, index: int) -> AsyncIterator[Checkpoint]:
        async with guarded():
            async for document in self._checkpoints.find({"_id": {"$gt": index}}, sort=[("_id", 1)]):
                yield codec.record(Checkpoint, document, "index")


Read = Callable[[Mapping[str, Any]], tuple[contents.Content, tuple[TrailEntry, ...], Mapping[str, object]]]


def _account(document: Mapping[str, Any]) -> tuple[contents.Content, tuple[TrailEntry, ...], Mapping[str, object]]:
    account = exposures.read(document)
    return contents.of_account(account), account.trail, {}


def _copy(document: Mapping[str, Any]) -> tuple[contents.Content, tuple[TrailEntry, ...], Mapping[str, object]]:
    copy: Copy = activities.read(document)
    return contents.of_copy(copy), copy.trail, contents.attached(copy)


def _follow(document: Mapping[str, Any]) -> tuple[contents.Content, tuple[TrailEntry, ...], Mapping[str, object]]:
    follow = codec.record(Follow, document, "follow_id")
    return contents.of_follow(follow), follow.trail, {}


def _user(document: Mapping[str, Any]) -> tuple[contents.Content, tuple[TrailEntry, ...], Mapping[str, object]]:
    user = codec.record(User, document, "address")
    return contents.of_user(user), user.trail, {}


def _log_ins(document: Mapping[str, Any]) -> tuple[contents.Content, tuple[TrailEntry, ...], Mapping[str, object]]:
    day = codec.record(LogIns, document, "day")
    return contents.of_log_ins(day.day), day.trail, {}


def _refused(document: Mapping[str, Any]) -> tuple[contents.Content, tuple[TrailEntry, ...], Mapping[str, object]]:
    day = codec.record(refused_tokens.RefusedTokens, document, "day")
    return refused_tokens.content(day), day.trail, {}


READ: Mapping[str, Read] = {
    "accounts": _account,
    "user_activities": _copy,
    "follows": _follow,
    "users": _user,
    "log_ins": _log_ins,
    "refused_tokens": _refused,
}


def _change(event: Mapping[str, Any]) -> Change[Head] | None:
    head = _head(event["ns"]["coll"], event["documentKey"]["_id"], event.get("head"))
    return Change(str(event["_id"]["_data"]), head) if head else None


def _head(collection: str, key: str, last: Mapping[str, Any] | None) -> Head | None:
    return Head(named(collection, key), last["seq"], last["digest"]) if last else None
