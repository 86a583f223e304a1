"""MonitorService: read, call, write."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from grpc import aio
from polycopy.monitor.v1 import monitor_pb2 as pb
from polycopy.monitor.v1 import monitor_pb2_grpc

from services.common.domain import changes
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.rpc.caller import caller
from services.common.rpc.errors import NotFound
from services.monitor import wire
from services.monitor.announce import Announcements

Context = aio.ServicerContext[Any, Any]


class MonitorServicer(monitor_pb2_grpc.MonitorServiceServicer):
    """Leaders, follows, and the stream that wakes the engines."""

    def __init__(self, stores: Stores, announcements: Announcements, stopping: asyncio.Event, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock
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

    async def DeleteFollow(self, request: pb.DeleteFollowRequest, context: Context) -> pb.DeleteFollowResponse:  # type: ignore[override]
        leaving = wire.read_leaving(request)
        known = await self._stores.follows.get(request.follow_id.lower())
        owned = {account.account_id for account in await self._stores.accounts.all() if caller().owns(account.owner)}
        if known is None or known.account_id not in owned:
            raise NotFound("follow", request.follow_id)
        change = partial(changes.leaving, way=leaving, by=caller().name, now=self._clock.now())
        left = await self._stores.follows.change(known.follow_id, change)
        return pb.DeleteFollowResponse(follow=wire.write_follow(left or known))

    async def WatchTrades(
        self, request: pb.WatchTradesRequest, context: Context
    ) -> AsyncIterator[pb.WatchTradesResponse]:  # type: ignore[override]
        async for token, copy in self._announcements.listen(request.resume_token, self._stopping):
            yield wire.write_announcement(token, copy)
