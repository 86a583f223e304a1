"""A trade that a reorg has moved to another transaction keeps its first key, so that it is never copied twice (orders.md 2)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from services.common.domain.trade import LeaderTrade
from services.common.ports.chain import Chain
from services.common.ports.clock import Clock
from services.common.ports.trades import Trades
from services.monitor.receipts import mined

# A node that lags behind its siblings does not know a receipt yet; one that is still missing after this was taken back.
PATIENCE = timedelta(seconds=10)

log = structlog.get_logger()


class TakenBack(Exception):
    """The transaction that was handled is gone, and its trade stands in another."""


class Reorgs:
    """Knows trades by their fill. Which there are of one, and where a trade that was moved stands now, is stored: a monitor that starts
    anew, and one beside this, find the same."""

    def __init__(self, chain: Chain, trades: Trades, clock: Clock) -> None:
        self._chain = chain
        self._trades = trades
        self._clock = clock

    async def settled(self, trades: Sequence[LeaderTrade]) -> list[LeaderTrade]:
        """The trades, each under the key that it was first seen by. Raises `TakenBack`, `ChainUnavailable` and `StoreUnavailable`."""
        if not trades:
            return []
        stored, noted = await asyncio.gather(
            self._trades.of_orders([trade.order_hash for trade in trades]),
            asyncio.gather(*(self._trades.claim(trade, {}) for trade in trades)),
        )
        # Copies tell of what was noted before a primary was lost.
        return [
            await self._settled(trade, before, {one.key: one.tx_hash for one in stored if one.fill == trade.fill})
            for trade, before in zip(trades, noted, strict=True)
        ]

    async def has_moved(self, trade: LeaderTrade) -> bool:
        """Whether another transaction stands for this trade. Raises `StoreUnavailable`."""
        return await self._trades.place(trade.key) not in {"", trade.tx_hash}

    async def _settled(self, trade: LeaderTrade, noted: Mapping[str, str], stored: Mapping[str, str]) -> LeaderTrade:
        key, fresh = await self._key(trade, noted, stored), not noted
        while key == trade.key and key not in noted and not fresh:
            # Judged by what was noted: who was quicker may be the same fill.
            now = await self._trades.claim(trade, noted)
            fresh = len(now) == len(noted)
            if not fresh:
                noted, key = now, await self._key(trade, now, stored)
        return replace(trade, key=key)

    async def _key(self, trade: LeaderTrade, noted: Mapping[str, str], stored: Mapping[str, str]) -> str:
        """Its own key, unless it is one of the others of its fill, each with the transaction that it was first seen in."""
        others = {key: tx for key, tx in {**noted, **stored}.items() if key != trade.key}
        places = {key: await self._trades.place(key) or first for key, first in others.items()}
        # An order can fill twice for the same amounts: only a transaction that is gone has moved, and only to one other.
        if here := next((key for key, place in places.items() if place == trade.tx_hash), None):
            return here
        if not others or trade.key in noted or trade.key in stored:
            return trade.key
        return await self._moved_key(trade, places)

    async def _moved_key(self, trade: LeaderTrade, places: Mapping[str, str]) -> str:
        for key, place in places.items():
            if await self._is_gone(place) and await self._trades.move(key, place, trade.tx_hash):
                log.warning("trade_moved_by_reorg", leader=trade.leader, before=place, tx=trade.tx_hash)
                return key
        # Whoever saw it where it has gone to may have been quicker.
        if await self._is_gone(trade.tx_hash):
            raise TakenBack(trade.tx_hash)
        return trade.key

    async def _is_gone(self, tx_hash: str) -> bool:
        return await mined(self._chain, self._clock, tx_hash, PATIENCE) is None
