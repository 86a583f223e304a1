"""Many leaders at once: each has something behind him that the Data API can show, for little work of the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from services.venue.exchange import Exchange
from services.venue.model import Market, OrderType, Side
from services.venue.settlement import MAX_MAKERS
from services.venue.traders.desk import Desk
from services.venue.traders.wallets import Trader

SHARES_MICROS = 10_000_000
MARKETS = 4
SETTLED_WITHIN_S = 300.0


class Crowd:
    """Leaders who buy in groups: all of a group rest at one price, and `seller` takes them in one transaction."""

    def __init__(self, leaders: Sequence[Trader], seller: Trader, exchange: Exchange, desk: Desk) -> None:
        self._leaders = leaders
        self._seller = seller
        self._exchange = exchange
        self._desk = desk

    async def trade(self) -> None:
        """Everybody buys once; returns when all of it is mined."""
        markets = list(self._exchange.markets.values())[:MARKETS]
        placed = [
            name
            for number, group in enumerate(_groups(self._leaders))
            for name in self._buy(group, markets[number % len(markets)], number // MARKETS % 2)
        ]
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while any(self._desk.mined_micros(name) < SHARES_MICROS for name in placed):
                await self._desk.next_fill()

    def _buy(self, group: Sequence[Trader], market: Market, outcome: int) -> list[str]:
        token = market.tokens[outcome]
        price = self._desk.inside(market, token, Side.BUY)
        placed = [self._desk.place(one, token, Side.BUY, SHARES_MICROS, price, OrderType.GTC) for one in group]
        whole = SHARES_MICROS * len(group)
        placed.append(self._desk.place(self._seller, token, Side.SELL, whole, price, OrderType.FAK))
        for one in placed:
            if one.error:
                raise RuntimeError(f"an order of the crowd was refused: {one.error}")
        return [one.order_hash for one in placed]


def _groups(leaders: Sequence[Trader]) -> Iterator[Sequence[Trader]]:
    for start in range(0, len(leaders), MAX_MAKERS):
        yield leaders[start : start + MAX_MAKERS]
