"""MonitorService: read, call, write."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from grpc import aio
from polycopy.monitor.v1 import monitor_pb2 as pb
from polycopy.monitor.v1 import monitor_pb2_grpc

from services.common.ports.stores import Stores
from services.common.rpc.caller import caller
from services.monitor import wire
from services.monitor.announce import Announcements

Context = aio.ServicerContext[Any, Any]


class MonitorServicer(monitor_pb2_grpc.MonitorServiceServicer):
    """Leaders, follows, and the stream that wakes the engines."""

    def __init__(self, stores: Stores, announcements: Announcements, stopping: asyncio.Event) -> None:
        self._stores = stores
        self._announcements = announcements
        self._stopping = stopping

    async def ListLeaders(self, request: pb.ListLeadersRequest, context: Context) -> pb.ListLeadersResponse:  # type: ignore[override]
        leaders = await self._stores.leaders.all()
        return pb.ListLeadersResponse(
            leaders=map(wire.write_leader, sorted(leaders, key=lambda leader: leader.address))
        )

    async def ListFollows(self, request: pb.ListFollowsRequest, context: Context) -> pb.ListFollowsResponse:  # type: ignore[override]
        owned = {account.account_id for account in await self._stores.accounts.all() if caller().owns(account.owner)}
        follows = [follow for follow in await self._stores.follows.all() if follow.account_id in owned]
        return pb.ListFollowsResponse(
            follows=map(wire.write_follow, sorted(follows, key=lambda follow: follow.follow_id))
        )

    async def WatchTrades(
        self, request: pb.WatchTradesRequest, context: Context
    ) -> AsyncIterator[pb.WatchTradesResponse]:  # type: ignore[override]
        async for token, copy in self._announcements.listen(request.resume_token, self._stopping):
            yield wire.write_announcement(token, copy)
