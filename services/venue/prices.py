"""A market at a glance: best prices, the last one, what a share is worth."""

from __future__ import annotations

from dataclasses import dataclass

from services.venue.events import Event, MinedEvent, UnminedEvent
from services.venue.exchange import Exchange
from services.venue.model import MICRO, Market, Role
from services.venue.node import calldata
from services.venue.node.calldata import Signature
from services.venue.node.client import Node

_NUMERATOR: Signature = ("payoutNumerators", ("bytes32", "uint256"))
_DENOMINATOR: Signature = ("payoutDenominator", ("bytes32",))


@dataclass(frozen=True, slots=True)
class Quote:
    """Of the first outcome, in millionths; `yes_micros` is what Gamma and the Data API value a share at."""

    bid_micros: int
    ask_micros: int
    last_micros: int
    yes_micros: int
    volume_micros: int


class Prices:
    """Reads the books; a resolved market is worth what it pays, which `refresh` learns from the chain."""

    def __init__(self, exchange: Exchange, node: Node) -> None:
        self._exchange = exchange
        self._node = node
        self._paid: dict[str, int] = {}
        self._volumes: dict[str, int] = {}
        exchange.subscribe(self._hear)

    async def refresh(self) -> None:
        """Reads the payouts of markets that were closed since the last time."""
        for market in self._exchange.markets.values():
            if market.closed and market.condition_id not in self._paid:
                await self._learn(market)

    def quote(self, market: Market) -> Quote:
        """The market's first outcome; an empty side reads 0 and a dollar, as the real one has it."""
        volume, paid = self._volume(market), self._paid.get(market.condition_id)
        if paid is not None:
            return Quote(max(paid - market.tick_micros, 0), paid, paid, paid, volume)
        view = self._exchange.book(market.tokens[0])
        if view is None:
            return Quote(0, MICRO, MICRO // 2, MICRO // 2, volume)
        bid = view.bids[-1][0] if view.bids else 0
        ask = view.asks[-1][0] if view.asks else MICRO
        middle = (bid + ask) // 2 if view.bids and view.asks else view.last_micros
        return Quote(bid, ask, view.last_micros, middle, volume)

    def token_micros(self, market: Market, token_id: str) -> int:
        """What one share of the token is worth."""
        yes = self.quote(market).yes_micros
        return yes if token_id == market.tokens[0] else MICRO - yes

    async def _learn(self, market: Market) -> None:
        raw = bytes.fromhex(market.condition_id.removeprefix("0x"))
        asked = [calldata.write(_NUMERATOR, raw, 0), calldata.write(_DENOMINATOR, raw)]
        calls = [("eth_call", [{"to": market.contract.tokens, "data": data}, "latest"]) for data in asked]
        numerator, denominator = (int(answer, 16) for answer in await self._node.batch(calls))
        if denominator:
            self._paid[market.condition_id] = numerator * MICRO // denominator

    def _hear(self, event: Event) -> None:
        if isinstance(event, (MinedEvent, UnminedEvent)):
            condition, times = event.trade.market.condition_id, 1 if isinstance(event, MinedEvent) else -1
            traded = sum(fill.usdc_micros for fill in event.fills if fill.role is Role.TAKER)
            self._volumes[condition] = self._volumes.get(condition, 0) + times * traded

    def _volume(self, market: Market) -> int:
        return self._volumes.get(market.condition_id, 0)
