"""A trade that a reorg has moved to another transaction keeps its first key, so that it is never copied twice (orders.md 2)."""

from collections import OrderedDict
from dataclasses import replace
from datetime import timedelta

import structlog

from services.common.domain.trade import LeaderTrade
from services.common.ports.chain import Chain
from services.common.ports.clock import Clock
from services.monitor.receipts import mined

REMEMBERED = 50_000
# A node that lags behind its siblings does not know a receipt yet; one that is still missing after this was taken back.
PATIENCE = timedelta(seconds=10)

log = structlog.get_logger()

Fill = tuple[str, str, int, int]


class Reorgs:
    """Remembers fills by what a reorg leaves alone: the leader, his order and the amounts."""

    def __init__(self, chain: Chain, clock: Clock) -> None:
        self._chain = chain
        self._clock = clock
        self._keys: OrderedDict[Fill, dict[str, str]] = OrderedDict()

    async def settled(self, trade: LeaderTrade) -> LeaderTrade:
        """The trade under the key that it was first seen by. Raises `ChainUnavailable`."""
        keys = self._of(_fill(trade))
        if trade.tx_hash not in keys:
            keys[trade.tx_hash] = await self._first_key(trade, keys)
        return replace(trade, key=keys[trade.tx_hash])

    def has_moved(self, trade: LeaderTrade) -> bool:
        """Whether another transaction stands for this trade."""
        keys = self._keys.get(_fill(trade), {})
        return any(key == trade.key for tx_hash, key in keys.items() if tx_hash != trade.tx_hash)

    async def _first_key(self, trade: LeaderTrade, keys: dict[str, str]) -> str:
        # An order can fill twice for the same amounts: only a transaction that is gone has moved.
        for tx_hash, key in list(keys.items()):
            if await mined(self._chain, self._clock, tx_hash, PATIENCE) is None:
                keys.pop(tx_hash, None)
                log.warning("trade_moved_by_reorg", leader=trade.leader, before=tx_hash, tx=trade.tx_hash)
                return key
        return trade.key

    def _of(self, fill: Fill) -> dict[str, str]:
        keys = self._keys.setdefault(fill, {})
        if len(self._keys) > REMEMBERED:
            self._keys.popitem(last=False)
        return keys


def _fill(trade: LeaderTrade) -> Fill:
    return trade.leader, trade.order_hash, trade.shares_micros, trade.usdc_micros
