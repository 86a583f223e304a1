"""What a settled fill, or a resolution, does to a position: average cost, realised profit, one ledger line. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.common.domain.account import Account, Holding
from services.common.domain.copy import Copy
from services.common.domain.fill import RESOLVED, Fill, LedgerLine, Position
from services.common.domain.market import Market, Side
from services.common.domain.money import MICRO, mul_div


@dataclass(frozen=True, slots=True)
class Booked:
    """A position after a fill or a resolution, the line that says how, and what the account's holding changes by."""

    position: Position
    line: LedgerLine
    held: Holding


def book(position: Position, fill: Fill, event_id: str, now: datetime) -> Booked:
    """Book one confirmed fill. A BUY adds its shares at cost with fee; a SELL takes them out at average cost and realises the rest.

    A SELL of more than is held takes out what there is: the difference shows up in the comparison with the chain.
    """
    if fill.side is Side.BUY:
        shares, cost, realized = fill.shares_micros, fill.usdc_micros + fill.fee_micros, 0
    else:
        sold = min(fill.shares_micros, position.shares_micros)
        out = mul_div(position.cost_micros, sold, position.shares_micros) if sold else 0
        shares, cost, realized = -sold, -out, fill.usdc_micros - fill.fee_micros - out
    after = replace(
        position,
        shares_micros=position.shares_micros + shares,
        cost_micros=position.cost_micros + cost,
        bought_micros=position.bought_micros + max(shares, 0),
        realized_micros=position.realized_micros + realized,
        fees_micros=position.fees_micros + fill.fee_micros,
        updated_at=now,
    )
    line = LedgerLine(
        fill.account_id,
        fill.token_id,
        fill.trade_id,
        fill.order_hash,
        fill.copy_id,
        shares,
        fill.usdc_micros if fill.side is Side.SELL else -fill.usdc_micros,
        fill.fee_micros,
        realized,
        now,
    )
    return Booked(after, line, Holding(fill.token_id, fill.condition_id, event_id, shares, cost))


def resolve(position: Position, payout_micros: int, now: datetime) -> Booked:
    """Take out all that is held of a token whose market is resolved, for what its shares pay; what it cost beyond that is lost."""
    booked = redeem(position, position.shares_micros, payout_micros, RESOLVED, now)
    return replace(booked, position=replace(booked.position, payout_micros=payout_micros))


def redeem(position: Position, shares: int, payout_micros: int, tx_hash: str, now: datetime) -> Booked:
    """Take out shares (of which there are as many) that one transaction has paid out, at their average cost; the rest stays."""
    cost = mul_div(position.cost_micros, shares, position.shares_micros)
    paid = mul_div(shares, payout_micros, MICRO)
    after = replace(
        position,
        shares_micros=position.shares_micros - shares,
        cost_micros=position.cost_micros - cost,
        realized_micros=position.realized_micros + paid - cost,
        updated_at=now,
        mark_micros=payout_micros,
    )
    token_id = position.token_id
    line = LedgerLine(position.account_id, token_id, token_id, tx_hash, "", -shares, paid, 0, paid - cost, now)
    return Booked(after, line, Holding(token_id, position.condition_id, position.event_id, -shares, -cost))


def fresh(account: Account, copy: Copy, condition_id: str, market: Market | None, now: datetime) -> Position:
    """The empty position of a token that the account has not held before."""
    token_id = copy.trade.token_id
    empty = Position(
        account_id=account.account_id,
        wallet=account.wallet,
        token_id=token_id,
        condition_id=condition_id,
        shares_micros=0,
        cost_micros=0,
        bought_micros=0,
        realized_micros=0,
        fees_micros=0,
        updated_at=now,
        title=copy.title,
        slug=copy.slug,
        outcome=copy.outcome,
    )
    return described(empty, market) if market else empty


def described(position: Position, market: Market) -> Position:
    """The position with its market's names."""
    index = market.outcome_index(position.token_id) or 0
    here, other = market.tokens[index], market.tokens[1 - index]
    return replace(
        position,
        condition_id=market.condition_id,
        title=market.title,
        slug=market.slug,
        icon=market.icon,
        event_slug=market.event_slug,
        event_id=market.event_id,
        outcome=here.outcome,
        outcome_index=index,
        opposite_outcome=other.outcome,
        opposite_token_id=other.token_id,
        ends_at=market.ends_at,
        neg_risk=market.neg_risk,
    )
