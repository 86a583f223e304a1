"""Asking for copies in memory: everything that changes none."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.intent import Intent, IntentState
from services.common.domain.lifecycle import CopyState
from services.common.domain.recent_order import RecentOrder, recent_order
from services.common.ports.answers import Change, Page
from services.common.store.memory.database import MemoryDatabase


class MemoryCopyViews:
    """The part of `Copies` that reads; the meaning of each method is in the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def get(self, copy_id: str) -> Copy | None:
        await self._db.turn()
        return self._db.copies.get(copy_id)

    async def unsettled(self, account_id: str, limit: int) -> tuple[Copy, ...]:
        await self._db.turn()
        now = self._db.now()
        found = [
            copy
            for copy in map(self._db.copies.__getitem__, self._db.index.unsettled(account_id))
            if copy.intent is not None and _unsettled(copy, copy.intent, now)
        ]
        never = datetime.min.replace(tzinfo=now.tzinfo)
        return tuple(sorted(found, key=lambda copy: self._db.touched.get(copy.copy_id, never))[:limit])

    async def unwatched(self, account_id: str, limit: int) -> tuple[Copy, ...]:
        await self._db.turn()
        now = self._db.now()
        given_up = map(self._db.copies.__getitem__, self._db.index.unsettled(account_id))
        return tuple(copy for copy in given_up if _is_forgotten(copy, now))[:limit]

    async def of_exit(self, exit_id: str) -> tuple[Copy, ...]:
        await self._db.turn()
        found = map(self._db.copies.__getitem__, self._db.index.of_exit(exit_id))
        return tuple(
            sorted(found, key=lambda copy: (copy.kind is CopyKind.EXIT, copy.attempt_number, copy.chain_place))
        )

    async def of_token(self, account_id: str, token_id: str, follow_id: str | None = None) -> tuple[Copy, ...]:
        await self._db.turn()
        found = [self._db.copies[copy_id] for copy_id in self._db.by_token.get((account_id, token_id), ())]
        return tuple(
            sorted(
                (copy for copy in found if _counts(copy) and follow_id in {None, copy.follow_id}),
                key=attrgetter("chain_place"),
            )
        )

    async def of_group(self, account_id: str, group_key: str) -> tuple[Copy, ...]:
        await self._db.turn()
        found = map(self._db.copies.__getitem__, self._db.index.of_group(account_id, group_key))
        return tuple(sorted(found, key=attrgetter("chain_place")))

    async def recent_orders(self, account_id: str, since: datetime) -> tuple[RecentOrder, ...]:
        await self._db.turn()
        index = self._db.index
        wanted = dict.fromkeys((*index.reviews(account_id), *index.sent_since(account_id, since)))
        found = map(self._db.copies.__getitem__, wanted)
        return tuple(order for order in map(recent_order, found) if order is not None)

    async def reviews(self, accounts: Sequence[str], limit: int) -> tuple[Copy, ...]:
        await self._db.turn()
        found = [self._db.copies[one] for account in accounts for one in self._db.index.reviews(account)]
        return tuple(sorted(found, key=lambda copy: (copy.detected_at, copy.copy_id), reverse=True)[:limit])

    async def page(self, accounts: Sequence[str], limit: int, offset: int) -> Page[Copy]:
        await self._db.turn()
        found = [copy for account in accounts for copy in self._db.of_account(account)]
        newest = sorted(found, key=lambda copy: (copy.detected_at, copy.copy_id), reverse=True)
        return Page(tuple(newest[offset : offset + limit]), len(found))

    async def counts(self, accounts: Sequence[str]) -> Mapping[tuple[CopyKind, CopyState, str], int]:
        await self._db.turn()
        found = (copy for account in accounts for copy in self._db.of_account(account))
        return Counter((copy.kind, copy.state, copy.skip_reason or copy.failure) for copy in found)

    async def under_way(self, accounts: Sequence[str]) -> int:
        await self._db.turn()
        found = (copy for account in accounts for copy in self._db.of_account(account))
        return sum(1 for copy in found if _under_way(copy))

    def watch(self, token: str | None) -> AsyncIterator[Change[Copy]]:
        return self._db.copy_feed.watch(token)


def _under_way(copy: Copy) -> bool:
    if copy.state is CopyState.EXECUTED:
        return copy.intent is not None
    return copy.state in {CopyState.CLAIMED, CopyState.EXECUTING} and copy.claimable_at is not None


def _is_forgotten(copy: Copy, now: datetime) -> bool:
    until = copy.intent.watch_until if copy.intent and copy.state is CopyState.FAILED else None
    return until is not None and until <= now


def _unsettled(copy: Copy, intent: Intent, now: datetime) -> bool:
    if copy.state is CopyState.EXECUTED:
        return True
    watched = copy.state is CopyState.FAILED and intent.state is IntentState.PRESUMED_DEAD
    return watched and intent.watch_until is not None and intent.watch_until > now


def _counts(copy: Copy) -> bool:
    if copy.kind is not CopyKind.ENTRY or copy.state is CopyState.SKIPPED:
        return False
    return copy.state is not CopyState.FAILED or copy.filled_micros > 0 or _presumed_dead(copy)


def _presumed_dead(copy: Copy) -> bool:
    return copy.intent is not None and copy.intent.state is IntentState.PRESUMED_DEAD
