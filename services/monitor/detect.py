"""From a receipt to what followed leaders traded or gave away, and from there to one copy per follow. Pure: the same receipt gives the
same keys."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from services.common.domain.copy import AT_ONCE, Copy, CopyKind
from services.common.domain.follow import Follow, FollowState
from services.common.domain.grouping import group_of
from services.common.domain.market import Market, Side
from services.common.domain.trade import LeaderTrade, Role, idempotency_key, movement_key, trade_key
from services.common.ports.chain import OrderFilled, Receipt, Transfer


def trades(receipt: Receipt, leaders: Collection[str], chain_id: int) -> tuple[LeaderTrade, ...]:
    """The fills of `leaders` (lower-case addresses) in one mined transaction, in log order; two logs of one order add up."""
    found: dict[str, LeaderTrade] = {}
    for fill in receipt.fills if receipt.ok else ():
        if fill.maker.lower() in leaders:
            trade = _trade(receipt, fill, chain_id)
            found[trade.key] = found[trade.key].plus(trade) if trade.key in found else trade
    return tuple(found.values())


def _trade(receipt: Receipt, fill: OrderFilled, chain_id: int) -> LeaderTrade:
    return LeaderTrade(
        key=trade_key(chain_id, receipt.tx_hash, fill.order_hash),
        leader=fill.maker.lower(),
        token_id=fill.token_id,
        side=fill.side,
        shares_micros=fill.shares_micros,
        usdc_micros=fill.usdc_micros,
        traded_at=receipt.block_at,
        tx_hash=receipt.tx_hash.lower(),
        order_hash=fill.order_hash.lower(),
        block_number=receipt.block_number,
        log_index=fill.log_index,
        role=Role.TAKER if _took(fill) else Role.MAKER,
        block_hash=receipt.block_hash,
        counterparties=_met(receipt, fill),
    )


def _took(fill: OrderFilled) -> bool:
    """A taker's own log names the exchange as its counterparty (venue.md 6.2)."""
    return fill.taker.lower() == fill.exchange.lower()


def _met(receipt: Receipt, fill: OrderFilled) -> tuple[str, ...]:
    """Whose orders met this one: a maker's log names its taker, a taker's are the makers whose logs name him."""
    if not _took(fill):
        return (fill.taker.lower(),)
    wallet = fill.maker.lower()
    return tuple(sorted({other.maker.lower() for other in receipt.fills if other.taker.lower() == wallet}))


def movements(receipt: Receipt, leaders: Collection[str], chain_id: int) -> tuple[LeaderTrade, ...]:
    """What `leaders` (lower-case addresses) gave away in one mined transaction without a sale: by merging, converting, transferring.

    The net decrease of a leader's balance in a token that no SELL of his in this transaction stands for; that one's step is the net
    decrease itself. What was paid out after a resolution looks the same: see `Receipt.redeemed`.
    """
    moves: dict[tuple[str, str], list[Transfer]] = {}
    for move in receipt.transfers if receipt.ok else ():
        for wallet in {move.sender.lower(), move.receiver.lower()} & set(leaders):
            moves.setdefault((wallet, move.token_id), []).append(move)
    sold = {(fill.maker.lower(), fill.token_id) for fill in receipt.fills if fill.side is Side.SELL}
    found = (_movement(receipt, *of, mine, chain_id) for of, mine in moves.items() if of not in sold)
    return tuple(sorted((one for one in found if one.shares_micros > 0), key=lambda one: one.log_index))


def _movement(receipt: Receipt, leader: str, token_id: str, moves: Sequence[Transfer], chain_id: int) -> LeaderTrade:
    away = [move for move in moves if move.sender.lower() == leader]
    gone = sum(move.shares_micros for move in away)
    come = sum(move.shares_micros for move in moves if move.receiver.lower() == leader)
    return LeaderTrade(
        key=movement_key(chain_id, receipt.tx_hash, leader, token_id),
        leader=leader,
        token_id=token_id,
        side=Side.SELL,
        shares_micros=gone - come,
        usdc_micros=0,
        traded_at=receipt.block_at,
        tx_hash=receipt.tx_hash.lower(),
        order_hash="",
        block_number=receipt.block_number,
        log_index=max((move.log_index for move in away), default=0),
        block_hash=receipt.block_hash,
    )


def is_payout(trade: LeaderTrade, receipt: Receipt, market: Market | None) -> bool:
    """Whether what he gave away was paid out after its market was resolved. Of a token that no market has nothing is held either."""
    return not trade.is_fill and bool(receipt.redeemed) and (market is None or market.condition_id in receipt.redeemed)


def copies(trade: LeaderTrade, follows: Iterable[Follow], market: Market | None, now: datetime) -> tuple[Copy, ...]:
    """One copy for every follow that this trade concerns: a BUY is an entry, a SELL a debt, and so is what he gave away.

    A trade from before the follow was made is history: it concerns no one. A closing follow takes debts only.
    """
    return tuple(_copy(trade, follow, market, now) for follow in follows if _concerns(trade, follow))


def _concerns(trade: LeaderTrade, follow: Follow) -> bool:
    if follow.leader != trade.leader or trade.traded_at < follow.created_at:
        return False
    return follow.state is FollowState.ACTIVE or (follow.state is FollowState.CLOSING and trade.side is Side.SELL)


def _copy(trade: LeaderTrade, follow: Follow, market: Market | None, now: datetime) -> Copy:
    key = idempotency_key(follow.account_id, trade.key)
    token = market.token(trade.token_id) if market else None
    group = group_of(trade, follow, now)
    return Copy(
        copy_id=copy_id(key),
        idempotency_key=key,
        account_id=follow.account_id,
        follow_id=follow.follow_id,
        kind=CopyKind.ENTRY if trade.side is Side.BUY else CopyKind.DEBT,
        # A receipt does not name the market, and by it the engine leaves paused and braked ones unclaimed.
        trade=replace(trade, condition_id=market.condition_id) if market and not trade.condition_id else trade,
        policy=follow.policy,
        policy_version=follow.version,
        detected_at=now,
        claimable_at=group.ends_at if group else AT_ONCE,
        group_key=group.key if group else "",
        title=market.title if market else "",
        slug=market.slug if market else "",
        outcome=token.outcome if token else "",
    )


def copy_id(key: str) -> str:
    """A copy's id follows from its idempotency key, so that two processes that see one trade speak of one copy."""
    return hashlib.sha256(f"copy|{key}".encode()).hexdigest()[:32]
