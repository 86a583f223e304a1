"""`Accounts` in MongoDB."""

from collections.abc import Callable
from dataclasses import replace

from pymongo.errors import DuplicateKeyError

from services.common.domain.account import Account, ExposureChange
from services.common.store import codec, exposures, trails
from services.common.store.session import Database, guarded


class MongoAccounts:
    """`accounts`; the meaning of each method is in the port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts = database["accounts"]

    async def create(self, account: Account) -> bool:
        try:
            async with guarded():
                await self._accounts.insert_one(codec.document(account, exposures.ID))
        except DuplicateKeyError:
            return False
        return True

    async def get(self, account_id: str) -> Account | None:
        async with guarded():
            found = await self._accounts.find_one({"_id": account_id})
        return exposures.read(found) if found else None

    async def all(self) -> tuple[Account, ...]:
        async with guarded():
            return tuple([exposures.read(document) async for document in self._accounts.find(sort=[("_id", 1)])])

    async def apply(self, account_id: str, change: ExposureChange) -> bool:
        async with guarded():
            return await exposures.move(self._database, account_id, change)

    async def change(self, account_id: str, change: Callable[[Account], Account | None]) -> Account | None:
        # Control fields alone are written, on the line that was read: exposure moves by its own updates, but for a best that is to be forgotten.
        async with guarded():
            while (found := await self._accounts.find_one({"_id": account_id})) is not None:
                account = exposures.read(found)
                after = change(account)
                if after is None:
                    return None
                staying = await trails.shortened(self._database, "accounts", account_id, after.trail)
                after = replace(after, trail=staying)
                made = codec.document(after, exposures.ID)
                del made["exposure"], made["_id"]
                if after.exposure.forgets_best != account.exposure.forgets_best:
                    made["exposure.forgetsBest"] = after.exposure.forgets_best
                if (
                    await self._accounts.update_one({"_id": account_id, "seq": account.seq}, {"$set": made})
                ).matched_count:
                    return after
        return None
