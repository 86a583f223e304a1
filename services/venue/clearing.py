"""Handing matches to the chain, one after the other in the order in which they were made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.venue.model import Part, Side, Trade
from services.venue.node.errors import RpcError
from services.venue.settlement import Match, Settlement


class Clearing:
    """The line of trades that wait to be sent."""

    def __init__(self, settlement: Settlement) -> None:
        self._settlement = settlement
        self._line: asyncio.Queue[Trade] = asyncio.Queue()

    def add(self, trade: Trade) -> None:
        self._line.put_nowait(trade)

    async def run(self, refused: Callable[[Trade, str], None]) -> None:
        """Send until cancelled; `refused` hears of a trade that the node does not take, and why."""
        while True:
            trade = await self._line.get()
            try:
                trade.tx_hash = await self._settlement.submit(as_match(trade))
            except RpcError as error:
                refused(trade, str(error))


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
