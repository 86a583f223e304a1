"""What a document says, as far as its trail vouches for it: whatever is in here changes with an entry of the trail and not otherwise.

Claims, leases, marks and look-ups are not in it, nor is an account's exposure: they move without an entry.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from services.common.domain.account import Account
from services.common.domain.canonical import digest
from services.common.domain.copy import Copy
from services.common.domain.follow import Follow
from services.common.domain.intent import Attempt, Intent
from services.common.domain.lifecycle import CopyState
from services.common.domain.user import User
from services.common.domain.verdict import Decision

Content = dict[str, object]

WAITING = frozenset({CopyState.DETECTED, CopyState.CLAIMED})


def of_copy(copy: Copy) -> Content:
    """A copy: what it was made from, what was decided, ordered and matched. The decision stands for itself by its hash."""
    trade, decision = copy.trade, acted_on(copy)
    return {
        "copyId": copy.copy_id,
        "account": copy.account_id,
        "follow": copy.follow_id,
        "kind": copy.kind,
        "key": copy.idempotency_key,
        "trade": {
            "key": trade.key,
            "leader": trade.leader,
            "tokenId": trade.token_id,
            "side": trade.side,
            "sharesMicros": trade.shares_micros,
            "usdcMicros": trade.usdc_micros,
            "tradedAt": instant(trade.traded_at),
            "txHash": trade.tx_hash,
            "orderHash": trade.order_hash,
        },
        "policy": copy.policy.digest(),
        "detectedAt": instant(copy.detected_at),
        # A claim is no transition that anybody is told of: it comes and goes with its lease.
        "state": CopyState.DETECTED if copy.state in WAITING else copy.state,
        "skipReason": copy.skip_reason,
        "failure": copy.failure,
        "needsReview": copy.needs_review,
        "decision": decision.digest if decision else "",
        "intent": _intent(copy.intent) if copy.intent else None,
        "pastIntents": [_intent(intent) for intent in copy.past_intents],
        "exitId": copy.exit_id,
        "memberOf": copy.member_of,
        "filledMicros": copy.filled_micros,
        "paidMicros": copy.paid_micros,
        "feeMicros": copy.fee_micros,
        "executedAt": instant(copy.executed_at),
        "reconciledAt": instant(copy.reconciled_at),
    }


def attached(copy: Copy) -> dict[str, object]:
    """What stands for itself by its hash in a copy's content, by the name that it has there."""
    decision = acted_on(copy)
    return {"decision": decision.content()} if decision else {}


def acted_on(copy: Copy) -> Decision | None:
    """The decision that has made the copy what it is; while it waits, the last report is a note that changes with every try."""
    return None if copy.state in WAITING else copy.decision


def of_account(account: Account) -> Content:
    """An account: whose it is, and what control has made of it."""
    return {
        "account": account.account_id,
        "wallet": account.wallet,
        "signer": account.signer,
        "signatureType": account.signature_type,
        "owner": account.owner,
        "state": account.state,
        "pauses": [[pause.scope, pause.subject, pause.by, instant(pause.at)] for pause in account.pauses],
        "activeVersion": account.active_version,
        "limits": asdict(account.limits),
        "limitsVersion": account.limits_version,
        "raises": [
            [one.raise_id, one.limits, one.by, instant(one.at), instant(one.effective_at)] for one in account.raises
        ],
        "acknowledged": {token: instant(at) for token, at in account.acknowledged.items()},
    }


def of_follow(follow: Follow) -> Content:
    """A follow with its policy."""
    return {
        "follow": follow.follow_id,
        "account": follow.account_id,
        "leader": follow.leader,
        "policy": follow.policy.digest(),
        "version": follow.version,
        "state": follow.state,
        "leaving": follow.leaving,
        "createdAt": instant(follow.created_at),
    }


def of_user(user: User) -> Content:
    """A person and what he may do."""
    return {
        "user": user.address,
        "role": user.role,
        "tokenEpoch": user.token_epoch,
        "createdAt": instant(user.created_at),
    }


def of_log_ins(day: str) -> Content:
    """A day of log-ins: what happened on it stands in its trail alone."""
    return {"day": day}


def hashed(content: Content) -> str:
    """The hash that an entry carries."""
    return digest(content)


def instant(at: datetime | None) -> str:
    """An instant as exact as the database keeps it; empty for none."""
    return at.isoformat(timespec="milliseconds") if at is not None else ""


def _intent(intent: Intent) -> Content:
    return {
        "generation": intent.generation,
        "orderHash": intent.order_hash,
        "orderType": intent.order_type,
        "deadlineAt": instant(intent.deadline_at),
        "limitMicros": intent.limit_micros,
        "sharesMicros": intent.shares_micros,
        "usdcMicros": intent.usdc_micros,
        "feeMicros": intent.fee_micros,
        "engineVersion": intent.engine_version,
        "configHash": intent.config_hash,
        "attempts": _attempts(intent.attempts),
        "state": intent.state,
    }


def _attempts(attempts: Iterable[Attempt]) -> list[list[Any]]:
    return [[one.number, instant(one.at), one.outcome, one.status, one.code] for one in attempts]
