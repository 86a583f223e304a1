"""Matches on their way to the chain: made, sent, mined, final, or undone."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from itertools import count

import structlog

from services.venue.clearing import Clearing
from services.venue.engine.bulletin import Bulletin
from services.venue.engine.orders import Orders
from services.venue.fees import taker_fee_micros
from services.venue.matching import Take, totals
from services.venue.model import Fill, MinedEvent, Order, OrderStatus, Part, Role, Trade, TradeEvent, TradeStatus
from services.venue.settlement import MAX_MAKERS, Settled, Settlement
from services.venue.wallets import Wallets

log = structlog.get_logger(__name__)


class Commits:
    """Every trade, and the fills of those that were mined, in chain order."""

    def __init__(self, orders: Orders, wallets: Wallets, settlement: Settlement, bulletin: Bulletin) -> None:
        self.trades: dict[str, Trade] = {}
        self.fills: list[Fill] = []
        self._orders = orders
        self._wallets = wallets
        self._bulletin = bulletin
        self._last: dict[str, Trade] = {}
        self._clearing = Clearing(settlement)
        self._reading: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        settlement.on_mined(self._mined)
        settlement.on_confirmed(self._confirmed)

    async def run(self) -> None:
        """Send matches to the chain, one after the other, until cancelled."""
        await self._clearing.run(self._undo)

    def last(self, condition_id: str) -> Trade | None:
        """The latest match of a market."""
        return self._last.get(condition_id)

    def match(self, taker: Order, found: Sequence[Take]) -> list[Trade]:
        """What an order takes becomes final here and settles later: one trade for as many makers as a transaction takes."""
        return [
            self._match(taker, found[start : start + MAX_MAKERS], start // MAX_MAKERS)
            for start in range(0, len(found), MAX_MAKERS)
        ]

    def _match(self, taker: Order, found: Sequence[Take], bucket: int) -> Trade:
        shares, usdc = totals(found)
        fee = taker_fee_micros(taker.market.fee_rate, shares, usdc)
        makers = tuple(Part(take.maker, Role.MAKER, take.shares_micros, take.maker_usdc_micros) for take in found)
        now_ms, name = self._bulletin.now_ms(), f"{next(self._numbers)}|{taker.order_hash}"
        trade = Trade(
            _uuid(name), taker.market, Part(taker, Role.TAKER, shares, usdc, fee), makers, bucket, now_ms, now_ms
        )
        self.trades[trade.trade_id] = trade
        for part in trade.parts:
            self._apply(part, trade)
        self._last[taker.market.condition_id] = trade
        self._wallets.matched(trade)
        self._clearing.add(trade)
        return trade

    def _apply(self, part: Part, trade: Trade) -> None:
        order = part.order
        order.matched_micros += part.shares_micros
        order.spent_micros += part.usdc_micros
        order.trade_ids.append(trade.trade_id)
        if part.role is Role.MAKER:
            if order.remaining_micros <= 0:
                self._orders.end(order, OrderStatus.MATCHED)
            else:
                self._orders.tell("UPDATE", order)

    def _mined(self, settled: Settled) -> None:
        trade = self.trades[settled.match_id]
        trade.tx_hash = settled.tx_hash
        if not settled.ok:
            self._undo(trade, settled.reason)
            return
        self._wallets.mined(trade, settled.block_number)
        now_ms = self._bulletin.now_ms()
        fills = tuple(_fill(trade, part, settled, now_ms) for part in trade.parts)
        self.fills.extend(fills)
        self._move(trade, TradeStatus.MINED)
        self._bulletin.tell(MinedEvent(trade, fills, now_ms))

    def _confirmed(self, settled: Settled) -> None:
        if settled.ok:
            self._move(self.trades[settled.match_id], TradeStatus.CONFIRMED)

    def _undo(self, trade: Trade, reason: str) -> None:
        log.warning("a match has failed", trade=trade.trade_id, reason=reason)
        trade.failure = reason
        for part in trade.parts:
            self._give_back(part)
        self._wallets.failed(trade)
        self._orders.tell_book(trade.market, [part.order for part in trade.parts])
        self._move(trade, TradeStatus.FAILED)
        reading = asyncio.ensure_future(self._wallets.reread(trade))
        self._reading.add(reading)
        reading.add_done_callback(self._was_read)

    def _give_back(self, part: Part) -> None:
        # Whose fault it was is not known, so nothing of a failed match goes on resting.
        order = part.order
        order.matched_micros -= part.shares_micros
        order.spent_micros -= part.usdc_micros
        if order.status is OrderStatus.LIVE or (order.status is OrderStatus.MATCHED and not order.matched_micros):
            self._orders.end(order, OrderStatus.CANCELED)

    def _was_read(self, reading: asyncio.Task[None]) -> None:
        self._reading.discard(reading)
        if not reading.cancelled() and (error := reading.exception()):
            log.warning("wallets of a failed match could not be read", error=repr(error))

    def _move(self, trade: Trade, status: TradeStatus) -> None:
        trade.status, trade.updated_at_ms = status, self._bulletin.now_ms()
        self._bulletin.tell(TradeEvent(trade, trade.updated_at_ms))


def _fill(trade: Trade, part: Part, settled: Settled, now_ms: int) -> Fill:
    posted = part.order.posted
    return Fill(
        wallet=posted.wallet,
        role=part.role,
        token_id=posted.token_id,
        condition_id=trade.market.condition_id,
        side=posted.side,
        size_micros=part.shares_micros,
        usdc_micros=part.usdc_micros,
        fee_micros=part.fee_micros,
        tx_hash=settled.tx_hash,
        block_number=settled.block_number,
        block_timestamp=settled.block_timestamp,
        order_hash=posted.order_hash,
        trade_id=trade.trade_id,
        mined_at_ms=now_ms,
    )


def _uuid(name: str) -> str:
    digits = hashlib.sha256(name.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
