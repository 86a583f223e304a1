"""The operator's verbs of leaving: `close` sells what accounts hold of tokens, `unfollow` deletes a follow."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from grpc import aio
from polycopy.engine.v1 import engine_pb2
from polycopy.monitor.v1 import monitor_pb2, monitor_pb2_grpc
from rich.console import Console

from services.cli.failure import CannotRun
from services.cli.operator import AWAY, TIMEOUT_S, engine
from services.cli.wire import channel

MONITOR = "polycopy.monitor.v1.MonitorService"


async def close(target: str, assets: Sequence[str], request_id: str, account: str, console: Console) -> None:
    """Sell everything that is held of these tokens. Raises `CannotRun`."""
    name = request_id or uuid.uuid4().hex  # chance: a name, nothing is decided by it
    request = engine_pb2.ClosePositionsRequest(asset_ids=assets, request_id=name, account_id=account)
    async with engine(target, "close") as stub:
        answer = await stub.ClosePositions(request, timeout=TIMEOUT_S)
    console.print(f"{answer.message}; --request-id {name} asks for the same again", highlight=False)


async def unfollow(target: str, leader: str, account: str, holdings: str, console: Console) -> None:
    """Delete the follow of a leader, and close or keep what it holds. Raises `CannotRun`."""
    async with _monitor(target) as stub:
        listed = await stub.ListFollows(monitor_pb2.ListFollowsRequest(), timeout=TIMEOUT_S)
        wanted = [
            follow
            for follow in listed.follows
            if follow.leader == leader.lower() and account.lower() in {"", follow.account_id}
        ]
        if not wanted:
            raise CannotRun(f"nobody here follows {leader}{' by ' + account if account else ''}")
        for follow in wanted:
            request = monitor_pb2.DeleteFollowRequest(follow_id=follow.follow_id, holdings=holdings)
            left = (await stub.DeleteFollow(request, timeout=TIMEOUT_S)).follow
            console.print(f"{left.account_id} follows {left.leader} no more: {left.state}, {holdings}", highlight=False)


@asynccontextmanager
async def _monitor(target: str) -> "AsyncGenerator[monitor_pb2_grpc.MonitorServiceAsyncStub]":
    async with channel(target, [MONITOR]) as connection:
        try:
            yield monitor_pb2_grpc.MonitorServiceStub(connection)
        except aio.AioRpcError as error:
            if error.code() in AWAY:
                raise CannotRun(f"no monitor answers at {target}; `polycopy up` starts one") from error
            raise CannotRun(f"unfollow: {error.details()}") from error
