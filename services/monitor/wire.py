"""Messages of MonitorService from what the domain knows."""

from polycopy.monitor.v1 import monitor_pb2 as pb

from services.common.domain.copy import Copy
from services.common.domain.follow import Follow, Leaving
from services.common.ports.accounts import Leader
from services.common.rpc.errors import InvalidArgument
from services.common.rpc.messages import write_instant, write_optional_instant, write_trade


def write_leader(leader: Leader) -> pb.Leader:
    """How a leader is watched."""
    return pb.Leader(
        address=leader.address,
        cursor_block=leader.cursor_block,
        seen=leader.seen,
        last_trade_at=write_optional_instant(leader.last_trade_at),
        lag_ms=leader.lag_ms,
    )


def write_follow(follow: Follow) -> pb.Follow:
    """Who follows whom."""
    return pb.Follow(
        follow_id=follow.follow_id,
        account_id=follow.account_id,
        leader=follow.leader,
        state=str(follow.state),
        policy_version=follow.version,
        sizing_mode=str(follow.policy.mode),
        ratio_bps=follow.policy.ratio_bps,
        grouping=str(follow.policy.grouping),
        group_window_ms=follow.policy.group_window_ms,
        created_at=write_instant(follow.created_at),
        holdings=str(follow.leaving),
    )


def read_leaving(request: pb.DeleteFollowRequest) -> Leaving:
    """What becomes of what a follow holds. Raises `InvalidArgument` where that is not said."""
    if request.holdings not in {Leaving.CLOSE, Leaving.KEEP}:
        raise InvalidArgument("holdings", "close or keep")
    return Leaving(request.holdings)


def write_announcement(token: str, copy: Copy) -> pb.WatchTradesResponse:
    """One stored copy."""
    return pb.WatchTradesResponse(
        resume_token=token, account_id=copy.account_id, copy_id=copy.copy_id, trade=write_trade(copy.trade)
    )
