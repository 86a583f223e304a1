"""EngineService: read, call, write."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from grpc import aio
from polycopy.engine.v1 import engine_pb2 as pb
from polycopy.engine.v1 import engine_pb2_grpc

from services.common.domain.account import Account, AccountState
from services.common.domain.copy import Copy
from services.common.ports.clock import Clock
from services.common.ports.signer import Halts
from services.common.ports.stores import Stores
from services.common.rpc.caller import caller
from services.common.rpc.errors import InvalidArgument, NotFound
from services.common.rpc.messages import write_copy
from services.common.rpc.paging import page
from services.common.rpc.streams import until
from services.engine import wire
from services.engine.closing import Closing, NotHeld, OtherRequest
from services.engine.controls import NOBODYS, Controls
from services.engine.events import Events
from services.engine.status import Status

Context = aio.ServicerContext[Any, Any]


class EngineServicer(engine_pb2_grpc.EngineServiceServicer):
    """Trading as its owners see and control it: a caller meets his own accounts, an admin or operator all."""

    def __init__(
        self,
        stores: Stores,
        status: Status,
        clock: Clock,
        stopping: asyncio.Event,
        halts: Halts | None = None,
        ours: Mapping[str, str] = NOBODYS,
    ) -> None:
        self._stores = stores
        self._status = status
        self._controls = Controls(stores, status, clock, halts, ours)
        self._clock = clock
        self._stopping = stopping
        self._events = Events(stores, status, clock)
        self._closing = Closing(stores)

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
        await self._controls.start(caller(), request.account_id)
        return pb.StartTradingResponse(status="started")

    async def StopTrading(self, request: pb.StopTradingRequest, context: Context) -> pb.StopTradingResponse:  # type: ignore[override]
        if request.reducing:
            await self._controls.reduce(caller(), request.account_id)
            return pb.StopTradingResponse(status="reducing")
        await self._controls.stop(caller(), request.account_id)
        return pb.StopTradingResponse(status="stopped")

    async def Pause(self, request: pb.PauseRequest, context: Context) -> pb.PauseResponse:  # type: ignore[override]
        scope, subject = wire.read_scope(request.scope, request.subject, "scope")
        await self._controls.pause(caller(), request.account_id, scope, subject)
        return pb.PauseResponse(pause_id=wire.pause_id(scope, subject))

    async def Resume(self, request: pb.ResumeRequest, context: Context) -> pb.ResumeResponse:  # type: ignore[override]
        await self._controls.resume(caller(), request.account_id, *wire.read_pause(request.pause_id))
        return pb.ResumeResponse(status="resumed")

    async def GetLimits(self, request: pb.GetLimitsRequest, context: Context) -> pb.GetLimitsResponse:  # type: ignore[override]
        return pb.GetLimitsResponse(accounts=map(wire.write_limits, await self._accounts()))

    async def SetLimits(self, request: pb.SetLimitsRequest, context: Context) -> pb.SetLimitsResponse:  # type: ignore[override]
        after = await self._controls.limit(caller(), request.account_id, request.version, request.limits)
        return pb.SetLimitsResponse(account=wire.write_limits(after))

    async def ConfirmRaise(self, request: pb.ConfirmRaiseRequest, context: Context) -> pb.ConfirmRaiseResponse:  # type: ignore[override]
        after = await self._controls.confirm(caller(), request.account_id, request.raise_id)
        return pb.ConfirmRaiseResponse(account=wire.write_limits(after))

    async def CancelRaise(self, request: pb.CancelRaiseRequest, context: Context) -> pb.CancelRaiseResponse:  # type: ignore[override]
        after = await self._controls.cancel(caller(), request.account_id, request.raise_id)
        return pb.CancelRaiseResponse(account=wire.write_limits(after))

    async def ListReviews(self, request: pb.ListReviewsRequest, context: Context) -> pb.ListReviewsResponse:  # type: ignore[override]
        return pb.ListReviewsResponse(reviews=map(write_copy, await self._controls.reviews(caller())))

    async def AcknowledgeReview(  # type: ignore[override]
        self, request: pb.AcknowledgeReviewRequest, context: Context
    ) -> pb.AcknowledgeReviewResponse:
        copy = await self._controls.acknowledge(caller(), request.copy_id, request.note)
        return pb.AcknowledgeReviewResponse(copy=write_copy(copy))

    async def AcknowledgeRepetition(  # type: ignore[override]
        self, request: pb.AcknowledgeRepetitionRequest, context: Context
    ) -> pb.AcknowledgeRepetitionResponse:
        await self._controls.repeat(caller(), request.account_id, request.token_id)
        return pb.AcknowledgeRepetitionResponse(status="acknowledged")

    async def GetCopy(self, request: pb.GetCopyRequest, context: Context) -> pb.GetCopyResponse:  # type: ignore[override]
        return pb.GetCopyResponse(copy=write_copy(await self._copy(request.copy_id)))

    async def ListTrades(self, request: pb.ListTradesRequest, context: Context) -> pb.ListTradesResponse:  # type: ignore[override]
        limit, offset = page(request.limit, request.offset)
        found = await self._stores.copies.page([one.account_id for one in await self._accounts()], limit, offset)
        return pb.ListTradesResponse(trades=map(write_copy, found.items), count=found.total, offset=offset, limit=limit)

    async def ExplainCopy(self, request: pb.ExplainCopyRequest, context: Context) -> pb.ExplainCopyResponse:  # type: ignore[override]
        copy = await self._copy(request.copy_id)
        eldest = await self._stores.copies.get(copy.member_of) if copy.member_of else None
        return wire.write_explanation(copy, eldest)

    async def ClosePositions(self, request: pb.ClosePositionsRequest, context: Context) -> pb.ClosePositionsResponse:  # type: ignore[override]
        wish = wire.read_close(request)
        chosen = await self._controls.chosen(caller(), request.account_id)
        try:
            moved = await self._closing.close(chosen, wish.asset_ids, wish.request_id, caller().name, self._clock.now())
        except NotHeld as error:
            raise NotFound("position", error.token_id) from error
        except OtherRequest as error:
            raise InvalidArgument("requestId", "a name that was not used for other tokens") from error
        self._status.changed(moved)
        return wire.write_closing(wish.asset_ids)

    async def WatchEvents(  # type: ignore[override]
        self, request: pb.WatchEventsRequest, context: Context
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        owned = [account.account_id for account in await self._accounts()]
        async for event in until(self._stopping, self._events.of(owned, request.resume_token or None)):
            yield event

    async def _copy(self, copy_id: str) -> Copy:
        copy = await self._stores.copies.get(copy_id)
        owned = {account.account_id for account in await self._accounts()}
        if copy is None or copy.account_id not in owned:
            # Another's copy is not told from one that does not exist.
            raise NotFound("copy", copy_id)
        return copy

    async def _accounts(self) -> list[Account]:
        return await self._controls.accounts(caller())
