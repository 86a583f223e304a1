"""Asking for copies in MongoDB: everything that changes none."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from pymongo import ASCENDING, DESCENDING

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.lifecycle import CopyState
from services.common.domain.recent_order import RecentOrder
from services.common.ports.answers import Change, Page
from services.common.store import activities
from services.common.store.indexes import EPOCH
from services.common.store.session import Collection, guarded
from services.common.store.watching import watched

WATCHED = {"$expr": {"$gt": ["$intent.watchUntil", "$$NOW"]}}
UNWATCHED = {"intent.watchUntil": {"$gt": EPOCH}, "$expr": {"$lte": ["$intent.watchUntil", "$$NOW"]}}
"""Of an order that was given up: somebody still looks whether it fills, or nobody does any more."""


class MongoCopyViews:
    """The part of `Copies` that reads; the meaning of each method is in the port."""

    def __init__(self, copies: Collection) -> None:
        self._copies = copies

    async def get(self, copy_id: str) -> Copy | None:
        async with guarded():
            found = await self._copies.find_one({"_id": copy_id})
        return activities.read(found) if found else None

    async def unsettled(self, account_id: str, limit: int) -> tuple[Copy, ...]:
        wanted: dict[str, Any] = {"account": account_id, "unsettled": True}
        # Those whose watch is over are left out before the limit: nobody looks at them again, so they would be first for ever.
        wanted["$or"] = [{"state": "executed"}, WATCHED]
        return await self._find(wanted, [("lookedAt", ASCENDING)], limit)

    async def unwatched(self, account_id: str, limit: int) -> tuple[Copy, ...]:
        over = {"state": "failed", "intent.state": "presumed_dead", **UNWATCHED}
        return await self._find({"account": account_id, "unsettled": True, **over}, [("lookedAt", ASCENDING)], limit)

    async def of_exit(self, exit_id: str) -> tuple[Copy, ...]:
        found = await self._find({"exitId": exit_id}, [("kind", ASCENDING)])
        return tuple(
            sorted(found, key=lambda copy: (copy.kind is CopyKind.EXIT, copy.attempt_number, copy.chain_place))
        )

    async def of_token(self, account_id: str, token_id: str, follow_id: str | None = None) -> tuple[Copy, ...]:
        wanted: dict[str, Any] = {
            "account": account_id,
            "trade.tokenId": token_id,
            "kind": "entry",
            "state": {"$ne": "skipped"},
        }
        if follow_id is not None:
            wanted["follow"] = follow_id
        wanted["$or"] = [{"state": {"$ne": "failed"}}, {"filledMicros": {"$gt": 0}}, {"intent.state": "presumed_dead"}]
        return tuple(sorted(await self._find(wanted, []), key=attrgetter("chain_place")))

    async def of_group(self, account_id: str, group_key: str) -> tuple[Copy, ...]:
        found = await self._find({"account": account_id, "groupKey": group_key}, [])
        return tuple(sorted(found, key=attrgetter("chain_place")))

    async def recent_orders(self, account_id: str, since: datetime) -> tuple[RecentOrder, ...]:
        either: list[dict[str, Any]] = [{"sentAt": {"$gte": since}}, {"needsReview": True, "sentAt": {"$gt": EPOCH}}]
        recent = {"$or": [{"account": account_id, **one} for one in either]}
        async with guarded():
            cursor = self._copies.find(recent, activities.RECENT, sort=[("sentAt", ASCENDING)])
            return tuple([activities.read_recent(document) async for document in cursor])

    async def reviews(self, accounts: Sequence[str], limit: int) -> tuple[Copy, ...]:
        wanted = {"account": {"$in": list(accounts)}, "needsReview": True}
        return await self._find(wanted, [("detectedAt", DESCENDING), ("_id", DESCENDING)], limit)

    async def page(self, accounts: Sequence[str], limit: int, offset: int) -> Page[Copy]:
        wanted = {"account": {"$in": list(accounts)}}
        found = await self._find(wanted, [("detectedAt", DESCENDING), ("_id", DESCENDING)], limit, offset)
        async with guarded():
            return Page(found, await self._copies.count_documents(wanted))

    async def counts(self, accounts: Sequence[str]) -> Mapping[tuple[CopyKind, CopyState, str], int]:
        why = {"$cond": [{"$ne": ["$skipReason", ""]}, "$skipReason", "$failure"]}
        stages = [
            {"$match": {"account": {"$in": list(accounts)}}},
            {"$group": {"_id": {"kind": "$kind", "state": "$state", "why": why}, "count": {"$sum": 1}}},
        ]
        async with guarded():
            groups = await self._copies.aggregate(stages).to_list(None)
        return {
            (CopyKind(one["_id"]["kind"]), CopyState(one["_id"]["state"]), one["_id"]["why"]): one["count"]
            for one in groups
        }

    async def under_way(self, accounts: Sequence[str]) -> int:
        # By the indexes of what is claimable and of what is not settled: what is over is never counted through.
        mine = {"account": {"$in": list(accounts)}}
        worked_on = {**mine, "claimableAt": {"$gt": EPOCH}, "state": {"$in": ["claimed", "executing"]}}
        matched = {**mine, "unsettled": True, "state": "executed"}
        async with guarded():
            counts = await asyncio.gather(*(self._copies.count_documents(wanted) for wanted in (worked_on, matched)))
        return sum(counts)

    def watch(self, token: str | None) -> AsyncIterator[Change[Copy]]:
        return watched(self._copies, activities.read, token)

    async def _find(
        self,
        wanted: Mapping[str, Any],
        order: list[tuple[str, int]],
        limit: int | None = None,
        skip: int = 0,
    ) -> tuple[Copy, ...]:
        if limit == 0:  # to MongoDB, no limit
            return ()
        async with guarded():
            cursor = self._copies.find(wanted, skip=skip, limit=limit or 0, sort=order or None)
            return tuple([activities.read(document) async for document in cursor])
