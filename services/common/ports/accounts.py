"""The ports of who trades and whom he follows.

As of every port of the store: see `services.common.ports.stores`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.common.domain.account import Account, ExposureChange
from services.common.domain.follow import Follow


class Accounts(Protocol):
    """`accounts`: one line each; every control change advances `seq`."""

    async def create(self, account: Account) -> bool: ...

    async def get(self, account_id: str) -> Account | None: ...

    async def all(self) -> tuple[Account, ...]: ...

    async def change(self, account_id: str, change: Callable[[Account], Account | None]) -> Account | None:
        """What `change` (one of `domain.control`) makes of the account, on the line that was read; again while another write is first.
        None where there is no such account, or `change` gives none. What it raises is passed on, and nothing is written."""
        ...

    async def apply(self, account_id: str, change: ExposureChange) -> bool:
        """Move the exposure outside a copy's transaction (high-water mark, a day's opening). False where there is no such account, or
        the opening is known already: then nothing is written."""
        ...


class Follows(Protocol):
    """`follows`: who is watched for whom."""

    async def create(self, follow: Follow) -> bool: ...

    async def get(self, follow_id: str) -> Follow | None: ...

    async def all(self) -> tuple[Follow, ...]: ...

    async def change(self, follow_id: str, change: Callable[[Follow], Follow | None]) -> Follow | None:
        """What `change` (one of `domain.changes`) makes of the follow, as it was read; again while another write is first.
        None where there is no such follow, or `change` gives none."""
        ...


@dataclass(frozen=True, slots=True)
class Leader:
    """How far a leader has been read: every trade up to `cursor_block` and `cursor_at` has its copies. `lag_ms` of the last one."""

    address: str
    cursor_block: int
    cursor_at: datetime
    seen: int = 0
    last_trade_at: datetime | None = None
    lag_ms: int | None = None


class Leaders(Protocol):
    """`leaders`: cursors and health, written by the monitor."""

    async def get(self, address: str) -> Leader | None: ...

    async def all(self) -> tuple[Leader, ...]: ...

    async def start(self, leader: Leader) -> bool:
        """Keep the first cursor of a leader; False when he has one."""
        ...

    async def advance(self, leader: Leader) -> bool:
        """Move a cursor forward, never back."""
        ...
