"""The summary of a run: every figure from the stores and the venue's own log, never from what was intended."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import quantiles
from typing import Any

from services.cli.venue_log import LeaderFill, VenueLog
from services.common.domain import money
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.fill import Fill, Position, ReconciliationResult, TradeStatus
from services.common.domain.intent import Intent, Outcome
from services.common.domain.lifecycle import CopyState

EXECUTED = frozenset({CopyState.EXECUTED, CopyState.RECONCILED})
ENDED = frozenset({CopyState.RECONCILED, CopyState.SKIPPED, CopyState.FAILED})


@dataclass(frozen=True, slots=True)
class Books:
    """What our stores hold at the end of a run."""

    copies: tuple[Copy, ...]
    fills: tuple[Fill, ...]
    positions: tuple[Position, ...]
    results: tuple[ReconciliationResult, ...]

    @property
    def trades(self) -> tuple[Copy, ...]:
        """The copies that stand for leader trades: one for each account that follows."""
        return tuple(copy for copy in self.copies if copy.kind is not CopyKind.EXIT)

    @property
    def intents(self) -> Iterable[tuple[Copy, Intent]]:
        """Every order that was ever journaled, with its copy."""
        for copy in self.copies:
            for intent in (*copy.past_intents, copy.intent) if copy.intent else copy.past_intents:
                yield copy, intent


def settled(books: Books) -> bool:
    """Nothing is under way any more: every copy has ended, every fill is booked."""
    return all(copy.state in ENDED for copy in books.copies)


def summary(books: Books, log: VenueLog, *, seed: int, version: str, config_hash: str) -> dict[str, Any]:
    """The JSON object that interfaces.md names; `problems` says in words what is off, and is empty where nothing is."""
    states = Counter(copy.state for copy in books.trades)
    skipped = Counter(copy.skip_reason for copy in books.trades if copy.state is CopyState.SKIPPED)
    executed = sum(states[state] for state in EXECUTED)
    failed = states[CopyState.FAILED]
    duplicates, lost, wrong = _duplicates(books, log), _lost(books, log), _discrepancies(books, log)
    confirmed = [fill for fill in books.fills if fill.status is TradeStatus.CONFIRMED]
    found = {
        "leader_trades": len(log.leader_fills),
        "detected": len(books.trades),
        "executed": executed,
        "open": len(books.trades) - executed - failed - sum(skipped.values()),
        "reconciled": states[CopyState.RECONCILED],
        "skipped": dict(sorted(skipped.items())),
        "failed": failed,
        "needs_review": sum(copy.needs_review for copy in books.copies),
        "duplicates": len(duplicates),
        "lost": len(lost),
        "discrepancies": len(wrong),
        "orders_sent": sum(1 for _, intent in books.intents if _left(intent)),
        "venue_orders": sum(order.accepted for order in log.orders.values()),
        "notional_usdc": _usdc(sum(fill.usdc_micros for fill in confirmed)),
        "fees_usdc": _usdc(sum(fill.fee_micros for fill in confirmed)),
        "pnl_usdc": _usdc(sum(map(_profit, books.positions))),
        "latency_ms": latency(books, log),
        "seed": seed,
        "version": version,
        "config_hash": config_hash,
    }
    return found | {"problems": [*duplicates, *lost, *wrong, *_open(books)]}


def _duplicates(books: Books, log: VenueLog) -> list[str]:
    ours = {intent.order_hash for _, intent in books.intents}
    strange = [
        f"the venue took order {known}, which our journal does not have" for known in log.orders if known not in ours
    ]
    keys = Counter((copy.account_id, copy.idempotency_key) for copy in books.copies)
    twice = [f"two copies for {key[1]}" for key, times in keys.items() if times > 1]
    filled = Counter(copy.copy_id for copy, intent in books.intents if _shares(log, intent.order_hash))
    return strange + twice + [f"copy {copy_id} filled {times} orders" for copy_id, times in filled.items() if times > 1]


def _lost(books: Books, log: VenueLog) -> list[str]:
    known = {_place(copy) for copy in books.trades}
    unseen = [
        f"no copy of the fill of {fill.order_hash} in {fill.tx_hash}"
        for fill in log.leader_fills
        if _of(fill) not in known
    ]
    booked: Counter[str] = Counter()
    for fill in books.fills:
        booked[fill.order_hash] += fill.shares_micros if fill.status is TradeStatus.CONFIRMED else 0
    unbooked = [
        f"order {order.order_hash} filled {order.shares_micros} micro-shares, booked are {booked[order.order_hash]}"
        for order in log.orders.values()
        if order.shares_micros != booked[order.order_hash]
    ]
    return unseen + unbooked


def _discrepancies(books: Books, log: VenueLog) -> list[str]:
    named = [
        f"{item.source} says {item.theirs_micros} of {item.token_id[:12]}…, our books {item.ours_micros}"
        for result in books.results
        for item in result.discrepancies
    ]
    incomplete = [
        f"the last comparison could not ask {', '.join(r.unreachable)}" for r in books.results if not r.complete
    ]
    ours: Counter[str] = Counter()
    for position in books.positions:
        ours[position.token_id] += position.shares_micros
    tokens = sorted({token for token in ours if ours[token]} | set(log.holdings))
    return (
        named
        + incomplete
        + [
            f"the venue's log says {log.holdings.get(token, 0)} of {token[:12]}…, our books {ours[token]}"
            for token in tokens
            if ours[token] != log.holdings.get(token, 0)
        ]
    )


def _open(books: Books) -> list[str]:
    left = [copy for copy in books.copies if copy.state not in ENDED]
    return [f"{copy.kind} {copy.copy_id} is still {copy.state}" for copy in left]


def latency(books: Books, log: VenueLog, *, known_only: bool = False) -> dict[str, dict[str, int]]:
    """Each step's time in milliseconds; `known_only` leaves out copies of fills that are not in this log."""
    visible = {_of(fill): fill.mined_at_ms for fill in log.leader_fills}
    detect: list[int] = []
    decide: list[int] = []
    send: list[int] = []
    whole: list[int] = []
    for copy in books.trades:
        seen_ms, detected_ms = visible.get(_place(copy)), _ms(copy.detected_at)
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


def ok(found: Mapping[str, Any]) -> bool:
    """Nothing is duplicated, lost, unreconciled or open."""
    return not found["problems"] and found["leader_trades"] > 0 and found["executed"] > 0


def _left(intent: Intent) -> bool:
    return any(attempt.outcome is not Outcome.NOT_SENT for attempt in intent.attempts)


def _shares(log: VenueLog, order_hash: str) -> int:
    order = log.orders.get(order_hash)
    return order.shares_micros if order else 0


def _of(fill: LeaderFill) -> tuple[str, str, str]:
    return fill.leader, fill.tx_hash, fill.order_hash


def _place(copy: Copy) -> tuple[str, str, str]:
    return copy.trade.leader, copy.trade.tx_hash, copy.trade.order_hash


def _profit(position: Position) -> int:
    value = (
        position.shares_micros * position.mark_micros // money.MICRO
        if position.mark_micros is not None
        else position.cost_micros
    )
    return position.realized_micros + value - position.cost_micros


def _usdc(amount_micros: int) -> float:
    return float(Decimal(amount_micros) / money.MICRO)


def _ms(at: Any) -> int:
    return round(at.timestamp() * 1000)
