"""What an order has come to lately, without what it was decided on: what brakes and counters are made of."""

from dataclasses import dataclass
from datetime import datetime

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.intent import Attempt
from services.common.domain.lifecycle import CopyState
from services.common.domain.trade import LeaderTrade


@dataclass(frozen=True, slots=True)
class RecentOrder:
    """One copy's orders with their journaled attempts of all generations, eldest first.

    `market` is a condition id, or the token where nobody has named it; `rejections` counts the orders that the venue would not have.
    """

    copy_id: str
    kind: CopyKind
    leader: str
    token_id: str
    market: str
    state: CopyState
    failure: str
    needs_review: bool
    attempts: tuple[Attempt, ...]
    rejections: int = 0

    @property
    def sent_at(self) -> datetime:
        """When its last attempt was journaled."""
        return self.attempts[-1].at


def recent_order(copy: Copy) -> RecentOrder | None:
    """The order of a copy; None where it has none."""
    if copy.intent is None or not copy.intent.attempts:
        return None
    return RecentOrder(
        copy.copy_id,
        copy.kind,
        copy.trade.leader,
        copy.trade.token_id,
        market_of(copy),
        copy.state,
        copy.failure,
        copy.needs_review,
        tuple(attempt for intent in copy.intents for attempt in intent.attempts),
        sum(intent.was_rejected for intent in copy.intents),
    )


def market_of(copy: Copy) -> str:
    """The copy's market, by its decision where the trade does not say."""
    return named_market(copy.trade, copy.decision.market if copy.decision else "")


def named_market(trade: LeaderTrade, decided_in: str) -> str:
    """A market's id, or the token rather than a name that all unknown ones share."""
    return trade.condition_id or decided_in or trade.token_id
