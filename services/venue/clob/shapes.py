"""Orders, trades, books and markets as the CLOB writes them: figures as decimal strings, times in seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from services.venue.events import OrderEvent, TradeEvent
from services.venue.model import MICRO, BookView, Order, OrderStatus, Part, Placement, Role, Trade
from services.venue.refusals import killed

Json = dict[str, Any]
FAR_ALLOWANCE = 2**256 - 1


def text(micros: int) -> str:
    """An amount as a plain decimal string."""
    whole, part = divmod(abs(micros), MICRO)
    sign = "-" if micros < 0 else ""
    return f"{sign}{whole}.{part:06d}".rstrip("0") if part else f"{sign}{whole}"


def placement(made: Placement) -> Json:
    """The answer to an order that was taken (venue.md 3.5); one that was killed has no id."""
    matched = made.status == "matched"
    return {
        "errorMsg": "",
        "orderID": "" if made.killed else made.order_hash,
        "takingAmount": text(made.taking_micros) if matched else "",
        "makingAmount": text(made.making_micros) if matched else "",
        "status": made.status,
        "success": True,
        **({"tradeIDs": list(made.trade_ids)} if matched else {}),
    }


def open_order(order: Order) -> Json:
    """A row of `/data/orders`."""
    return {
        "id": order.order_hash,
        "status": str(order.status),
        "owner": order.posted.owner,
        "maker_address": order.posted.signed.maker,
        "market": order.market.condition_id,
        "asset_id": order.posted.token_id,
        "side": str(order.posted.side),
        "original_size": text(order.posted.shares_micros),
        "size_matched": text(order.matched_micros),
        "price": text(order.price_micros),
        "outcome": order.market.outcome(order.posted.token_id),
        "expiration": str(order.posted.expiration),
        "order_type": str(order.posted.order_type),
        "associate_trades": list(order.trade_ids),
        "created_at": order.created_at,
    }


def trade(one: Trade, wallets: Collection[str]) -> Json:
    """A row of `/data/trades` for whoever has these wallets; the head describes the taker, whoever reads it (venue.md 3.7)."""
    taker, role = one.taker, _role(one, wallets)
    mine = taker if role is Role.TAKER else _first_of(one, wallets)
    return {
        "id": one.trade_id,
        "taker_order_id": taker.order.order_hash,
        "market": one.market.condition_id,
        "asset_id": taker.order.posted.token_id,
        "side": str(taker.order.posted.side),
        "size": text(taker.shares_micros),
        "fee_rate_bps": "0",
        "price": text(taker.price_micros),
        "status": str(one.status),
        "match_time": str(one.matched_at_ms // 1000),
        "last_update": str(one.updated_at_ms // 1000),
        "outcome": one.market.outcome(taker.order.posted.token_id),
        "bucket_index": one.bucket_index,
        "owner": mine.order.posted.owner,
        "maker_address": mine.order.posted.signed.maker,
        "transaction_hash": one.tx_hash,
        "trader_side": str(role),
        "maker_orders": [_maker_order(part) for part in one.makers],
    }


def order_event(event: OrderEvent) -> Json:
    """A frame of the user channel; its times are in milliseconds. What was killed says why, and has no size."""
    order = event.order
    written = open_order(order)
    kill = {"status": f"CANCELED_{killed(order.posted.order_type).text}", "size_matched": ""}
    return {
        **written,
        "status": order.status_text,
        **(kill if _was_killed(order) else {}),
        "associate_trades": list(order.trade_ids) or None,
        "event_type": "order",
        "type": event.kind,
        "order_owner": order.posted.owner,
        "created_at": str(order.created_at),
        "timestamp": str(event.at_ms),
    }


def trade_event(event: TradeEvent, wallets: Collection[str]) -> Json:
    """A frame of the user channel; one for each status of the trade."""
    written = trade(event.trade, wallets)
    return {
        **written,
        "event_type": "trade",
        "type": "TRADE",
        "trade_owner": written["owner"],
        "timestamp": str(event.at_ms // 1000),
    }


def book(view: BookView, at_ms: int) -> Json:
    """A book, best prices last, with the hash that the official client computes."""
    market = view.market
    body: Json = {
        "market": market.condition_id,
        "asset_id": view.token_id,
        "timestamp": str(at_ms),
        "hash": "",
        "bids": _levels(view.bids),
        "asks": _levels(view.asks),
        "min_order_size": text(market.min_size_micros),
        "tick_size": text(market.tick_micros),
        "neg_risk": market.neg_risk,
        "last_trade_price": last_price(view),
    }
    body["hash"] = hashlib.sha1(orjson.dumps(body), usedforsecurity=False).hexdigest()
    return body


def last_price(view: BookView) -> str:
    """Of the first outcome, whichever token is asked for."""
    return f"{view.last_micros / MICRO:.3f}"


def concerns(one: Trade, wallets: Collection[str]) -> bool:
    """One of the wallets has a part in it."""
    return any(part.order.posted.wallet in wallets for part in one.parts)


def _was_killed(order: Order) -> bool:
    return order.status is OrderStatus.CANCELED and not order.posted.order_type.rests and not order.trade_ids


def _role(one: Trade, wallets: Collection[str]) -> Role:
    return Role.TAKER if one.taker.order.posted.wallet in wallets else Role.MAKER


def _first_of(one: Trade, wallets: Collection[str]) -> Part:
    return next(part for part in one.makers if part.order.posted.wallet in wallets)


def _maker_order(part: Part) -> Json:
    posted = part.order.posted
    return {
        "order_id": posted.order_hash,
        "owner": posted.owner,
        "maker_address": posted.signed.maker,
        "matched_amount": text(part.shares_micros),
        "price": text(part.order.price_micros),
        "fee_rate_bps": "0",
        "asset_id": posted.token_id,
        "outcome": part.order.market.outcome(posted.token_id),
        "side": str(posted.side),
    }


def _levels(levels: Sequence[tuple[int, int]]) -> list[Json]:
    return [{"price": text(price), "size": text(size)} for price, size in levels]
