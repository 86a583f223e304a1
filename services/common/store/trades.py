"""`Trades` in MongoDB."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.common.domain.trade import LeaderTrade
from services.common.store import codec
from services.common.store.session import Database, guarded, newest


class MongoTrades:
    """`user_activities`; `leader_fills`, whose `_id` numbers the trades of one fill; `moved_trades`, by the trade's key."""

    def __init__(self, database: Database) -> None:
        self._copies = database["user_activities"]
        self._fills = database["leader_fills"]
        self._moved = database["moved_trades"]

    async def of_orders(self, order_hashes: Sequence[str]) -> tuple[LeaderTrade, ...]:
        order = [("detectedAt", ASCENDING), ("_id", ASCENDING)]
        async with guarded():
            # What another has stored a moment ago counts, whatever the disk knows of it.
            found = await newest(self._copies).find(copies_of(order_hashes), {"trade": 1}, sort=order).to_list(None)
        trades = (codec.decode(LeaderTrade, document["trade"]) for document in reversed(found))
        first = {trade.key: trade for trade in trades}
        return tuple(first[key] for key in sorted(first))

    async def claim(self, trade: LeaderTrade, known: Mapping[str, str]) -> Mapping[str, str]:
        # The copies that are made of it make it durable, as it was written before them.
        fills, name = newest(self._fills), trade.fill
        try:
            async with guarded():
                made = {"key": trade.key, "tx": trade.tx_hash, "tradedAt": trade.traded_at}
                await fills.insert_one({"_id": f"{name}|{len(known)}", **made})
        except DuplicateKeyError:
            async with guarded():
                # A colon comes after every digit.
                noted = await fills.find({"_id": {"$gte": f"{name}|0", "$lt": f"{name}|:"}}).to_list(None)
            return {str(one["key"]): str(one["tx"]) for one in noted}
        return known

    async def place(self, key: str) -> str:
        async with guarded():
            found = await self._moved.find_one({"_id": key})
        return str(found["tx"]) if found else ""

    async def move(self, key: str, before: str, after: str) -> bool:
        async with guarded():
            done = await self._moved.update_one({"_id": key, "tx": before}, {"$set": {"tx": after}})
            if done.matched_count:
                return True
            try:
                await self._moved.insert_one({"_id": key, "tx": after})
            except DuplicateKeyError:
                return await self.place(key) == after
        return True


def copies_of(order_hashes: Sequence[str]) -> dict[str, Any]:
    """The copies of what these orders of leaders have filled; an attempt to sell is held against a trade, it is no copy of it."""
    # The plain bound lets the partial index serve it.
    return {"trade.orderHash": {"$in": list(order_hashes), "$gt": ""}, "kind": {"$ne": "exit"}}
