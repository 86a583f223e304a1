"""Change streams as the port wants them: every change with the token that resumes after it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from pymongo.errors import OperationFailure

from services.common.ports.answers import Change
from services.common.store.session import Collection, guarded

T = TypeVar("T")

# The oplog no longer reaches the token.
TOO_OLD = frozenset({260, 280, 286})
STAGES = [{"$match": {"operationType": {"$in": ["insert", "replace", "update"]}}}]


async def watched(
    collection: Collection, read: Callable[[Mapping[str, Any]], T], token: str | None
) -> AsyncIterator[Change[T]]:
    """Changes of a collection after `token`, from now on where it is None; a resync change first when the token is too old."""
    begun = False
    async with guarded():
        try:
            async with aclosing(_after(collection, read, token)) as changes:
                async for change in changes:
                    begun = True
                    yield change
        except OperationFailure as error:
            # What the server says about a token that somebody made up depends on where its reader stumbles.
            if token is None or (begun and error.code not in TOO_OLD):
                raise
            async with aclosing(_resynced(collection, read)) as changes:
                async for change in changes:
                    yield change


async def _after(
    collection: Collection, read: Callable[[Mapping[str, Any]], T], token: str | None
) -> AsyncGenerator[Change[T]]:
    after = {"_data": token} if token else None
    async with collection.watch(STAGES, full_document="updateLookup", resume_after=after) as stream:
        async for event in stream:
            if change := _change(event, read):
                yield change


async def _resynced(collection: Collection, read: Callable[[Mapping[str, Any]], T]) -> AsyncGenerator[Change[T]]:
    async with collection.watch(STAGES, full_document="updateLookup") as stream:
        # Opened before the marker is told: what changes while its reader takes a snapshot comes after it.
        early = await stream.try_next()
        opened = stream.resume_token
        yield Change(str(opened["_data"]) if opened else "", None)
        if early is not None and (change := _change(early, read)):
            yield change
        async for event in stream:
            if change := _change(event, read):
                yield change


def _change(event: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T]) -> Change[T] | None:
    document = event.get("fullDocument")
    return Change(str(event["_id"]["_data"]), read(document)) if document is not None else None
