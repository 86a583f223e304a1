"""Markets as the CLOB describes them: in full, simplified, and in the short names of `/clob-markets` (venue.md 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.venue.model import MICRO, Market
from services.venue.spelling import number, stamp

Json = dict[str, Any]
LEGACY_FEE_BPS = 1_000
"""On or off, and no fee: 0 where a market has none."""
REWARDED_SIZE = 50
REWARDED_SPREAD = 4.5
SINCE = "2026-01-01T00:00:00Z"
TAGS = ("All", "Local")


def rewarded(market: Market) -> bool:
    """Whether makers of this market are sampled for rewards: those of a traded one that charges its takers."""
    return market.fee_rate > 0 and market.has_book


def full(market: Market, worth_micros: Mapping[str, int]) -> Json:
    """`/markets/{condition}`; what each token is worth is its price, and after the resolution its payout."""
    paid = [worth_micros[token] for token in market.tokens] if market.closed else []
    return {
        "enable_order_book": market.has_book,
        "active": market.active,
        "closed": market.closed,
        "archived": False,
        "accepting_orders": market.accepting_orders and market.hydrated,
        "accepting_order_timestamp": _since(market),
        "minimum_order_size": number(market.min_size_micros),
        "minimum_tick_size": number(market.tick_micros),
        "condition_id": market.condition_id,
        "question_id": market.question_id,
        "question": market.question,
        "description": market.question,
        "market_slug": market.slug,
        "end_date_iso": stamp(market.end_at)[:10] + "T00:00:00Z",
        "game_start_time": stamp(market.game_start_at) if market.game_start_at else None,
        "seconds_delay": _delay_s(market),
        "fpmm": "",
        "maker_base_fee": LEGACY_FEE_BPS if market.fee_rate else 0,
        "taker_base_fee": LEGACY_FEE_BPS if market.fee_rate else 0,
        "notifications_enabled": True,
        "neg_risk": market.neg_risk,
        "neg_risk_market_id": market.neg_risk_market_id,
        # The request that its oracle answers is the question itself, as at Gamma.
        "neg_risk_request_id": market.question_id if market.neg_risk else "",
        "rewards": _rewards(market),
        "is_50_50_outcome": len(set(paid)) == 1,
        "tokens": _tokens(market, worth_micros),
        "tags": list(TAGS),
    }


def simplified(market: Market, worth_micros: Mapping[str, int]) -> Json:
    """A row of `/simplified-markets`."""
    return {
        "condition_id": market.condition_id,
        "rewards": _rewards(market),
        "tokens": _tokens(market, worth_micros),
        "active": market.active,
        "closed": market.closed,
        "archived": False,
        "accepting_orders": market.accepting_orders,
    }


def short(market: Market) -> Json:
    """`/clob-markets/{condition}`: without fees there is no `fd`, and a delay, a game and a negative risk are named only where
    there are such."""
    delayed = {"itode": True} | ({"sd": _delay_s(market)} if _delay_s(market) else {}) if market.delay_ms else {}
    return {
        "r": {"mi": REWARDED_SIZE, "ma": REWARDED_SPREAD, "e": rewarded(market), "moas": 4},
        "t": [{"t": token, "o": outcome} for token, outcome in zip(market.tokens, market.outcomes, strict=True)],
        "c": market.condition_id,
        "mos": market.min_size_micros // MICRO,
        "mts": market.tick_micros / MICRO,
        "mbf": LEGACY_FEE_BPS,
        "tbf": LEGACY_FEE_BPS,
        "ao": market.accepting_orders,
        "cbos": market.clear_on_start,
        "aot": _since(market),
        "ibce": True,
        **({"fd": {"r": float(market.fee_rate), "e": 1, "to": True}} if market.fee_rate else {}),
        **({"nr": True} if market.neg_risk else {}),
        **delayed,
        **({"gst": stamp(market.game_start_at)} if market.game_start_at else {}),
        "v": market.version,
    }


def by_token(market: Market) -> Json:
    """`/markets-by-token/{token}`: which of the two is called the primary one follows no order of outcomes."""
    swapped = int(market.condition_id[-1], 16) % 2
    first, second = market.tokens[swapped], market.tokens[1 - swapped]
    return {"condition_id": market.condition_id, "primary_token_id": first, "secondary_token_id": second}


def _delay_s(market: Market) -> int:
    """Whole seconds that takers wait; shorter delays are not said in seconds."""
    return market.delay_ms // 1_000


def _since(market: Market) -> str:
    return stamp(market.created_at) if market.created_at else SINCE


def _tokens(market: Market, worth_micros: Mapping[str, int]) -> list[Json]:
    """Those of a market that has just been made have no ids yet (venue.md 2)."""
    return [
        {
            "token_id": token if market.hydrated else "",
            "outcome": outcome,
            "price": number(worth_micros[token]),
            "winner": market.closed and worth_micros[token] == MICRO,
        }
        for token, outcome in zip(market.tokens, market.outcomes, strict=True)
    ]


def _rewards(market: Market) -> Json:
    if not rewarded(market):
        return {"rates": None, "min_size": 0, "max_spread": 0}
    return {"rates": None, "min_size": REWARDED_SIZE, "max_spread": REWARDED_SPREAD}
