"""The summary of a run: every figure from the stores and the venue's own log, never from what was intended."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from services.cli import proof
from services.cli.books import MATCHED, Books
from services.cli.latency import latency
from services.cli.venue_log import VenueLog
from services.common.domain import money
from services.common.domain.fill import Position, TradeStatus
from services.common.domain.intent import Intent, Outcome
from services.common.domain.lifecycle import CopyState


def summary(books: Books, log: VenueLog, *, seed: int, version: str, config_hash: str) -> dict[str, Any]:
    """The JSON object that interfaces.md names; `problems` says in words what is off, and is empty where nothing is."""
    states = Counter(copy.state for copy in books.trades)
    skipped = Counter(copy.skip_reason for copy in books.trades if copy.state is CopyState.SKIPPED)
    executed, failed = sum(states[state] for state in MATCHED), states[CopyState.FAILED]
    off = proof.find(books, log)
    confirmed = [fill for fill in books.fills if fill.status is TradeStatus.CONFIRMED]
    return {
        "leader_trades": len(log.leader_fills),
        "detected": len(books.trades),
        "executed": executed,
        "open": len(books.trades) - executed - failed - sum(skipped.values()),
        "reconciled": states[CopyState.RECONCILED],
        "skipped": dict(sorted(skipped.items())),
        "failed": failed,
        "needs_review": sum(copy.needs_review for copy in books.copies),
        "duplicates": len(off.duplicates),
        "lost": len(off.lost),
        "discrepancies": len(off.discrepancies),
        "orders_sent": sum(1 for _, intent in books.intents if _left(intent)),
        "venue_orders": sum(order.accepted for order in log.orders.values()),
        "notional_usdc": _usdc(sum(fill.usdc_micros for fill in confirmed)),
        "fees_usdc": _usdc(sum(fill.fee_micros for fill in confirmed)),
        "pnl_usdc": _usdc(sum(map(_profit, books.positions))),
        "latency_ms": latency(books, log),
        "seed": seed,
        "version": version,
        "config_hash": config_hash,
        "problems": off.all,
    }


def ok(found: Mapping[str, Any]) -> bool:
    """Something was copied, and nothing is duplicated, lost, unreconciled or open."""
    return not found["problems"] and found["leader_trades"] > 0 and found["executed"] > 0


def _left(intent: Intent) -> bool:
    return any(attempt.outcome is not Outcome.NOT_SENT for attempt in intent.attempts)


def _profit(position: Position) -> int:
    value = (
        position.shares_micros * position.mark_micros // money.MICRO
        if position.mark_micros is not None
        else position.cost_micros
    )
    return position.realized_micros + value - position.cost_micros


def _usdc(amount_micros: int) -> float:
    return float(Decimal(amount_micros) / money.MICRO)
