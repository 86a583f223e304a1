"""A copy as its document in `user_activities`: our fields, and the design's for readers of old."""

from collections.abc import Mapping
from typing import Any

from bson.decimal128 import Decimal128

from services.common.domain import custody, transitions
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.intent import Attempt, IntentState, was_rejected
from services.common.domain.lifecycle import TERMINAL, CopyState
from services.common.domain.money import decimal
from services.common.domain.recent_order import RecentOrder, named_market
from services.common.domain.trade import LeaderTrade
from services.common.store import codec

RANK = {CopyKind.DEBT: 0, CopyKind.EXIT: 1, CopyKind.ENTRY: 2}
ID = "copy_id"
RECENT = {
    "kind": 1,
    "state": 1,
    "failure": 1,
    "needsReview": 1,
    "trade": 1,
    "intent.attempts": 1,
    "intent.state": 1,
    "pastIntents.attempts": 1,
    "pastIntents.state": 1,
    "decision.market": 1,
}
"""What is read of an order that is only counted: minutes of them are read every second."""


def write(copy: Copy, revision: int) -> dict[str, Any]:
    """The whole document, its trail sealed; `rev` advances with every write, so that a reader knows whether it wrote on what it read."""
    made = codec.document(transitions.sealed(copy), ID)
    if copy.order_hashes:
        made["orderHashes"] = list(copy.order_hashes)
    sent_at = copy.intent.attempts[-1].at if copy.intent and copy.intent.attempts else None
    return {
        **made,
        **_old(copy),
        "policyHash": copy.policy.digest(),
        "rank": RANK[copy.kind],
        "turn": copy.turn,
        "unsettled": unsettled(copy),
        "sentAt": sent_at,
        "forgetAt": custody.forget_at(copy),
        "rev": revision,
    }


def read(document: Mapping[str, Any]) -> Copy:
    """The copy in a document; the design's own fields are never read."""
    return codec.record(Copy, document, ID)


def read_recent(document: Mapping[str, Any]) -> RecentOrder:
    """The order in a document of which `RECENT` was read."""
    trade = codec.decode(LeaderTrade, document["trade"])
    decision: dict[str, Any] = document.get("decision") or {}
    orders = [_attempts(order) for order in (*document.get("pastIntents", ()), document["intent"])]
    return RecentOrder(
        document["_id"],
        CopyKind(document["kind"]),
        trade.leader,
        trade.token_id,
        named_market(trade, decision.get("market", "")),
        CopyState(document["state"]),
        document["failure"],
        document["needsReview"],
        tuple(attempt for _, attempts in orders for attempt in attempts),
        sum(was_rejected(state, attempts) for state, attempts in orders),
    )


def _attempts(order: Mapping[str, Any]) -> tuple[IntentState, tuple[Attempt, ...]]:
    return IntentState(order["state"]), tuple(codec.decode(Attempt, attempt) for attempt in order["attempts"])


def unsettled(copy: Copy) -> bool:
    """The reconciler has to look at it."""
    if copy.intent is None:
        return False
    return copy.state is CopyState.EXECUTED or (
        copy.state is CopyState.FAILED and copy.intent.state is IntentState.PRESUMED_DEAD
    )


def _old(copy: Copy) -> dict[str, Any]:
    trade = copy.trade
    done = copy.state in TERMINAL or copy.state is CopyState.EXECUTED
    return {
        "proxyWallet": trade.leader,
        "timestamp": int(trade.traded_at.timestamp()),
        "conditionId": trade.condition_id,
        "type": "TRADE",
        "size": Decimal128(decimal(trade.shares_micros)),
        "usdcSize": Decimal128(decimal(trade.usdc_micros)),
        "price": Decimal128(decimal(trade.price_micros)),
        "transactionHash": trade.tx_hash,
        "asset": trade.token_id,
        "side": str(trade.side),
        "bot": done,
        "botExcutedTime": len(copy.intent.attempts) if copy.intent else 0,
    }
