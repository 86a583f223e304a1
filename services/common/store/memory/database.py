"""What the memory stores share: documents by collection, a clock, and the changes that watchers see."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from services.common.domain import transitions
from services.common.domain.account import Account, ExposureChange
from services.common.domain.checkpoint import Checkpoint, Head
from services.common.domain.copy import Copy
from services.common.domain.exit import Exit
from services.common.domain.exposure import applied
from services.common.domain.fill import Fill, LedgerLine, Position
from services.common.domain.follow import Follow
from services.common.domain.log_ins import LogIns
from services.common.domain.refused_tokens import RefusedTokens
from services.common.domain.trail import Trail, TrailEntry, parted
from services.common.domain.user import User
from services.common.ports.answers import Change
from services.common.ports.stores import StoreUnavailable
from services.common.store.memory.index import CopyIndex

T = TypeVar("T")

KEPT_CHANGES = 10_000


class Feed(Generic[T]):
    """The changes of one collection, numbered; the eldest are forgotten."""

    def __init__(self, keep: int = KEPT_CHANGES) -> None:
        self._keep = keep
        self._changes: list[tuple[int, T]] = []
        self._last = 0
        self._wakes: set[asyncio.Event] = set()

    def tell(self, value: T) -> None:
        """Note a change."""
        self._last += 1
        self._changes.append((self._last, value))
        del self._changes[: -self._keep]
        for wake in self._wakes:
            wake.set()

    async def watch(self, token: str | None) -> AsyncIterator[Change[T]]:
        """Changes after `token`, from now on where it is None; a resync change first when some after it were forgotten."""
        after = self._place(token)
        if after is None:
            after = self._last
            yield Change(str(after), None)
        wake = asyncio.Event()
        self._wakes.add(wake)
        try:
            while True:
                wake.clear()
                for number, value in [change for change in self._changes if change[0] > after]:
                    after = number
                    yield Change(str(number), value)
                await wake.wait()
        finally:
            self._wakes.discard(wake)

    def _place(self, token: str | None) -> int | None:
        """Where to go on; None where that is forgotten, or no place of ours."""
        if token is None:
            return self._last
        known = token.isdecimal() and self._last - len(self._changes) <= int(token) <= self._last
        return int(token) if known else None


class MemoryDatabase:
    """Every operation runs between two awaits, so it is atomic; `unavailable` makes all of them fail as a lost database does."""

    def __init__(self, now: Callable[[], datetime], *, interleaved: bool = True) -> None:
        self.now = now
        self.interleaved = interleaved
        self.unavailable = False
        self.copies: dict[str, Copy] = {}
        self.by_key: dict[tuple[str, str], str] = {}
        self.by_account: dict[str, dict[str, None]] = {}
        self.by_token: dict[tuple[str, str], list[str]] = {}
        self.by_order: dict[str, list[str]] = {}
        self.by_hash: dict[tuple[str, str], str] = {}
        self.index = CopyIndex()
        self.touched: dict[str, datetime] = {}
        self.accounts: dict[str, Account] = {}
        self.follows: dict[str, Follow] = {}
        self.users: dict[str, User] = {}
        self.log_ins: dict[str, LogIns] = {}
        self.refused_tokens: dict[str, RefusedTokens] = {}
        self.checkpoints: dict[int, Checkpoint] = {}
        self.head_feed: Feed[Head] = Feed()
        self.trails: dict[str, dict[int, TrailEntry]] = {}
        self.exits: dict[str, Exit] = {}
        self.positions: dict[tuple[str, str], Position] = {}
        self.fills: dict[tuple[str, str, str], Fill] = {}
        self.lines: dict[tuple[str, str, str], LedgerLine] = {}
        self.leases: dict[str, tuple[str, datetime]] = {}
        self.copy_feed: Feed[Copy] = Feed()
        self.position_feed: Feed[Position] = Feed()
        self.others: dict[str, dict[Any, Any]] = {}

    async def turn(self) -> None:
        """Let others run, as a round trip would, unless nobody cares; then go on atomically."""
        if self.interleaved:
            await asyncio.sleep(0)
        if self.unavailable:
            raise StoreUnavailable("memory database is away")

    def later(self, after: timedelta) -> datetime:
        """An instant from the database's clock."""
        return self.now() + after

    def add(self, copy: Copy) -> bool:
        """Insert a copy unless its key is known."""
        key = (copy.account_id, copy.idempotency_key)
        if key in self.by_key or copy.copy_id in self.copies:
            return False
        self.by_key[key] = copy.copy_id
        self.by_account.setdefault(copy.account_id, {})[copy.copy_id] = None
        self.by_token.setdefault((copy.account_id, copy.trade.token_id), []).append(copy.copy_id)
        if copy.trade.order_hash:
            self.by_order.setdefault(copy.trade.order_hash, []).append(copy.copy_id)
        self.put(copy)
        return True

    def shortened(self, collection: str, key: str, trail: Trail) -> Trail:
        """What stays in a document of its trail; what leaves it is kept apart."""
        leaving, staying = parted(trail)
        if leaving:
            self.trails.setdefault(f"{collection}/{key}", {}).update({entry.seq: entry for entry in leaving})
        return staying

    def grown(self, collection: str, key: str, trail: Trail) -> None:
        """Tell who follows the trails that one may have grown."""
        if trail:
            self.head_feed.tell(Head(f"{collection}/{key}", trail[-1].seq, trail[-1].digest))

    def put(self, copy: Copy) -> None:
        """Replace a copy, its trail sealed, and tell its watchers."""
        copy = transitions.sealed(copy)
        if len(staying := self.shortened("user_activities", copy.copy_id, copy.trail)) < len(copy.trail):
            copy = replace(copy, trail=staying)
        self.copies[copy.copy_id] = copy
        self.index.put(copy)
        self.grown("user_activities", copy.copy_id, copy.trail)
        self.copy_feed.tell(copy)

    def take_hash(self, copy: Copy, order_hash: str) -> None:
        """An order belongs to one copy of an account, for good."""
        if self.by_hash.setdefault((copy.account_id, order_hash), copy.copy_id) != copy.copy_id:
            raise StoreUnavailable(f"order {order_hash} belongs to another copy")

    def of_account(self, account_id: str) -> list[Copy]:
        """The copies of an account, in the order they were inserted."""
        return [self.copies[copy_id] for copy_id in self.by_account.get(account_id, ())]

    def expose(self, account_id: str, change: ExposureChange, *, attempted: bool = False) -> None:
        """Move an account's exposure and its line, `attempted` by an attempt that is journaled with it."""
        account = self.accounts[account_id]
        self.accounts[account_id] = _moved(account, change, int(attempted))


def add(kept: dict[str, T], name: str, value: T) -> bool:
    """Keep a value unless its name is taken, be it by the same value."""
    if name in kept:
        return False
    kept[name] = value
    return True


def _moved(account: Account, change: ExposureChange, attempts: int) -> Account:
    exposure = applied(account.exposure, change)
    return replace(account, seq=account.seq + 1, attempts=account.attempts + attempts, exposure=exposure)
