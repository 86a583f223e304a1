"""`CloseRequests` in memory."""

from dataclasses import replace

from services.common.domain.close_request import CloseRequest
from services.common.store.memory.database import MemoryDatabase


class MemoryCloseRequests:
    """`close_requests` in memory; the meaning of each method is in the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database
        self._requests: dict[str, CloseRequest] = {}

    async def get(self, key: str) -> CloseRequest | None:
        await self._db.turn()
        return self._requests.get(key)

    async def open(self, request: CloseRequest) -> CloseRequest:
        await self._db.turn()
        return self._requests.setdefault(request.key, request)

    async def unfinished(self, account_id: str) -> tuple[CloseRequest, ...]:
        await self._db.turn()
        found = (one for one in self._requests.values() if one.account_id == account_id and not one.done)
        return tuple(sorted(found, key=lambda one: (one.at, one.key)))

    async def finish(self, key: str) -> None:
        await self._db.turn()
        known = self._requests.get(key)
        if known is not None:
            self._requests[key] = replace(known, done=True)
