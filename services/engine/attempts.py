"""Attempt n of an exit: a copy that is to sell what is owed now, and the price that it is held against. Pure."""

import hashlib
from datetime import datetime

from services.common.domain.copy import AT_ONCE, Copy, CopyKind
from services.common.domain.exit import Cause
from services.common.domain.follow import Policy
from services.common.domain.market import Market, Side
from services.common.domain.money import MICRO, mul_div
from services.common.domain.trade import LeaderTrade, idempotency_key
from services.engine.leader_steps import step_key
from services.engine.stock import Ground


def leaders_sale(ground: Ground) -> LeaderTrade | None:
    """The leader's sale that the exit follows, whose price is what he got; None where the last step is none of his, or no sale."""
    last = max(ground.exit.standing, key=lambda step: (step.place.block, step.place.order), default=None)
    if last is None or last.cause is not Cause.LEADER:
        return None
    sales = (debt for debt in ground.debts if debt.trade.is_fill and step_key(debt) == last.key)
    latest = max(sales, key=lambda debt: debt.trade.log_index, default=None)
    return latest.trade if latest else None


def market_sale(
    ground: Ground, market: Market, shares_micros: int, price_micros: int, block: int, now: datetime
) -> LeaderTrade:
    """What stands for a leader's sale where he made none: these shares at the market's price of now.

    No fill of ours is older than `block`.
    """
    exit_ = ground.exit
    return LeaderTrade(
        key=f"exit|{exit_.follow_id}|{exit_.token_id}|{exit_.attempts + 1}",
        leader=ground.follow.leader if ground.follow else "",
        token_id=exit_.token_id,
        side=Side.SELL,
        shares_micros=shares_micros,
        usdc_micros=mul_div(shares_micros, price_micros, MICRO),
        traded_at=now,
        tx_hash="",
        order_hash="",
        block_number=block,
        log_index=0,
        condition_id=market.condition_id,
    )


def attempt(ground: Ground, trade: LeaderTrade, market: Market | None, shares_micros: int, now: datetime) -> Copy:
    """The next attempt, under the policy that its follow has now."""
    exit_, follow = ground.exit, ground.follow
    number = exit_.attempts + 1
    key = idempotency_key(exit_.account_id, f"exit|{exit_.follow_id}|{exit_.token_id}|{number}")
    token = market.token(exit_.token_id) if market else None
    return Copy(
        copy_id=hashlib.sha256(f"copy|{key}".encode()).hexdigest()[:32],
        idempotency_key=key,
        account_id=exit_.account_id,
        follow_id=exit_.follow_id,
        kind=CopyKind.EXIT,
        trade=trade,
        policy=follow.policy if follow else Policy(),
        policy_version=follow.version if follow else 0,
        detected_at=now,
        claimable_at=AT_ONCE,
        exit_id=exit_.exit_id,
        attempt_number=number,
        owed_micros=shares_micros,
        title=market.title if market else "",
        slug=market.slug if market else "",
        outcome=token.outcome if token else "",
    )
