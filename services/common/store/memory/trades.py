"""`Trades` in memory."""

from collections.abc import Mapping, Sequence

from services.common.domain.copy import CopyKind
from services.common.domain.trade import LeaderTrade
from services.common.store.memory.database import MemoryDatabase


class MemoryTrades:
    """Leaders' trades in memory; the meaning of each method is in the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database
        self._moved: dict[str, str] = {}
        self._noted: dict[str, dict[str, str]] = {}

    async def of_orders(self, order_hashes: Sequence[str]) -> tuple[LeaderTrade, ...]:
        await self._db.turn()
        known = [self._db.copies[one] for name in set(order_hashes) for one in self._db.by_order.get(name, ())]
        made = sorted((copy for copy in known if copy.kind is not CopyKind.EXIT), key=lambda one: one.detected_at)
        first = {copy.trade.key: copy.trade for copy in reversed(made)}
        return tuple(first[key] for key in sorted(first))

    async def claim(self, trade: LeaderTrade, known: Mapping[str, str]) -> Mapping[str, str]:
        await self._db.turn()
        noted = self._noted.get(trade.fill, {})
        if len(noted) == len(known):
            self._noted[trade.fill] = noted | {trade.key: trade.tx_hash}
        return noted

    async def place(self, key: str) -> str:
        await self._db.turn()
        return self._moved.get(key, "")

    async def move(self, key: str, before: str, after: str) -> bool:
        await self._db.turn()
        if self._moved.get(key, before) not in {before, after}:
            return False
        self._moved[key] = after
        return True
