"""Handing matches to the chain, as many at once as wait, in the order in which they were made."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from services.venue.model import Part, Side, Trade
from services.venue.node.errors import RpcError
from services.venue.onchain import Match
from services.venue.settlement import Settlement

# Transactions in one request to the node.
BATCH = 50


class Clearing:
    """The line of trades that wait to be sent."""

    def __init__(self, settlement: Settlement) -> None:
        self._settlement = settlement
        self._line: deque[Trade] = deque()
        self._more = asyncio.Event()

    def __len__(self) -> int:
        return len(self._line)

    def add(self, trade: Trade) -> None:
        self._line.append(trade)
        self._more.set()

    async def run(self, refused: Callable[[Trade, str], None], accepted: Callable[[Trade], None]) -> None:
        """Send until cancelled; `refused` hears of a trade that the node does not take, and why, `accepted` of one that has its hash."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._line:
                trades = [self._line.popleft() for _ in range(min(BATCH, len(self._line)))]
                sent = await self._settlement.submit_all([as_match(trade) for trade in trades])
                for trade, answer in zip(trades, sent, strict=True):
                    if isinstance(answer, RpcError):
                        refused(trade, str(answer))
                    else:
                        trade.tx_hash = answer
                        accepted(trade)


def as_match(trade: Trade) -> Match:
    """The transaction that settles a trade; every fill in units of what its order gives."""
    taker = trade.taker
    return Match(
        match_id=trade.trade_id,
        condition_id=trade.market.condition_id,
        taker=taker.order.posted.signed,
        makers=tuple(part.order.posted.signed for part in trade.makers),
        taker_fill=_making(taker),
        maker_fills=tuple(map(_making, trade.makers)),
        taker_fee=taker.fee_micros,
        maker_fees=(0,) * len(trade.makers),
        contract=trade.market.contract,
    )


def _making(part: Part) -> int:
    return part.usdc_micros if part.order.posted.side is Side.BUY else part.shares_micros
