"""The ports of who may log in.

As of every port of the store: see `services.common.ports.stores`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.common.domain.refused_tokens import Refusal
from services.common.domain.user import Nonce, User


class Users(Protocol):
    """`users`."""

    async def get(self, address: str) -> User | None: ...

    async def upsert(self, user: User) -> User:
        """The user that is kept: an existing one keeps its epoch and takes the role."""
        ...

    async def advance_epoch(self, address: str, now: datetime) -> User | None: ...


class LogIns(Protocol):
    """`log_ins`: one document for each UTC day, nothing but its trail."""

    async def note(self, who: str, action: str, now: datetime) -> None:
        """Add an entry to the day's trail."""
        ...


class RefusedTokens(Protocol):
    """`refused_tokens`: one document for each UTC day."""

    async def note(self, day: str, refusals: Sequence[Refusal], now: datetime) -> None:
        """Count these to the day's, with an entry in its trail."""
        ...


class Nonces(Protocol):
    """`auth_nonces`: deleted by use, or by a TTL index."""

    async def add(self, nonce: Nonce) -> None: ...

    async def open_for(self, address: str, now: datetime, limit: int = 5) -> tuple[Nonce, ...]:
        """The newest open messages of an address."""
        ...

    async def consume(self, nonce: str, address: str, now: datetime) -> Nonce | None:
        """Delete and return it, once; None when it is used, expired or another's."""
        ...
