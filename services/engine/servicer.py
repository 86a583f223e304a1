"""EngineService: read, call, write."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from grpc import aio
from polycopy.engine.v1 import engine_pb2 as pb
from polycopy.engine.v1 import engine_pb2_grpc

from services.common.crashpoints import crashpoint
from services.common.domain.account import Account, AccountState
from services.common.domain.copy import Copy
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores
from services.common.rpc.caller import caller
from services.common.rpc.errors import NotFound
from services.common.rpc.messages import write_copy
from services.common.rpc.paging import page
from services.common.rpc.streams import until
from services.engine import wire
from services.engine.events import Events
from services.engine.status import Status

Context = aio.ServicerContext[Any, Any]


class EngineServicer(engine_pb2_grpc.EngineServiceServicer):
    """Trading as its owners see and control it: a caller meets his own accounts, an admin or operator all."""

    def __init__(self, stores: Stores, status: Status, clock: Clock, stopping: asyncio.Event) -> None:
        self._stores = stores
        self._status = status
        self._clock = clock
        self._stopping = stopping
        self._events = Events(stores, status, clock)

    async def GetTradingStatus(  # type: ignore[override]
        self, request: pb.GetTradingStatusRequest, context: Context
    ) -> pb.GetTradingStatusResponse:
        accounts = await self._accounts()
        return pb.GetTradingStatusResponse(
            is_running=any(account.state is AccountState.ACTIVE for account in accounts),
            uptime_ms=self._status.uptime_ms,
            active_trades=await self._status.active([account.account_id for account in accounts]),
            accounts=map(wire.write_account, accounts),
            waiting_for=wire.write_conditions(await self._status.closed(accounts)),
            version=self._status.version,
        )

    async def StartTrading(self, request: pb.StartTradingRequest, context: Context) -> pb.StartTradingResponse:  # type: ignore[override]
        await self._turn(request.account_id, AccountState.ACTIVE)
        return pb.StartTradingResponse(status="started")

    async def StopTrading(self, request: pb.StopTradingRequest, context: Context) -> pb.StopTradingResponse:  # type: ignore[override]
        await self._turn(request.account_id, AccountState.HALTED)
        return pb.StopTradingResponse(status="stopped")

    async def GetCopy(self, request: pb.GetCopyRequest, context: Context) -> pb.GetCopyResponse:  # type: ignore[override]
        return pb.GetCopyResponse(copy=write_copy(await self._copy(request.copy_id)))

    async def ListTrades(self, request: pb.ListTradesRequest, context: Context) -> pb.ListTradesResponse:  # type: ignore[override]
        limit, offset = page(request.limit, request.offset)
        found = await self._stores.copies.page([one.account_id for one in await self._accounts()], limit, offset)
        return pb.ListTradesResponse(trades=map(write_copy, found.items), count=found.total, offset=offset, limit=limit)

    async def ExplainCopy(self, request: pb.ExplainCopyRequest, context: Context) -> pb.ExplainCopyResponse:  # type: ignore[override]
        return wire.write_explanation(await self._copy(request.copy_id))

    async def WatchEvents(  # type: ignore[override]
        self, request: pb.WatchEventsRequest, context: Context
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        owned = [account.account_id for account in await self._accounts()]
        async for event in until(self._stopping, self._events.of(owned, request.resume_token or None)):
            yield event

    async def _turn(self, account_id: str, state: AccountState) -> None:
        accounts = await self._accounts()
        chosen = [account for account in accounts if not account_id or account.account_id == account_id.lower()]
        if account_id and not chosen:
            raise NotFound("account", account_id)
        moving = (self._move(account.account_id, state) for account in chosen if account.state is not state)
        moved = await asyncio.gather(*moving, return_exceptions=True)
        self._status.changed([account.account_id for account in chosen])
        for failure in moved:
            if isinstance(failure, BaseException):
                raise failure

    async def _move(self, account_id: str, state: AccountState) -> None:
        await self._stores.accounts.set_state(account_id, state, caller().name, self._clock.now())
        crashpoint("mid_stop")

    async def _copy(self, copy_id: str) -> Copy:
        copy = await self._stores.copies.get(copy_id)
        owned = {account.account_id for account in await self._accounts()}
        if copy is None or copy.account_id not in owned:
            # Another's copy is not told from one that does not exist.
            raise NotFound("copy", copy_id)
        return copy

    async def _accounts(self) -> list[Account]:
        accounts = await self._stores.accounts.all()
        owned = [account for account in accounts if caller().owns(account.owner)]
        return sorted(owned, key=lambda account: account.account_id)
