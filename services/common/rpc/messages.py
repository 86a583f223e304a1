"""Messages that several services share, written from the domain."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from polycopy.common.v1 import trade_pb2 as pb

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.domain.trade import LeaderTrade

_SIDES = {Side.BUY: pb.SIDE_BUY, Side.SELL: pb.SIDE_SELL}
_KINDS = {CopyKind.ENTRY: pb.COPY_KIND_ENTRY, CopyKind.DEBT: pb.COPY_KIND_DEBT, CopyKind.EXIT: pb.COPY_KIND_EXIT}
_STATES = {state: pb.CopyState.Value(f"COPY_STATE_{state.upper()}") for state in CopyState}


def write_instant(at: datetime) -> Timestamp:
    """An aware instant."""
    written = Timestamp()
    written.FromDatetime(at)
    return written


def write_optional_instant(at: datetime | None) -> Timestamp | None:
    """An instant, or nothing."""
    return write_instant(at) if at is not None else None


def write_trade(trade: LeaderTrade) -> pb.LeaderTrade:
    """A leader's trade."""
    return pb.LeaderTrade(
        key=trade.key,
        leader=trade.leader,
        token_id=trade.token_id,
        condition_id=trade.condition_id,
        side=_SIDES[trade.side],
        size_micros=trade.shares_micros,
        usdc_micros=trade.usdc_micros,
        price_micros=trade.price_micros,
        traded_at=write_instant(trade.traded_at),
        tx_hash=trade.tx_hash,
        order_hash=trade.order_hash,
        block_number=trade.block_number,
    )


def write_copy(copy: Copy) -> pb.Copy:
    """A copy as its owner sees it."""
    return pb.Copy(
        copy_id=copy.copy_id,
        account_id=copy.account_id,
        follow_id=copy.follow_id,
        kind=_KINDS[copy.kind],
        state=_STATES[copy.state],
        trade=write_trade(copy.trade),
        skip_reason=copy.skip_reason,
        failure=copy.failure,
        needs_review=copy.needs_review,
        order_hashes=copy.order_hashes,
        filled_micros=copy.filled_micros,
        paid_micros=copy.paid_micros,
        fee_micros=copy.fee_micros,
        detected_at=write_instant(copy.detected_at),
        executed_at=write_optional_instant(copy.executed_at),
        reconciled_at=write_optional_instant(copy.reconciled_at),
        attempts=sum(len(intent.attempts) for intent in copy.intents),
        title=copy.title,
        outcome=copy.outcome,
        member_of=copy.member_of,
        group_key=copy.group_key,
    )
