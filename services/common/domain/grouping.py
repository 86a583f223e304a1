"""Trades of one leader that are copied by one order: which belong together, and what they are as one (orders.md 5.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from services.common.domain.follow import Follow, Grouping
from services.common.domain.market import Side
from services.common.domain.trade import LeaderTrade

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Group:
    """What a trade belongs to: trades of the same key are copied by one order, from `ends_at` on."""

    key: str
    ends_at: datetime


def group_of(trade: LeaderTrade, follow: Follow, now: datetime) -> Group | None:
    """The group of a trade that is seen at `now`; None where it stands alone.

    Time is cut into windows of the policy's length, so that whoever sees the trade, and whenever he is asked again, finds the same.
    """
    policy = follow.policy
    if policy.grouping is Grouping.NONE or policy.group_window_ms <= 0 or trade.side is Side.SELL:
        return None
    window = timedelta(milliseconds=policy.group_window_ms)
    number = (now - EPOCH) // window
    what = trade.order_hash if policy.grouping is Grouping.ORDER else trade.token_id
    return Group(f"{follow.follow_id}|{what}|{policy.group_window_ms}|{number}", EPOCH + (number + 1) * window)


def together(eldest: LeaderTrade, others: Sequence[LeaderTrade]) -> LeaderTrade:
    """The trades as one, in the words of the eldest: each counted once, as old as the oldest, at their average price."""
    if not others:
        return eldest
    every = (eldest, *others)
    met = [trade.counterparties for trade in every]
    return replace(
        eldest,
        shares_micros=sum(trade.shares_micros for trade in every),
        usdc_micros=sum(trade.usdc_micros for trade in every),
        traded_at=min(trade.traded_at for trade in every),
        counterparties=None if None in met else tuple(sorted({wallet for one in met for wallet in one or ()})),
    )
