"""ReconcilerService: read, call, write."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from grpc import aio
from polycopy.reconciler.v1 import reconciler_pb2 as pb
from polycopy.reconciler.v1 import reconciler_pb2_grpc

from services.common.ports.stores import Stores
from services.common.rpc.caller import caller
from services.common.rpc.errors import NotFound
from services.common.rpc.paging import page
from services.common.rpc.streams import until
from services.reconciler import wire
from services.reconciler.loop import Reconciliation

Context = aio.ServicerContext[Any, Any]


class ReconcilerServicer(reconciler_pb2_grpc.ReconcilerServiceServicer):
    """Positions and comparisons of the caller's accounts. `running` gives the reconciliations of this process, by account."""

    def __init__(
        self, stores: Stores, running: Callable[[], dict[str, Reconciliation]], stopping: asyncio.Event
    ) -> None:
        self._stores = stores
        self._running = running
        self._stopping = stopping

    async def RunReconciliation(  # type: ignore[override]
        self, request: pb.RunReconciliationRequest, context: Context
    ) -> pb.RunReconciliationResponse:
        running = self._running()
        if request.account_id and request.account_id not in running:
            raise NotFound("account", request.account_id)
        chosen = [request.account_id] if request.account_id else sorted(running)
        return pb.RunReconciliationResponse(
            results=[wire.write_result(await running[account].run_now()) for account in chosen]
        )

    async def ListReconciliations(  # type: ignore[override]
        self, request: pb.ListReconciliationsRequest, context: Context
    ) -> pb.ListReconciliationsResponse:
        limit, offset = page(request.limit, request.offset)
        found = await self._stores.results.page(await self._accounts(), limit, offset)
        return pb.ListReconciliationsResponse(
            results=map(wire.write_result, found.items), count=found.total, offset=offset, limit=limit
        )

    async def ListPositions(self, request: pb.ListPositionsRequest, context: Context) -> pb.ListPositionsResponse:  # type: ignore[override]
        positions = await self._stores.positions.of(await self._accounts())
        ordered = sorted(
            positions, key=lambda position: (position.account_id, position.condition_id, position.token_id)
        )
        return pb.ListPositionsResponse(positions=map(wire.write_position, ordered))

    async def WatchPositions(  # type: ignore[override]
        self, request: pb.WatchPositionsRequest, context: Context
    ) -> AsyncIterator[pb.WatchPositionsResponse]:
        owned = set(await self._accounts())
        async for change in until(self._stopping, self._stores.positions.watch(request.resume_token or None)):
            if change.value is None:
                yield pb.WatchPositionsResponse(
                    resume_token=change.token, resync=pb.Resync(reason="the resume token is too old")
                )
            elif change.value.account_id in owned:
                update = pb.PositionUpdated(asset_id=change.value.token_id, position=wire.write_position(change.value))
                yield pb.WatchPositionsResponse(resume_token=change.token, position_updated=update)

    async def _accounts(self) -> list[str]:
        return [account.account_id for account in await self._stores.accounts.all() if caller().owns(account.owner)]
