"""`Accounts` in memory."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from services.common.domain import control
from services.common.domain.account import Account, AccountState, ExposureChange, Limits, Pause, PauseScope
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

    async def set_state(self, account_id: str, state: AccountState, by: str, now: datetime) -> Account | None:
        return await self._change(account_id, lambda account: control.in_state(account, state, by, now))

    async def pause(self, account_id: str, pause: Pause) -> Account | None:
        return await self._change(account_id, lambda account: control.paused(account, pause))

    async def resume(self, account_id: str, scope: PauseScope, subject: str, by: str, now: datetime) -> Account | None:
        return await self._change(account_id, lambda account: control.resumed(account, scope, subject, by, now))

    async def set_limits(
        self, account_id: str, limits: Limits, expected_version: int, by: str, now: datetime
    ) -> Account | None:
        def limited(account: Account) -> Account | None:
            return control.limited(account, limits, by, now) if account.limits_version == expected_version else None

        return await self._change(account_id, limited)

    async def set_active_version(self, account_id: str, version: str, by: str, now: datetime) -> Account | None:
        return await self._change(account_id, lambda account: control.served_by(account, version, by, now))

    async def change(self, account_id: str, change: Callable[[Account], Account | None]) -> Account | None:
        return await self._change(account_id, change)

    async def apply(self, account_id: str, change: ExposureChange) -> bool:
        await self._db.turn()
        if account_id not in self._db.accounts:
            return False
        self._db.expose(account_id, change)
        return True

    async def _change(self, account_id: str, change: Callable[[Account], Account | None]) -> Account | None:
        await self._db.turn()
        account = self._db.accounts.get(account_id)
        after = change(account) if account else None
        if after is not None:
            after = replace(after, trail=self._db.shortened("accounts", account_id, after.trail))
            self._db.accounts[account_id] = after
            self._db.grown("accounts", account_id, after.trail)
        return after
