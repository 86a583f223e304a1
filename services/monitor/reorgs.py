"""A trade that a reorg has moved to another transaction keeps its first key, so that it is never copied twice (orders.md 2)."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from services.common.domain.trade import LeaderTrade
from services.common.ports.chain import Chain
from services.common.ports.clock import Clock
from services.common.ports.trades import Trades
from services.monitor.receipts import mined

REMEMBERED = 50_000
# A node that lags behind its siblings does not know a receipt yet; one that is still missing after this was taken back.
PATIENCE = timedelta(seconds=10)

log = structlog.get_logger()

Fill = tuple[str, str, int, int]


class Reorgs:
    """Knows fills by what a reorg leaves alone: the leader, his order and the amounts. Which of them have copies, and where one that was
    moved stands now, is stored: a monitor that starts anew, and one beside this, find the same. What is being stored just now is
    remembered."""

    def __init__(self, chain: Chain, trades: Trades, clock: Clock) -> None:
        self._chain = chain
        self._trades = trades
        self._clock = clock
        self._handled: OrderedDict[Fill, dict[str, str]] = OrderedDict()

    async def settled(self, trades: Sequence[LeaderTrade]) -> list[LeaderTrade]:
        """The trades, each under the key that it was first seen by. Raises `ChainUnavailable` and `StoreUnavailable`."""
        if not trades:
            return []
        stored = await self._trades.of_orders([trade.order_hash for trade in trades])
        return [await self._settled(trade, stored) for trade in trades]

    async def has_moved(self, trade: LeaderTrade) -> bool:
        """Whether another transaction stands for this trade. Raises `StoreUnavailable`."""
        return await self._trades.place(trade.key) not in {"", trade.tx_hash}

    async def _settled(self, trade: LeaderTrade, stored: Sequence[LeaderTrade]) -> LeaderTrade:
        handled = self._of(_fill(trade))
        same = handled | {one.key: one.tx_hash for one in stored if _fill(one) == _fill(trade)}
        key = trade.key if trade.key in same else await self._first_key(trade, same)
        handled.setdefault(key, trade.tx_hash)
        return replace(trade, key=key)

    async def _first_key(self, trade: LeaderTrade, same: Mapping[str, str]) -> str:
        """Its own key, unless it is one of the same fills, each with the transaction that it was first seen in."""
        places = {key: await self._trades.place(key) or first for key, first in same.items()}
        # An order can fill twice for the same amounts: only a transaction that is gone has moved, and only to one other.
        return next((key for key, place in places.items() if place == trade.tx_hash), None) or await self._moved_key(
            trade, places
        )

    async def _moved_key(self, trade: LeaderTrade, places: Mapping[str, str]) -> str:
        for key, place in places.items():
            gone = await mined(self._chain, self._clock, place, PATIENCE) is None
            if gone and await self._trades.move(key, place, trade.tx_hash):
                log.warning("trade_moved_by_reorg", leader=trade.leader, before=place, tx=trade.tx_hash)
                return key
        return trade.key

    def _of(self, fill: Fill) -> dict[str, str]:
        keys = self._handled.setdefault(fill, {})
        if len(self._handled) > REMEMBERED:
            self._handled.popitem(last=False)
        return keys


def _fill(trade: LeaderTrade) -> Fill:
    return trade.leader, trade.order_hash, trade.shares_micros, trade.usdc_micros
