"""What RTDS can be asked for besides fills: comments, and prices that this venue makes up (venue.md 5.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from services.venue.data.rows import Row

ACTIVITY, COMMENTS, EQUITY = "activity", "comments", "equity_prices"
TRADES, ORDERS_MATCHED, UPDATE, SNAPSHOT = "trades", "orders_matched", "update", "subscribe"
ANY = "*"

TYPES: Mapping[str, frozenset[str]] = {
    ACTIVITY: frozenset({TRADES, ORDERS_MATCHED}),
    COMMENTS: frozenset({"comment_created", "comment_removed", "reaction_created", "reaction_removed"}),
    "crypto_prices": frozenset({UPDATE}),
    "crypto_prices_chainlink": frozenset({UPDATE}),
    "crypto_prices_twap_thirty": frozenset({UPDATE}),
    "crypto_prices_twap_sixty": frozenset({UPDATE}),
    EQUITY: frozenset({UPDATE}),
}
FILTERS: Mapping[str, frozenset[str]] = {
    ACTIVITY: frozenset({"event_slug", "market_slug"}),
    COMMENTS: frozenset({"parentEntityID", "parentEntityType"}),
}
PRICE_FILTERS = frozenset({"symbol"})
FILTERED_BY = {"event_slug": "eventSlug", "market_slug": "slug"}

# Where each symbol's price swings around, in dollars.
SYMBOLS: Mapping[str, Mapping[str, int]] = {
    "crypto_prices": {"btcusdt": 100_000, "ethusdt": 4_000, "solusdt": 200, "xrpusdt": 3},
    "crypto_prices_chainlink": {"btc/usd": 100_000, "eth/usd": 4_000, "sol/usd": 200, "xrp/usd": 3},
    "crypto_prices_twap_thirty": {"btc/usd": 100_000, "eth/usd": 4_000},
    "crypto_prices_twap_sixty": {"btc/usd": 100_000, "eth/usd": 4_000},
    EQUITY: {"aapl": 200, "nvda": 180, "tsla": 400},
}
WINDOWS_S = {"crypto_prices_twap_thirty": 30, "crypto_prices_twap_sixty": 60}
SNAPSHOT_S = 10


def filters_of(topic: str) -> frozenset[str]:
    """What a subscription to this topic may be narrowed by."""
    return FILTERS.get(topic, PRICE_FILTERS)


def passes(filters: Mapping[str, str], payload: Mapping[str, Any]) -> bool:
    """Whether a payload is what the filters ask for."""
    return all(str(payload.get(FILTERED_BY.get(name, name), "")) == wanted for name, wanted in filters.items())


def prices(topic: str, at_ms: int) -> list[Row]:
    """The payloads of one second of a price topic, none for others: figures of no market, the same in every run for one time."""
    return [_price(topic, symbol, base, at_ms) for symbol, base in SYMBOLS.get(topic, {}).items()]


def snapshots(topic: str, at_ms: int) -> list[Row]:
    """What a new subscriber to equities gets: the last seconds of each symbol."""
    if topic != EQUITY:
        return []
    times = [at_ms - 1_000 * ago for ago in range(SNAPSHOT_S, 0, -1)]
    return [
        {"symbol": symbol, "data": [{"timestamp": at, "value": _cents(base, at) / 100} for at in times]}
        for symbol, base in SYMBOLS[topic].items()
    ]


def _price(topic: str, symbol: str, base: int, at_ms: int) -> Row:
    cents = _cents(base, at_ms)
    row: Row = {"symbol": symbol, "timestamp": at_ms, "value": cents / 100}
    if topic in WINDOWS_S:
        return {**row, "window_s": WINDOWS_S[topic], "full_accuracy_value": str(cents * 10**16)}
    if topic == EQUITY:
        return {**row, "full_accuracy_value": f"{cents / 100:.2f}", "received_at": at_ms, "is_carried_forward": False}
    return row


def _cents(base: int, at_ms: int) -> int:
    """Half a percent up and down within ten minutes."""
    return round(base * 100 * (1 + math.sin(at_ms / 95_493) / 200))
