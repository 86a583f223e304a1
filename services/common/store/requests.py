"""`CloseRequests` in MongoDB."""

from pymongo import ASCENDING, ReturnDocument

from services.common.domain.close_request import CloseRequest
from services.common.store import codec
from services.common.store.session import Database, guarded

ID = "key"


class MongoCloseRequests:
    """`close_requests`; `_id` names account and request."""

    def __init__(self, database: Database) -> None:
        self._requests = database["close_requests"]

    async def get(self, key: str) -> CloseRequest | None:
        async with guarded():
            found = await self._requests.find_one({"_id": key})
        return codec.record(CloseRequest, found, ID) if found else None

    async def open(self, request: CloseRequest) -> CloseRequest:
        made = codec.document(request, ID)
        del made["_id"]
        async with guarded():
            found = await self._requests.find_one_and_update(
                {"_id": request.key}, {"$setOnInsert": made}, upsert=True, return_document=ReturnDocument.AFTER
            )
        return codec.record(CloseRequest, found, ID)

    async def unfinished(self, account_id: str) -> tuple[CloseRequest, ...]:
        async with guarded():
            cursor = self._requests.find(
                {"account": account_id, "done": False}, sort=[("at", ASCENDING), ("_id", ASCENDING)]
            )
            return tuple([codec.record(CloseRequest, document, ID) async for document in cursor])

    async def finish(self, key: str) -> None:
        async with guarded():
            await self._requests.update_one({"_id": key}, {"$set": {"done": True}})
