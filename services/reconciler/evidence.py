"""What the venue's trades and the finalized logs of a copy's orders say together. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.domain.copy import Copy
from services.common.domain.fill import TRADE_TERMINAL, Fill, TradeStatus
from services.common.domain.money import MICRO, mul_div
from services.common.ports.chain import FillLog
from services.common.ports.venue import VenueTrade


@dataclass(frozen=True, slots=True)
class Pending:
    """Not everything is known yet, and what is missing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """Every trade is terminal and the finalized logs agree. `fills` are all of them, the failed ones with their status."""

    fills: tuple[Fill, ...]

    @property
    def confirmed(self) -> tuple[Fill, ...]:
        return tuple(fill for fill in self.fills if fill.status is TradeStatus.CONFIRMED)

    @property
    def partly_failed(self) -> bool:
        return any(fill.status is TradeStatus.FAILED for fill in self.fills)


def weigh(copy: Copy, trades: Sequence[VenueTrade], logs: Sequence[FillLog], finalized: int) -> Pending | Settled:
    """Settle a copy only when its trades are all terminal and the logs of its own orders, up to `finalized`, tell the same story."""
    trades = latest(trades)
    if not trades:
        return Pending("no trade names the order yet")
    if not are_over(trades):
        return Pending("a trade is not terminal")
    standing = [log for log in logs if not log.removed]
    if any(log.block_number > finalized for log in standing):
        # It may be all there is of a trade that the venue calls failed.
        return Pending("a log is not final yet")
    confirmed = [trade for trade in trades if trade.status is TradeStatus.CONFIRMED]
    deep = {(log.tx_hash.lower(), log.fill.order_hash.lower()): log for log in standing}
    if {_place(trade) for trade in confirmed} != set(deep):
        return Pending("the finalized logs do not match the confirmed trades")
    return Settled(
        (
            *_confirmed(copy, confirmed, deep),
            *(_failed(copy, trade) for trade in trades if trade.status is TradeStatus.FAILED),
        )
    )


def latest(trades: Sequence[VenueTrade]) -> tuple[VenueTrade, ...]:
    """Each trade once: one that moves between two pages while they are read is in both, and the later word counts."""
    return tuple({(trade.trade_id, trade.order_hash): trade for trade in trades}.values())


def are_over(trades: Sequence[VenueTrade]) -> bool:
    """Whether the venue moves none of these trades any more."""
    return all(trade.status in TRADE_TERMINAL for trade in trades)


def _place(trade: VenueTrade) -> tuple[str, str]:
    return trade.tx_hash.lower(), trade.order_hash.lower()


def _confirmed(copy: Copy, trades: Sequence[VenueTrade], logs: dict[tuple[str, str], FillLog]) -> list[Fill]:
    by_place: defaultdict[tuple[str, str], list[VenueTrade]] = defaultdict(list)
    for trade in trades:
        by_place[_place(trade)].append(trade)
    return [fill for place, group in by_place.items() for fill in _shared(copy, group, logs[place])]


def _shared(copy: Copy, trades: list[VenueTrade], log: FillLog) -> list[Fill]:
    # An order has one log in a transaction, whose sums are exact; the venue's trade prices are rounded. Where several trades
    # share the log, all but the last take their own figures and the last takes the rest.
    shares, usdc, fee = log.fill.shares_micros, log.fill.usdc_micros, log.fill.fee
    fills: list[Fill] = []
    for trade in trades[:-1]:
        part = mul_div(trade.shares_micros, trade.price_micros, MICRO)
        fills.append(_fill(copy, trade, log, trade.shares_micros, part, 0))
        shares, usdc = shares - trade.shares_micros, usdc - part
    fills.append(_fill(copy, trades[-1], log, shares, usdc, fee))
    return fills


def _fill(copy: Copy, trade: VenueTrade, log: FillLog, shares: int, usdc: int, fee: int) -> Fill:
    return Fill(
        account_id=copy.account_id,
        trade_id=trade.trade_id,
        order_hash=trade.order_hash,
        copy_id=copy.copy_id,
        condition_id=trade.condition_id,
        token_id=trade.token_id,
        side=trade.side,
        shares_micros=shares,
        usdc_micros=usdc,
        fee_micros=fee,
        status=TradeStatus.CONFIRMED,
        matched_at=trade.matched_at,
        tx_hash=log.tx_hash,
        block_number=log.block_number,
        booked=True,
    )


def _failed(copy: Copy, trade: VenueTrade) -> Fill:
    return Fill(
        account_id=copy.account_id,
        trade_id=trade.trade_id,
        order_hash=trade.order_hash,
        copy_id=copy.copy_id,
        condition_id=trade.condition_id,
        token_id=trade.token_id,
        side=trade.side,
        shares_micros=trade.shares_micros,
        usdc_micros=mul_div(trade.shares_micros, trade.price_micros, MICRO),
        fee_micros=0,
        status=TradeStatus.FAILED,
        matched_at=trade.matched_at,
        tx_hash=trade.tx_hash,
    )
