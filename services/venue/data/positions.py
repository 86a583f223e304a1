"""Rows of `/positions` and `/closed-positions`, in both versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.venue.data.holdings import Holding
from services.venue.data.rows import Row, icon, outcome_index
from services.venue.model import MICRO, Market

PLACES = 4


@dataclass(frozen=True, slots=True)
class Position:
    """A holding with what the chain and the book say of it: `shares_micros` is the balance, prices in millionths."""

    wallet: str
    name: str
    market: Market
    holding: Holding
    shares_micros: int
    price_micros: int
    resolved: bool
    mergeable: bool

    @property
    def value_micros(self) -> int:
        return self.shares_micros * self.price_micros // MICRO

    @property
    def cost_micros(self) -> int:
        if self.shares_micros == self.holding.shares_micros:
            return self.holding.cost_micros
        return self.shares_micros * self.holding.average_micros // MICRO

    @property
    def gain_micros(self) -> int:
        return self.value_micros - self.cost_micros


def position_v1(position: Position) -> Row:
    """A row of `/positions`."""
    holding, market = position.holding, position.market
    fees = _fees_micros(position)
    percent = _percent(position.gain_micros, position.cost_micros)
    return {
        "proxyWallet": position.wallet,
        "asset": holding.token_id,
        "conditionId": holding.condition_id,
        "size": _number(position.shares_micros),
        "avgPrice": _number(holding.average_micros),
        "initialValue": _number(position.cost_micros),
        "grossInitialValue": _number(position.cost_micros + fees, 6),
        "entryFeesUsdc": _number(fees, 6),
        "currentValue": _number(position.value_micros),
        "cashPnl": _number(position.gain_micros),
        "percentPnl": percent,
        "totalBought": _number(holding.bought_micros),
        "realizedPnl": _number(holding.realized_micros),
        "percentRealizedPnl": percent,
        "curPrice": _number(position.price_micros, 6),
        "redeemable": position.resolved,
        "mergeable": position.mergeable,
        "title": market.question,
        "slug": market.slug,
        "icon": icon(market),
        "eventId": market.event_id,
        "eventSlug": market.event_slug,
        **_outcomes_v1(position),
        "endDate": _day(market),
        "negativeRisk": market.neg_risk,
    }


def closed_v1(position: Position) -> Row:
    """A row of `/closed-positions`."""
    holding, market = position.holding, position.market
    return {
        "proxyWallet": position.wallet,
        "asset": holding.token_id,
        "conditionId": holding.condition_id,
        "avgPrice": _number(holding.average_micros),
        "totalBought": _number(holding.bought_micros),
        "realizedPnl": _number(holding.realized_micros),
        "curPrice": _number(position.price_micros, 6),
        "title": market.question,
        "slug": market.slug,
        "icon": icon(market),
        "eventSlug": market.event_slug,
        **_outcomes_v1(position),
        "endDate": _day(market),
        "timestamp": holding.last_at,
    }


def position_v2(position: Position) -> Row:
    """A row of `/v2/positions`. Its status is its own: what is lost is REDEEMABLE, and what can be merged OPEN."""
    holding, market = position.holding, position.market
    fees, cost = _fees_micros(position) if position.shares_micros else holding.fees_micros, position.cost_micros
    return {
        "proxy_wallet": position.wallet,
        "token_id": holding.token_id,
        "condition_id": holding.condition_id,
        "current_size": _float(position.shares_micros),
        "avg_price": _float(holding.average_micros),
        "entry_cost_usdc": _float(cost),
        "entry_fees_usdc": _float(fees, 6),
        "total_cost_usdc": _float(cost + fees, 6),
        "current_price": _float(position.price_micros, 6),
        "current_value": _float(position.value_micros),
        "total_size": _float(holding.bought_micros),
        "realized_pnl": _float(holding.realized_micros),
        "unrealized_pnl": _float(position.gain_micros),
        "total_pnl": _float(position.gain_micros + holding.realized_micros),
        "percent_pnl": float(_percent(position.gain_micros, cost)),
        "percent_realized_pnl": float(_percent_realized(position)),
        "status": _status(position),
        "redeemable": position.resolved,
        "mergeable": position.mergeable,
        "negative_risk": market.neg_risk,
        "archived": False,
        "title": market.question,
        "slug": market.slug,
        "icon": icon(market),
        "event_id": market.event_id,
        "event_slug": market.event_slug,
        **_outcomes_v2(position),
        "end_date": _day(market),
        "last_event_at": holding.last_at or None,
        "first_entry_at": holding.first_at or None,
        "name": position.name,
        "profile_image": "",
        "verified": False,
    }


def pnl_v2(position: Position) -> Row:
    """What `/v2/holders` adds of a holder's gain."""
    holding = position.holding
    return {
        "avg_price": _float(holding.average_micros),
        "entry_cost_usdc": _float(position.cost_micros),
        "current_price": _float(position.price_micros, 6),
        "current_value": _float(position.value_micros),
        "realized_pnl": _float(holding.realized_micros),
        "unrealized_pnl": _float(position.gain_micros),
        "total_pnl": _float(position.gain_micros + holding.realized_micros),
    }


def value_micros(positions: Iterable[Position]) -> int:
    return sum(position.value_micros for position in positions)


def _percent_realized(position: Position) -> int | float:
    """Of an open position the recorded figure is that of what it would gain now."""
    if position.shares_micros:
        return _percent(position.gain_micros, position.cost_micros)
    return _percent(position.holding.realized_micros, position.holding.spent_micros)


def _status(position: Position) -> str:
    if not position.shares_micros:
        return "CLOSED"
    return "REDEEMABLE" if position.resolved else "OPEN"


def _outcomes_v1(position: Position) -> Row:
    mine, other = _indices(position)
    market = position.market
    return {
        "outcome": market.outcomes[mine],
        "outcomeIndex": mine,
        "oppositeOutcome": market.outcomes[other],
        "oppositeAsset": market.tokens[other],
    }


def _outcomes_v2(position: Position) -> Row:
    mine, other = _indices(position)
    market = position.market
    return {
        "outcome": market.outcomes[mine],
        "outcome_index": mine,
        "opposite_outcome": market.outcomes[other],
        "opposite_token_id": market.tokens[other],
    }


def _indices(position: Position) -> tuple[int, int]:
    mine = outcome_index(position.market, position.holding.token_id)
    return mine, 1 - mine


def _fees_micros(position: Position) -> int:
    holding = position.holding
    if not holding.bought_micros:
        return 0
    return holding.fees_micros * min(position.shares_micros, holding.bought_micros) // holding.bought_micros


def _day(market: Market) -> str:
    return datetime.fromtimestamp(market.end_at, UTC).date().isoformat()


def _number(micros: int, places: int = PLACES) -> int | float:
    value = _float(micros, places)
    return int(value) if value.is_integer() else value


def _float(micros: int, places: int = PLACES) -> float:
    return round(micros / MICRO, places)


def _percent(part: int, whole: int) -> int | float:
    value = round(100 * part / whole, PLACES) if whole else 0.0
    return int(value) if value.is_integer() else value
