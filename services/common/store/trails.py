"""Where the eldest entries of long trails go: a document keeps a hundred at most, and none is lost."""

from collections.abc import Mapping
from typing import Any

from pymongo.errors import BulkWriteError

from services.common.domain.trail import Trail, TrailEntry, parted
from services.common.store import codec
from services.common.store.session import Database, guarded

DUPLICATE = 11000


async def shortened(database: Database, collection: str, key: str, trail: Trail) -> Trail:
    """What stays in the document; what leaves it is kept first, and outside of any transaction: it has been committed before."""
    leaving, staying = parted(trail)
    if leaving:
        of = named(collection, key)
        made = [{"_id": f"{of}/{entry.seq}", "of": of, **codec.encode(entry)} for entry in leaving]
        try:
            async with guarded():
                await database["trails"].insert_many(made, ordered=False)
        except BulkWriteError as error:
            # Kept already by a write that then was not the first.
            if any(failure["code"] != DUPLICATE for failure in error.details["writeErrors"]):
                raise
    return staying


def unmoved(trail: Trail) -> dict[str, Any]:
    """Holds for a document whose trail is still this one."""
    after = {f"trail.{len(trail)}": {"$exists": False}}
    return {f"trail.{len(trail) - 1}.digest": trail[-1].digest, **after} if trail else after


def named(collection: str, key: str) -> str:
    """A trail's name."""
    return f"{collection}/{key}"


def entry(document: Mapping[str, Any]) -> TrailEntry:
    """An entry as it is stored, in its document or apart."""
    return codec.decode(TrailEntry, document)
