"""What would have had to differ for a guard to allow an order: read from its verdict alone, so that any stored decision can tell it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from services.common.domain.verdict import Verdict


class Relation(StrEnum):
    """How a figure has to stand to the value beside it. `known`: any value would do, but there was none."""

    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    BELOW = "below"
    EQUAL = "equal"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Difference:
    """The nearest figure that would have passed: `name` among those observed, what it was, and what was needed of it."""

    name: str
    relation: Relation
    observed: str
    needed: str


@dataclass(frozen=True, slots=True)
class Bound:
    """Which observed figure a reason is about, and which limits hold it; without a relation it has to lie between them."""

    name: str
    relation: Relation | None = None
    limits: tuple[str, ...] = ()


def _at_most(name: str, limit: str = "") -> Bound:
    return Bound(name, Relation.AT_MOST, (limit or name,))


def _at_least(name: str, limit: str = "") -> Bound:
    return Bound(name, Relation.AT_LEAST, (limit or name,))


def _equal(name: str, limit: str = "") -> Bound:
    return Bound(name, Relation.EQUAL, (limit or name,))


def _between(name: str, *limits: str) -> Bound:
    return Bound(name, None, limits)


BOUNDS: Mapping[tuple[str, str], Bound] = {
    ("trade_time", "before_follow"): _at_least("traded_at", "followed_at"),
    ("trade_time", "in_future"): _at_least("age_ms", "least_age_ms"),
    ("trade_time", "too_old"): _at_most("age_ms"),
    ("idempotency", "intent_exists"): _equal("intent"),
    ("parties", "follow_closed"): _equal("follow"),
    ("parties", "account_disabled"): _equal("account"),
    ("parties", "market_denied"): _equal("market"),
    ("parties", "tag_denied"): _equal("denied_tags"),
    ("parties", "own_wallet"): _equal("leader"),
    ("parties", "own_counterparty"): _equal("own_counterparties"),
    ("viability", "unknown_token"): _equal("token"),
    ("viability", "unknown_protocol"): _equal("protocol"),
    ("viability", "closed"): _equal("state"),
    ("viability", "resolving"): _equal("resolution"),
    ("viability", "not_active"): _equal("state"),
    ("viability", "not_accepting_orders"): _equal("accepting"),
    ("viability", "ends_soon"): _at_least("left_ms"),
    ("viability", "wide_spread"): _at_most("spread"),
    ("price_band", "leader_outside"): _between("leader", "least", "most"),
    ("price_band", "ours_outside"): _between("ours", "least", "most"),
    ("market_data", "feed_down"): _equal("live"),
    ("market_data", "crossed"): Bound("bid", Relation.BELOW, ("bid",)),
    ("market_data", "mid_jumped"): _at_most("jump"),
    ("edge", "no_edge"): _at_least("edge"),
    ("position", "market_cap"): _at_most("market_usdc"),
    ("position", "not_settled"): _at_most("shares"),
    ("sizing", "not_the_policys"): _equal("shares"),
    ("sizing", "voided_by_exit"): _at_least("shares", "least_shares"),
    ("sizing", "below_minimum"): _at_least("shares", "least_shares"),
    ("sizing", "above_cap"): _at_most("usdc", "most_usdc"),
    ("venue_validity", "unknown_tick"): _equal("tick", "ticks"),
    ("venue_validity", "price_out_of_range"): _between("limit_price", "tick", "most_price"),
    ("venue_validity", "price_off_tick"): _equal("limit_price", "grid_price"),
    ("venue_validity", "size_off_lot"): _equal("shares", "grid_shares"),
    ("venue_validity", "sum_off_cent"): _equal("shares", "grid_shares"),
    ("venue_validity", "not_this_copy"): _equal("order_of", "copy_of"),
    ("venue_validity", "not_its_value"): _equal("usdc"),
    ("slippage", "beyond_bound"): _between("limit_price", "bound"),
    ("slippage", "no_depth"): _at_least("depth"),
    ("price_collar", "beyond_collar"): _between("limit_price", "collar"),
    ("order_size", "too_many_shares"): _at_most("shares"),
    ("order_size", "too_big"): _at_most("usdc"),
    ("event_exposure", "event_cap"): _at_most("event_usdc"),
    ("leader_day", "leader_cap"): _at_most("leader_day_usdc"),
    ("account_exposure", "capital_threshold"): _at_most("gross_usdc"),
    ("daily_spend", "spend_cap"): _at_most("day_usdc"),
    ("daily_loss", "loss_cap"): _at_most("loss_usdc"),
    ("daily_loss", "marks_missing"): _at_most("loss_usdc"),
    ("daily_loss", "opening_missing"): _at_most("loss_usdc"),
    ("drawdown", "too_deep"): _at_least("equity"),
    ("in_flight", "market_in_flight"): _at_most("market_intents"),
    ("in_flight", "account_in_flight"): _at_most("account_intents"),
    ("message_rate", "per_second"): _at_most("orders_per_second"),
    ("message_rate", "per_minute"): _at_most("orders_per_minute"),
    ("repetition", "repeated"): _at_most("entries"),
    ("credit", "fee_above_proceeds"): _at_most("fee"),
    ("credit", "balance_too_old"): _between("age_ms", "least_age_ms", "age_ms"),
    ("credit", "balance_short"): _at_most("needed", "balance"),
    ("credit", "allowance_short"): _at_most("needed", "allowance"),
    ("self_trade", "own_order"): _at_most("own_orders"),
    ("fee_bound", "fee_too_high"): _at_most("fee"),
    ("deadline", "too_late"): _at_least("left_ms", "least_ms"),
    ("deadline", "too_far"): _at_most("left_ms", "most_ms"),
}
"""What each reason of each guard is about."""


def difference(verdict: Verdict) -> Difference | None:
    """What would have had to differ; None where the guard allowed the order, or broke, or is none that we know."""
    if verdict.ok:
        return None
    if verdict.reason == "missing":
        return Difference(verdict.observed.get("missing", ""), Relation.KNOWN, "", "")
    bound = BOUNDS.get((verdict.guard, verdict.reason))
    if bound is None:
        return None
    observed = verdict.observed.get(bound.name, "")
    limits = [verdict.limit[name] for name in bound.limits if name in verdict.limit]
    if not limits:
        return None
    relation, needed = (bound.relation, limits[0]) if bound.relation else _nearest(observed, limits)
    return Difference(bound.name, relation, observed, needed)


def _nearest(observed: str, limits: list[str]) -> tuple[Relation, str]:
    """The limit that a figure lies beyond, and from which side."""
    figure, sides = Decimal(observed), sorted(map(Decimal, limits))
    nearest = min(sides, key=lambda limit: abs(limit - figure))
    return (Relation.AT_LEAST if figure < nearest else Relation.AT_MOST), format(nearest, "f")
