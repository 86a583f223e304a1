"""`Accounts` in memory."""

from collections.abc import Callable
from dataclasses import replace

from services.common.domain.account import Account, ExposureChange
from services.common.store.memory.database import MemoryDatabase, add


class MemoryAccounts:
    """`accounts` in memory; the meaning of each method is in the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def create(self, account: Account) -> bool:
        await self._db.turn()
        new = add(self._db.accounts, account.account_id, account)
        if new:
            self._db.grown("accounts", account.account_id, account.trail)
        return new

    async def get(self, account_id: str) -> Account | None:
        await self._db.turn()
        return self._db.accounts.get(account_id)

    async def all(self) -> tuple[Account, ...]:
        await self._db.turn()
        return tuple(self._db.accounts[account_id] for account_id in sorted(self._db.accounts))

    async def apply(self, account_id: str, change: ExposureChange) -> bool:
        await self._db.turn()
        account = self._db.accounts.get(account_id)
        if account is None:
            return False
        if change.opening_micros is not None and account.exposure.day(change.at).opening_micros is not None:
            return False
        self._db.expose(account_id, change)
        return True

    async def change(self, account_id: str, change: Callable[[Account], Account | None]) -> Account | None:
        await self._db.turn()
        account = self._db.accounts.get(account_id)
        after = change(account) if account else None
        if after is not None:
            after = replace(after, trail=self._db.shortened("accounts", account_id, after.trail))
            self._db.accounts[account_id] = after
            self._db.grown("accounts", account_id, after.trail)
        return after
