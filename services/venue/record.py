"""What of the exchange's events goes into the journal: matches, what became of them, and every wallet's part."""

from __future__ import annotations

from typing import Any

from services.venue.events import (
    Event,
    MarketEvent,
    MarketNews,
    MinedEvent,
    ModeEvent,
    TickEvent,
    TradeEvent,
    UnminedEvent,
)
from services.venue.journal import Journal
from services.venue.model import Fill, Part, Trade, TradeStatus

KINDS = {
    TradeStatus.MATCHED: "match",
    TradeStatus.RETRYING: "retrying",
    TradeStatus.MINED: "settled",
    TradeStatus.CONFIRMED: "confirmed",
    TradeStatus.FAILED: "failed",
}

# The end of a market has a line of its own.
MARKETS = {
    MarketNews.LISTED: "market_listed",
    MarketNews.STARTED: "game_started",
    MarketNews.PROPOSED: "market_proposed",
}


def record(journal: Journal, event: Event) -> None:
    """One line for each status of a trade, one for each fill, one for each change of a grid."""
    match event:
        case TradeEvent(trade, at_ms):
            journal.note(KINDS[trade.status], at_ms=at_ms, **_trade(trade))
        case MinedEvent(_, fills, at_ms):
            for fill in fills:
                journal.note("wallet_fill", at_ms=at_ms, **_fill(fill))
        case UnminedEvent(_, fills, at_ms):
            for fill in fills:
                journal.note("wallet_fill_undone", at_ms=at_ms, **_fill(fill))
        case MarketEvent(market, news, at_ms) if news in MARKETS:
            journal.note(MARKETS[news], at_ms=at_ms, condition_id=market.condition_id, uma=str(market.uma))
        case ModeEvent(mode, at_ms):
            journal.note("mode", at_ms=at_ms, mode=mode)
        case TickEvent(market, old_micros, at_ms):
            tick = {"old_micros": old_micros, "tick_micros": market.tick_micros}
            journal.note("tick_size_change", at_ms=at_ms, condition_id=market.condition_id, **tick)
        case _:
            pass


def _trade(trade: Trade) -> dict[str, Any]:
    told: dict[str, Any] = {
        "trade_id": trade.trade_id,
        "status": str(trade.status),
        "condition_id": trade.market.condition_id,
        "taker": trade.taker.order.order_hash,
        "makers": [part.order.order_hash for part in trade.makers],
        "tx_hash": trade.tx_hash,
    }
    if trade.status is TradeStatus.MATCHED:
        told["parts"] = [_part(part) for part in trade.parts]
    if trade.failure:
        told["reason"] = trade.failure
    return told


def _part(part: Part) -> dict[str, Any]:
    return {
        "order_hash": part.order.order_hash,
        "wallet": part.order.posted.wallet,
        "role": str(part.role),
        "token": part.order.posted.token_id,
        "side": str(part.order.posted.side),
        "size_micros": part.shares_micros,
        "usdc_micros": part.usdc_micros,
        "fee_micros": part.fee_micros,
    }


def _fill(fill: Fill) -> dict[str, Any]:
    return {
        "wallet": fill.wallet,
        "role": str(fill.role),
        "order_hash": fill.order_hash,
        "trade_id": fill.trade_id,
        "token": fill.token_id,
        "side": str(fill.side),
        "size_micros": fill.size_micros,
        "usdc_micros": fill.usdc_micros,
        "fee_micros": fill.fee_micros,
        "tx_hash": fill.tx_hash,
        "block": fill.block_number,
    }
