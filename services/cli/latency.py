"""How long each step from a leader's fill to our order took, by the stores' times and the venue's own log."""

from collections.abc import Sequence
from datetime import datetime
from statistics import quantiles

from services.cli.books import Books
from services.cli.venue_log import VenueLog
from services.common.domain.copy import CopyKind


def latency(books: Books, log: VenueLog, *, known_only: bool = False) -> dict[str, dict[str, int]]:
    """Each step's time in milliseconds; `known_only` leaves out copies of fills that are not in this log."""
    visible = {(fill.leader, fill.tx_hash, fill.order_hash): fill.mined_at_ms for fill in log.leader_fills}
    detect: list[int] = []
    decide: list[int] = []
    send: list[int] = []
    whole: list[int] = []
    for copy in books.trades:
        trade, detected_ms = copy.trade, _ms(copy.detected_at)
        seen_ms = visible.get((trade.leader, trade.tx_hash, trade.order_hash))
        if seen_ms is not None:
            detect.append(detected_ms - seen_ms)
        if copy.decision is None or copy.kind is not CopyKind.ENTRY or (known_only and seen_ms is None):
            continue
        decided_ms = _ms(copy.decision.at)
        decide.append(decided_ms - detected_ms)
        order = log.orders.get(copy.order_hashes[0]) if copy.order_hashes else None
        if order is not None:
            send.append(order.first_at_ms - decided_ms)
            if seen_ms is not None:
                whole.append(order.first_at_ms - seen_ms)
    named = {"detect": detect, "decide": decide, "send": send, "leader_fill_to_order": whole}
    return {name: percentiles(values) for name, values in named.items()}


def percentiles(values: Sequence[int]) -> dict[str, int]:
    """p50, p95, p99 and the largest; empty without values."""
    if not values:
        return {}
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else [float(values[0])] * 99
    return {"p50": round(cuts[49]), "p95": round(cuts[94]), "p99": round(cuts[98]), "max": max(values)}


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
