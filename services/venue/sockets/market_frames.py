"""Frames of the market channel, as they were recorded (venue.md 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.venue.clob import shapes
from services.venue.events import BookEvent, MarketEvent, SentEvent, TickEvent
from services.venue.model import MICRO, BookView, Market

Json = dict[str, Any]
Top = tuple[int, int]
"""Best bid and ask of a token in micro-dollars: 0 and a whole dollar where a side is empty."""


def top(view: BookView | None) -> Top:
    return (view.bids[-1][0] if view and view.bids else 0, view.asks[-1][0] if view and view.asks else MICRO)


def book(view: BookView, at_ms: int) -> Json:
    whole = shapes.book(view, at_ms)
    del whole["min_order_size"], whole["neg_risk"]
    last = whole.pop("last_trade_price")
    return {**whole, "event_type": "book", "last_trade_price": last}


def price_change(event: BookEvent, views: Mapping[str, BookView | None]) -> Json:
    """Every changed level of both tokens, each with the hash and the best prices of its book as the change has left it."""
    after = {token: _after(view, event.at_ms) for token, view in views.items()}
    changes = [
        {
            "asset_id": change.token_id,
            "price": shapes.text(change.price_micros),
            "size": shapes.text(change.size_micros),
            "side": str(change.side),
            **after[change.token_id],
        }
        for change in event.changes
    ]
    return {
        "market": event.market.condition_id,
        "price_changes": changes,
        "timestamp": str(event.at_ms),
        "event_type": "price_change",
    }


def best_bid_ask(market: Market, token: str, best: Top, at_ms: int) -> Json:
    bid, ask = best
    return {
        "market": market.condition_id,
        "asset_id": token,
        "best_bid": shapes.text(bid),
        "best_ask": shapes.text(ask),
        "spread": shapes.text(ask - bid),
        "timestamp": str(at_ms),
        "event_type": "best_bid_ask",
    }


def last_trade_price(event: SentEvent) -> Json:
    taker = event.trade.taker
    return {
        "market": event.trade.market.condition_id,
        "asset_id": taker.order.posted.token_id,
        "price": shapes.text(taker.price_micros),
        "size": shapes.text(taker.shares_micros),
        "fee_rate_bps": "0",
        "side": str(taker.order.posted.side),
        "timestamp": str(event.at_ms),
        "event_type": "last_trade_price",
        "transaction_hash": event.trade.tx_hash,
    }


def tick_size_change(event: TickEvent, token: str) -> Json:
    return {
        "market": event.market.condition_id,
        "asset_id": token,
        "old_tick_size": shapes.text(event.old_micros),
        "new_tick_size": shapes.text(event.market.tick_micros),
        "timestamp": str(event.at_ms),
        "event_type": "tick_size_change",
    }


def new_market(event: MarketEvent) -> Json:
    market = event.market
    return {
        **_about(market),
        "timestamp": str(event.at_ms),
        "event_type": "new_market",
        "tags": [],
        "condition_id": market.condition_id,
        "active": market.active,
        "clob_token_ids": list(market.tokens),
        "order_price_min_tick_size": shapes.text(market.tick_micros),
        "group_item_title": market.question,
        "taker_base_fee": "1000",
        "fees_enabled": bool(market.fee_rate),
        **({"fee_schedule": _fees(market)} if market.fee_rate else {}),
    }


def market_resolved(event: MarketEvent) -> Json:
    """Without a winner where the payouts are shared."""
    winner = event.winner
    won = {"winning_asset_id": event.market.tokens[winner], "winning_outcome": event.market.outcomes[winner]}
    return {
        **_about(event.market),
        **(won if winner >= 0 else {"winning_asset_id": None, "winning_outcome": None}),
        "timestamp": str(event.at_ms),
        "event_type": "market_resolved",
        "tags": [],
    }


def _about(market: Market) -> Json:
    event = {"id": market.event_id, "ticker": market.event_slug, "slug": market.event_slug, "title": market.question}
    return {
        "id": market.event_id,
        "question": market.question,
        "market": market.condition_id,
        "slug": market.slug,
        "description": market.question,
        "assets_ids": list(market.tokens),
        "outcomes": list(market.outcomes),
        "event_message": {**event, "description": market.question},
    }


def _fees(market: Market) -> Json:
    return {"exponent": "1", "rate": str(market.fee_rate), "taker_only": True, "rebate_rate": "0.2"}


def _after(view: BookView | None, at_ms: int) -> dict[str, str]:
    bid, ask = top(view)
    return {
        "hash": shapes.book(view, at_ms)["hash"] if view else "",
        "best_bid": shapes.text(bid),
        "best_ask": shapes.text(ask),
    }
