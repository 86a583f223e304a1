"""Change streams as the port wants them: every change with the token that resumes after it."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.errors import OperationFailure

from services.common.ports.stores import Change

T = TypeVar("T")

# A token that the oplog no longer reaches, or that is none: 280 and 286 are the server's codes, 40647 and 50811 say "not a token".
TOO_OLD = frozenset({260, 280, 286, 40647, 50811})
STAGES = [{"$match": {"operationType": {"$in": ["insert", "replace", "update"]}}}]


async def watched(
    collection: AsyncIOMotorCollection[dict[str, Any]], read: Callable[[Mapping[str, Any]], T], token: str | None
) -> AsyncIterator[Change[T]]:
    """Changes of a collection after `token`, from now on where it is None; a resync change first when the token is too old."""
    try:
        async for change in _stream(collection, read, token):
            yield change
    except OperationFailure as error:
        if token is None or error.code not in TOO_OLD:
            raise
        yield Change("", None)
        async for change in _stream(collection, read, None):
            yield change


async def _stream(
    collection: AsyncIOMotorCollection[dict[str, Any]], read: Callable[[Mapping[str, Any]], T], token: str | None
) -> AsyncIterator[Change[T]]:
    after = {"_data": token} if token else None
    async with collection.watch(STAGES, full_document="updateLookup", resume_after=after) as stream:
        async for event in stream:
            document = event.get("fullDocument")
            if document is not None:
                yield Change(str(event["_id"]["_data"]), read(document))
