"""Matches on their way to the chain: made, sent, mined, final; tried again, or undone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import count

import structlog

from services.venue.clearing import Clearing
from services.venue.clock import Clock
from services.venue.engine.bulletin import Bulletin
from services.venue.engine.memory import KEPT_TRADES, Memory
from services.venue.engine.orders import Orders
from services.venue.engine.trades import Trades
from services.venue.engine.undoing import Undoing
from services.venue.events import MinedEvent, SentEvent, TradeEvent, UnminedEvent
from services.venue.faults.commit import CommitFaults, Ending, Fate
from services.venue.fees import taker_fee_micros
from services.venue.matching import Take, totals
from services.venue.model import Fill, Order, OrderStatus, Part, Role, Trade, TradeStatus
from services.venue.settlement import MAX_MAKERS, Settled, Settlement
from services.venue.spelling import uuid_of
from services.venue.wallets import Wallets

# How often a match that the chain turned down is sent again before it has failed.
RESENDS = 1
# Matches that may wait for the chain; more are not made.
MOST_WAITING = 5_000

log = structlog.get_logger(__name__)


class Commits:
    """The trades by their id, but for those that ended long ago."""

    def __init__(
        self,
        orders: Orders,
        wallets: Wallets,
        settlement: Settlement,
        undoing: Undoing,
        faults: CommitFaults,
        clock: Clock,
        bulletin: Bulletin,
        most_waiting: int,
    ) -> None:
        self.trades = Trades()
        self._memory = Memory(KEPT_TRADES, self._forget)
        self._orders = orders
        self._wallets = wallets
        self._undoing = undoing
        self._faults = faults
        self._clock = clock
        self._bulletin = bulletin
        self._most_waiting = most_waiting
        self._last: dict[str, Trade] = {}
        self._clearing = Clearing(settlement)
        self._waiting: set[str] = set()
        self._held: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        settlement.on_mined(self._mined)
        settlement.on_unmined(self._unmined)
        settlement.on_confirmed(self._confirmed)

    @property
    def full(self) -> bool:
        """Whether so many matches wait for the chain that no more are made."""
        return len(self._waiting) >= self._most_waiting

    @property
    def waiting(self) -> int:
        """Matches that are not mined yet."""
        return len(self._waiting)

    async def run(self) -> None:
        """Send matches to the chain until cancelled."""
        try:
            await self._clearing.run(self._fail, self._sent)
        finally:
            for task in self._held:
                task.cancel()

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
        now_ms, number = self._bulletin.now_ms(), next(self._numbers)
        name = f"{number}|{taker.order_hash}"
        trade = Trade(
            uuid_of(name),
            taker.market,
            Part(taker, Role.TAKER, shares, usdc, fee),
            makers,
            bucket,
            now_ms,
            now_ms,
            number,
        )
        self.trades.add(trade)
        for part in trade.parts:
            self._apply(part, trade)
        self._last[taker.market.condition_id] = trade
        self._wallets.matched(trade)
        self._commit(trade)
        return trade

    def _apply(self, part: Part, trade: Trade) -> None:
        order = part.order
        order.matched_micros += part.shares_micros
        order.spent_micros += part.usdc_micros
        order.trade_ids.append(trade.trade_id)
        if part.role is Role.MAKER:
            self._orders.recount(order)
            if order.remaining_micros <= 0:
                self._orders.end(order, OrderStatus.MATCHED)
            else:
                self._orders.tell("UPDATE", order)

    def _commit(self, trade: Trade) -> None:
        self._waiting.add(trade.trade_id)
        fate = self._faults.fate(trade.market.condition_id, trade.trade_id)
        if fate is None:
            self._clearing.add(trade)
        else:
            self._start(self._hold(trade, fate))

    async def _hold(self, trade: Trade, fate: Fate) -> None:
        """What a fault makes of a commit: late, tried again, mined in the end or not."""
        for _ in range(fate.tries):
            await self._clock.sleep(fate.wait_ms / 1000)
            self._move(trade, TradeStatus.RETRYING)
        await self._clock.sleep(fate.wait_ms / 1000)
        if fate.ending is Ending.FAILED:
            self._fail(trade, "the commit was given up")
        else:
            self._clearing.add(trade)

    def _sent(self, trade: Trade) -> None:
        self._bulletin.tell(SentEvent(trade, self._bulletin.now_ms()))

    def _mined(self, settled: Settled) -> None:
        trade = self.trades.get(settled.match_id)
        if trade is None:
            return
        trade.tx_hash = settled.tx_hash
        if not settled.ok:
            self._turned_down(trade, settled.reason)
            return
        self._waiting.discard(trade.trade_id)
        self._wallets.mined(trade, settled.block_number)
        now_ms = self._bulletin.now_ms()
        trade.fills = tuple(_fill(trade, part, settled, now_ms) for part in trade.parts)
        if trade.status is TradeStatus.CONFIRMED:
            self._memory.ended(trade.trade_id)
        else:
            self._move(trade, TradeStatus.MINED)
        self._bulletin.tell(MinedEvent(trade, trade.fills, now_ms))

    def _unmined(self, settled: Settled) -> None:
        """The chain took the block back. What was confirmed stays so: the exchange's word is not taken back with it."""
        if not settled.ok:
            return
        trade = self.trades.get(settled.match_id)
        if trade is None:
            return
        self._waiting.add(trade.trade_id)
        self._wallets.unmined(trade)
        fills, trade.fills = trade.fills, ()
        self._bulletin.tell(UnminedEvent(trade, fills, self._bulletin.now_ms()))
        if trade.status is not TradeStatus.CONFIRMED:
            self._move(trade, TradeStatus.RETRYING)

    def _confirmed(self, settled: Settled) -> None:
        trade = self.trades.get(settled.match_id)
        if trade and settled.ok and trade.status is not TradeStatus.CONFIRMED:
            self._move(trade, TradeStatus.CONFIRMED)

    def _forget(self, trade_id: str) -> None:
        # What a reorganisation took back is not forgotten before it is mined again.
        if trade_id not in self._waiting:
            self.trades.forget(trade_id)

    def _turned_down(self, trade: Trade, reason: str) -> None:
        trade.reverts += 1
        if trade.reverts > RESENDS:
            self._fail(trade, reason)
            return
        if trade.status is not TradeStatus.CONFIRMED:
            self._move(trade, TradeStatus.RETRYING)
        self._clearing.add(trade)

    def _fail(self, trade: Trade, reason: str) -> None:
        log.warning("a match has failed", trade=trade.trade_id, reason=reason)
        trade.failure = reason
        self._waiting.discard(trade.trade_id)
        suspended = self._undoing.take_back(trade)
        self._move(trade, TradeStatus.FAILED)
        self._start(self._undoing.put_back(trade, suspended))

    def _move(self, trade: Trade, status: TradeStatus) -> None:
        trade.status, trade.updated_at_ms = status, self._bulletin.now_ms()
        if status in (TradeStatus.CONFIRMED, TradeStatus.FAILED):
            self._memory.ended(trade.trade_id)
        self._bulletin.tell(TradeEvent(trade, trade.updated_at_ms))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._held.add(task)
        task.add_done_callback(self._held.discard)


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
