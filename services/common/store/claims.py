"""Taking copies in MongoDB: one update that no two workers win, under a lease of the database's clock."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING, ReturnDocument

from services.common.domain import transitions
from services.common.domain.copy import Copy, CopyKind, CopyRef
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import unheard
from services.common.store import activities
from services.common.store.copy_views import MongoCopyViews
from services.common.store.indexes import EPOCH
from services.common.store.session import Collection, guarded, newest

ORDER = [("rank", ASCENDING), ("turn", ASCENDING)]


class MongoClaims(MongoCopyViews):
    """The part of `Copies` that hands them out; the meaning of each method is in the port."""

    def __init__(self, copies: Collection) -> None:
        super().__init__(copies)
        self._newest = newest(copies)

    async def claim(
        self,
        account_id: str,
        worker: str,
        lease: timedelta,
        *,
        fresh: bool,
        barred_leaders: Sequence[str] = (),
        barred_markets: Sequence[str] = (),
        only_exits: bool = False,
        busy_tokens: Sequence[str] = (),
        in_hand: Sequence[str] = (),
        on_taken: Callable[[Copy], None] = unheard,
    ) -> Copy | None:
        kinds = _kinds(fresh, only_exits, barred_leaders, barred_markets, busy_tokens)
        wanted = claimable(account_id, kinds)
        async with guarded():
            behind: list[Mapping[str, Any]] = []
            while (taken := await self._take(wanted | ({"$nor": behind} if behind else {}), worker, lease)) is not None:
                copy = activities.read(taken)
                on_taken(copy)
                first = await self._first_before(copy, barred_leaders, in_hand)
                if first is None:
                    return copy
                await self._put_back(copy)
                # Whatever is behind that one waits for it too, however much of it is due before it.
                behind.append(_behind(first))
        return None

    async def _take(self, wanted: Mapping[str, Any], worker: str, lease: timedelta) -> dict[str, Any] | None:
        change = {
            "state": {"$cond": [{"$eq": ["$state", "executing"]}, "executing", "claimed"]},
            "claimedBy": worker,
            "fence": {"$add": ["$fence", 1]},
            "claimableAt": from_now(lease),
            "dueAt": "$claimableAt",
            "rev": {"$add": ["$rev", 1]},
        }
        # A lease need not outlive the primary: whoever goes on without it is refused by the fence, at the intent or at the resend.
        return await self._newest.find_one_and_update(
            wanted, [{"$set": change}], sort=ORDER, return_document=ReturnDocument.AFTER
        )

    async def _first_before(self, copy: Copy, barred_leaders: Sequence[str], in_hand: Sequence[str]) -> Copy | None:
        """The first of those that this one waits for."""
        # Taken first and looked at after: of two neighbours that are taken at once, the later one sees the earlier and goes back.
        if copy.kind is not CopyKind.ENTRY or copy.state is CopyState.EXECUTING:
            return None
        earlier = {
            "account": copy.account_id,
            "trade.tokenId": copy.trade.token_id,
            "state": {"$in": ["detected", "claimed"]},
            "claimableAt": {"$gt": EPOCH},
            "_id": {"$nin": [copy.copy_id, *in_hand]},
            "trade.blockNumber": {"$lte": copy.trade.block_number},
        }
        found = self._newest.find(earlier, sort=[("trade.blockNumber", ASCENDING), ("trade.logIndex", ASCENDING)])
        async for document in found:
            other = activities.read(document)
            if transitions.blocks(other, copy, barred_leaders):
                return other
        return None

    async def _put_back(self, copy: Copy) -> None:
        # Untouched, so that its place among those that are due stays.
        change = {
            "state": "detected",
            "claimedBy": "",
            "claimableAt": "$dueAt",
            "rev": {"$add": ["$rev", 1]},
        }
        await self._copies.update_one(
            {"_id": copy.copy_id, "fence": copy.fence, "state": "claimed"}, [{"$set": change}]
        )

    async def renew(self, ref: CopyRef, lease: timedelta) -> bool:
        held = {"_id": ref.copy_id, "fence": ref.fence, "state": {"$in": ["claimed", "executing"]}}
        async with guarded():
            done = await self._copies.update_one(
                held, [{"$set": {"claimableAt": from_now(lease), "rev": {"$add": ["$rev", 1]}}}]
            )
        return done.matched_count == 1


def claimable(account_id: str, kinds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What of an account may be taken now, of these kinds."""
    return {
        "account": account_id,
        # The plain bound lets the partial index serve it; the database's clock decides, and bounds the index's keys from above.
        "claimableAt": {"$gt": EPOCH},
        "$expr": {"$lte": ["$claimableAt", "$$NOW"]},
        "$or": kinds,
    }


def _kinds(
    fresh: bool,
    only_exits: bool,
    barred_leaders: Sequence[str],
    barred_markets: Sequence[str],
    busy_tokens: Sequence[str],
) -> list[dict[str, Any]]:
    """What may be claimed, by its state and rank."""
    kinds: list[dict[str, Any]] = [{"state": "executing", "intent": {"$ne": None}}]
    if not fresh:
        return kinds
    waiting = {"state": {"$in": ["detected", "claimed"]}}
    ordered = {**waiting, "trade.tokenId": {"$nin": list(busy_tokens)}}
    kinds.append({**waiting, "rank": activities.RANK[CopyKind.DEBT]})
    kinds.append({**ordered, "rank": activities.RANK[CopyKind.EXIT]})
    if not only_exits:
        barred = {"trade.leader": {"$nin": list(barred_leaders)}, "trade.conditionId": {"$nin": list(barred_markets)}}
        kinds.append({**ordered, "rank": activities.RANK[CopyKind.ENTRY], **barred})
    return kinds


def _behind(first: Copy) -> dict[str, Any]:
    """The entries of its token that come after it in the chain."""
    block, index = first.trade.block_number, first.trade.log_index
    return {
        "trade.tokenId": first.trade.token_id,
        "rank": activities.RANK[CopyKind.ENTRY],
        "state": {"$in": ["detected", "claimed"]},
        "$or": [
            {"trade.blockNumber": {"$gt": block}},
            {"trade.blockNumber": block, "trade.logIndex": {"$gt": index}},
        ],
    }


def from_now(after: timedelta) -> dict[str, Any]:
    """An instant from the database's clock, for whoever takes or gives back a copy: no process's own decides when another may have it."""
    return {"$add": ["$$NOW", int(after.total_seconds() * 1000)]}
