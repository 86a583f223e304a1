"""Builders that supply everything a test is not about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.common.domain.account import Account, ExposureChange, OpenIntent
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.follow import Follow, FollowState, Policy, follow_id
from services.common.domain.intent import Attempt, Intent, OrderFields, OrderType
from services.common.domain.market import Side
from services.common.domain.trade import LeaderTrade, Role, idempotency_key, trade_key
from services.common.domain.verdict import Decision, Verdict
from services.common.sealing import KeyRing

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ACCOUNT = "0x" + "a" * 40
LEADER = "0x" + "1" * 40
TOKEN = "7" * 70
CONDITION = "0x" + "c" * 64
SEAL = KeyRing([bytes(32)])


def a_trade(number: int = 1, **changes: Any) -> LeaderTrade:
    """A leader's BUY of 10 shares at 0.50; `number` makes it another trade, later in the chain."""
    tx_hash, order_hash = f"0x{number:064x}", f"0x{number + 10_000:064x}"
    made = LeaderTrade(
        key=trade_key(137, tx_hash, order_hash),
        leader=LEADER,
        token_id=TOKEN,
        side=Side.BUY,
        shares_micros=10_000_000,
        usdc_micros=5_000_000,
        traded_at=NOON,
        tx_hash=tx_hash,
        order_hash=order_hash,
        block_number=100 + number,
        log_index=1,
        role=Role.TAKER,
        condition_id=CONDITION,
        counterparties=("0x" + "9" * 40,),
    )
    return replace(made, **changes)


def a_copy(
    number: int = 1, *, account: str = ACCOUNT, kind: CopyKind = CopyKind.ENTRY, now: datetime = NOON, **changes: Any
) -> Copy:
    """A detected copy of trade `number`, claimable at once."""
    side = Side.BUY if kind is CopyKind.ENTRY else Side.SELL
    trade = changes.pop("trade", a_trade(number, side=side))
    key = idempotency_key(account, f"{kind}|{trade.key}")
    made = Copy(
        copy_id=key[:32],
        idempotency_key=key,
        account_id=account,
        follow_id=follow_id(account, trade.leader),
        kind=kind,
        trade=trade,
        policy=Policy(),
        policy_version=1,
        detected_at=now,
        claimable_at=now,
    )
    return replace(made, **changes)


def an_account(account: str = ACCOUNT, **changes: Any) -> Account:
    """An active account that signs for itself."""
    made = Account(account_id=account, wallet=account, signer=account, signature_type=0, owner=account)
    return replace(made, **changes)


def a_follow(account: str = ACCOUNT, leader: str = LEADER, **changes: Any) -> Follow:
    """An active follow, made an hour before noon."""
    made = Follow(
        follow_id(account, leader), account, leader, Policy(), 1, FollowState.ACTIVE, NOON - timedelta(hours=1)
    )
    return replace(made, **changes)


def an_intent(number: int = 1, now: datetime = NOON, **changes: Any) -> Intent:
    """An unsigned BUY of 10 shares at 0.51, its first attempt journaled."""
    fields = OrderFields(
        salt=number,
        maker=ACCOUNT,
        signer=ACCOUNT,
        token_id=TOKEN,
        maker_amount=5_100_000,
        taker_amount=10_000_000,
        side=Side.BUY,
        signature_type=0,
        timestamp_ms=int(now.timestamp() * 1000),
        metadata="0x" + "0" * 64,
        builder="0x" + "0" * 64,
        chain_id=137,
        exchange="0xE111180000d2663C0091e4f400237545B87B996B",
        domain_version="2",
    )
    made = Intent(
        generation=1,
        order_hash=f"0x{number + 20_000:064x}",
        fields=fields,
        order_type=OrderType.FAK,
        deadline_at=now + timedelta(seconds=15),
        limit_micros=510_000,
        shares_micros=10_000_000,
        usdc_micros=5_100_000,
        fee_micros=100_000,
        engine_version="test",
        config_hash="test",
        attempts=(Attempt(1, now),),
    )
    return replace(made, **changes)


def a_decision(now: datetime = NOON, **changes: Any) -> Decision:
    """A decision that one guard was asked for, and allowed."""
    made = Decision(
        now,
        0,
        (Verdict("order_size", True, "", {"notionalMicros": "5100000"}, {"maxMicros": "250000000"}, 12),),
        '{"case": "kept"}',
    )
    return replace(made, **changes)


def a_refusal(now: datetime = NOON, **changes: Any) -> Decision:
    """A decision that one guard was asked for, and refused."""
    return a_decision(now, **{"verdicts": (Verdict("spread", False, "too_wide"),), **changes})


def an_exposure(copy: Copy, intent: Intent, now: datetime = NOON) -> ExposureChange:
    """What an entry's intent does to its account."""
    opened = OpenIntent(
        copy_id=copy.copy_id,
        condition_id=CONDITION,
        event_id="7",
        token_id=copy.trade.token_id,
        leader=copy.trade.leader,
        side=copy.side,
        shares_micros=intent.shares_micros,
        usdc_micros=intent.usdc_micros,
        fee_micros=intent.fee_micros,
        price_micros=intent.limit_micros,
        at=now,
    )
    return ExposureChange(now, put=opened, spent_micros=intent.usdc_micros, spent_on=copy.trade.leader)
