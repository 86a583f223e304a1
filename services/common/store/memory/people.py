"""`Users` and `Nonces` in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.common.domain import changes, log_ins, refused_tokens
from services.common.domain.user import Nonce, User
from services.common.store.memory.database import MemoryDatabase, add


class MemoryUsers:
    """`users` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database
        self._users: dict[str, User] = database.users

    async def get(self, address: str) -> User | None:
        await self._db.turn()
        return self._users.get(address)

    async def upsert(self, user: User) -> User:
        await self._db.turn()
        known = self._users.get(user.address)
        if known is None:
            return self._keep(changes.welcomed(user))
        return known if known.role is user.role else self._keep(changes.in_role(known, user.role, user.created_at))

    async def advance_epoch(self, address: str, now: datetime) -> User | None:
        await self._db.turn()
        known = self._users.get(address)
        if known is None:
            return None
        return self._keep(changes.signed_out(known, now))

    def _keep(self, user: User) -> User:
        user = replace(user, trail=self._db.shortened("users", user.address, user.trail))
        self._db.grown("users", user.address, user.trail)
        self._users[user.address] = user
        return user


class MemoryLogIns:
    """`log_ins` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def note(self, who: str, action: str, now: datetime) -> None:
        await self._db.turn()
        day = log_ins.day_of(now)
        after = log_ins.noted(self._db.log_ins.get(day) or log_ins.LogIns(day), who, action, now)
        after = replace(after, trail=self._db.shortened("log_ins", day, after.trail))
        self._db.log_ins[day] = after
        self._db.grown("log_ins", day, after.trail)


class MemoryRefusedTokens:
    """`refused_tokens` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def note(self, day: str, refusals: Sequence[refused_tokens.Refusal], now: datetime) -> None:
        await self._db.turn()
        known = self._db.refused_tokens.get(day) or refused_tokens.RefusedTokens(day)
        after = refused_tokens.noted(known, refusals, now)
        after = replace(after, trail=self._db.shortened("refused_tokens", day, after.trail))
        self._db.refused_tokens[day] = after
        self._db.grown("refused_tokens", day, after.trail)


class MemoryNonces:
    """`auth_nonces` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database
        self._nonces: dict[str, Nonce] = {}

    async def add(self, nonce: Nonce) -> None:
        await self._db.turn()
        add(self._nonces, nonce.nonce, nonce)

    async def open_for(self, address: str, now: datetime, limit: int = 5) -> tuple[Nonce, ...]:
        await self._db.turn()
        found = [nonce for nonce in self._nonces.values() if nonce.address == address and nonce.expires_at > now]
        return tuple(sorted(found, key=lambda nonce: nonce.expires_at, reverse=True)[:limit])

    async def consume(self, nonce: str, address: str, now: datetime) -> Nonce | None:
        await self._db.turn()
        known = self._nonces.get(nonce)
        if known is None or known.address != address or known.expires_at <= now:
            return None
        return self._nonces.pop(nonce)
