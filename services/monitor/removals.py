"""Trades that a reorg has removed for good: what was not sent for them is voided, what was sent is told of (orders.md 2)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from prometheus_client import Counter

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.lifecycle import CopyState
from services.common.domain.trade import LeaderTrade
from services.common.ports.chain import Chain
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.monitor.reorgs import Reorgs

REASON = "removed"
GONE_FOR = timedelta(seconds=30)
"""A node that lags does not know a log yet; what is still missing after this was taken back."""
SENT = frozenset({CopyState.EXECUTING, CopyState.EXECUTED, CopyState.RECONCILED})

REMOVED = Counter("polycopy_monitor_removed_copies_total", "Copies whose trade a reorg has removed", ["became"])

log = structlog.get_logger()


@dataclass(slots=True)
class Noted:
    """A transaction that is not final yet: where it was mined, and what was made of it; since when it is missing, by the monotonic clock."""

    block: int
    entries: dict[str, LeaderTrade]
    missing_since_s: float | None = None


class Removals:
    """Holds every sweep against the transactions that were handled here. Debts are no matter of it: the engine owes again what is back."""

    def __init__(self, chain: Chain, stores: Stores, clock: Clock, reorgs: Reorgs) -> None:
        self._chain = chain
        self._stores = stores
        self._clock = clock
        self._reorgs = reorgs
        self._noted: dict[str, Noted] = {}

    def note(self, tx_hash: str, block: int, copies: Sequence[Copy]) -> None:
        """These copies are what a transaction asks for."""
        entries = {copy.copy_id: copy.trade for copy in copies if copy.kind is CopyKind.ENTRY}
        if entries:
            self._noted[tx_hash] = Noted(block, entries)

    async def check(self, first: int, last: int, mined: Collection[str]) -> tuple[str, ...]:
        """Hold the transactions that were just read from these blocks against those that are known; those that are gone for good.

        Raises what the ports raise: then they are looked at again.
        """
        # A clock that is set right meanwhile would make a moment of half a minute, or the other way round.
        now_s = self._clock.monotonic()
        gone = [tx for tx, one in self._noted.items() if self._is_missing(tx, one, first, last, mined, now_s)]
        self._noted = {
            tx: one for tx, one in self._noted.items() if one.block >= first or one.missing_since_s is not None
        }
        return tuple([tx for tx in gone if await self._is_over(tx)])

    def _is_missing(
        self, tx_hash: str, one: Noted, first: int, last: int, mined: Collection[str], now_s: float
    ) -> bool:
        if tx_hash in mined:
            one.missing_since_s = None
        elif one.missing_since_s is None and first <= one.block <= last:
            one.missing_since_s = now_s
        return one.missing_since_s is not None and now_s - one.missing_since_s >= GONE_FOR.total_seconds()

    async def _is_over(self, tx_hash: str) -> bool:
        """Whether there is nothing left to do about a transaction that logs tell of no more."""
        receipt, one = await self._chain.receipt(tx_hash), self._noted[tx_hash]
        if receipt is not None:
            one.block, one.missing_since_s = receipt.block_number, None
            return False
        for copy_id, trade in list(one.entries.items()):
            if await self._reorgs.has_moved(trade) or await self._is_settled(copy_id):
                del one.entries[copy_id]
        if one.entries:
            return False
        del self._noted[tx_hash]
        return True

    async def _is_settled(self, copy_id: str) -> bool:
        """Void a copy of which nothing was sent; False where it is in somebody's hands just now."""
        if await self._stores.copies.void(copy_id, REASON, self._clock.now()):
            log.warning("copy_voided", copy=copy_id, reason=REASON)
            REMOVED.labels("voided").inc()
            return True
        copy = await self._stores.copies.get(copy_id)
        if copy is None or copy.state in {CopyState.SKIPPED, CopyState.FAILED}:
            return True
        if copy.state not in SENT and not copy.intents:
            return False
        log.error("removed_trade_was_copied", copy=copy_id, tx=copy.trade.tx_hash, orders=list(copy.order_hashes))
        REMOVED.labels("sent").inc()
        return True
