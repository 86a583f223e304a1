"""The real gateway with a real database and cache, in front of an engine, a monitor and a reconciler that a test scripts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import httpx
import structlog
from eth_account import Account
from eth_account.messages import encode_defunct
from grpc import aio
from polycopy.common.v1 import trade_pb2
from polycopy.engine.v1 import engine_pb2, engine_pb2_grpc
from polycopy.monitor.v1 import monitor_pb2, monitor_pb2_grpc
from polycopy.reconciler.v1 import reconciler_pb2, reconciler_pb2_grpc

from services.common import limits
from services.common.assembly import identity_of, stores_of
from services.common.limits import RedisQuota
from services.common.rpc.caller import caller
from services.common.rpc.errors import NotFound
from services.common.rpc.paging import page
from services.common.rpc.server import Server, serve
from services.gateway.app import run
from services.gateway.contract import ENGINE, MONITOR, RECONCILER
from services.gateway.settings import GatewaySettings
from tests.fixtures.servers import kept_database
from tests.patience import PATIENT_S, patiently


class ScriptedEngine(engine_pb2_grpc.EngineServiceServicer):
    """Answers with what the test put here, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.resumed_from: list[str] = []
        self.stopping: asyncio.Event | None = None
        self.breaks = False
        self.version = "1"
        self.named: list[object] = []
        self._events: list[engine_pb2.WatchEventsResponse] = []
        self._more = asyncio.Event()

    def tell(self, *events: engine_pb2.WatchEventsResponse) -> None:
        """Let every stream know, those that come later too."""
        self._events += events
        self._more.set()
        self._more = asyncio.Event()

    async def GetTradingStatus(self, request: Any, context: Any) -> Any:
        self.named.append(structlog.contextvars.get_contextvars().get("request_id"))
        if self.breaks:
            raise RuntimeError("secret internals")
        return engine_pb2.GetTradingStatusResponse(is_running=True, uptime_ms=12, version=self.version)

    async def StartTrading(self, request: Any, context: Any) -> Any:
        self.asked.append(f"start {request.account_id} by {caller().name}")
        return engine_pb2.StartTradingResponse(status="started")

    async def StopTrading(self, request: Any, context: Any) -> Any:
        self.asked.append(f"stop {request.account_id} by {caller().name}")
        return engine_pb2.StopTradingResponse(status="stopped")

    async def ListTrades(self, request: Any, context: Any) -> Any:
        page(request.limit, request.offset)
        trades = [trade_pb2.Copy(copy_id="c1", state=trade_pb2.COPY_STATE_EXECUTED, paid_micros=2_500_000)]
        return engine_pb2.ListTradesResponse(trades=trades, count=1, offset=request.offset, limit=request.limit)

    async def GetCopy(self, request: Any, context: Any) -> Any:
        raise NotFound("copy", request.copy_id)

    async def ExplainCopy(self, request: Any, context: Any) -> Any:
        verdict = engine_pb2.Verdict(guard="price_band", reason="PRICE_MOVED", observed={"price": "0.61"}, age_ms=40)
        return engine_pb2.ExplainCopyResponse(copy=trade_pb2.Copy(copy_id=request.copy_id), verdicts=[verdict])

    async def WatchEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.resumed_from.append(request.resume_token)
        known = [event.resume_token for event in self._events]
        at = known.index(request.resume_token) + 1 if request.resume_token in known else 0
        assert self.stopping is not None
        while not self.stopping.is_set():
            for event in self._events[at:]:
                yield event
            at, more = len(self._events), self._more
            waiting = [asyncio.ensure_future(one.wait()) for one in (more, self.stopping)]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in waiting:
                    one.cancel()


class ScriptedMonitor(monitor_pb2_grpc.MonitorServiceServicer):
    async def ListLeaders(self, request: Any, context: Any) -> Any:
        return monitor_pb2.ListLeadersResponse(leaders=[monitor_pb2.Leader(address="0x" + "5" * 40, cursor_block=9)])

    async def ListFollows(self, request: Any, context: Any) -> Any:
        return monitor_pb2.ListFollowsResponse()


class ScriptedReconciler(reconciler_pb2_grpc.ReconcilerServiceServicer):
    def __init__(self) -> None:
        self.stopping: asyncio.Event | None = None

    async def ListPositions(self, request: Any, context: Any) -> Any:
        position = reconciler_pb2.Position(
            account_id="a1", proxy_wallet=caller().name, asset=str(2**200), size_micros=7_500_000
        )
        return reconciler_pb2.ListPositionsResponse(positions=[position])

    async def RunReconciliation(self, request: Any, context: Any) -> Any:
        result = reconciler_pb2.ReconciliationResult(result_id="r1", account_id="a1", complete=True)
        return reconciler_pb2.RunReconciliationResponse(results=[result])

    async def ListReconciliations(self, request: Any, context: Any) -> Any:
        return reconciler_pb2.ListReconciliationsResponse(limit=50)

    async def WatchPositions(self, request: Any, context: Any) -> AsyncIterator[Any]:
        position = reconciler_pb2.Position(asset="77", size_micros=1)
        updated = reconciler_pb2.PositionUpdated(asset_id="77", position=position)
        yield reconciler_pb2.WatchPositionsResponse(resume_token="p1", position_updated=updated)
        assert self.stopping is not None
        await self.stopping.wait()


@dataclass(slots=True)
class World:
    """A running gateway, and what is behind it."""

    http: httpx.AsyncClient
    port: int
    engine: ScriptedEngine
    servers: dict[str, Server]
    settings: GatewaySettings
    admin: Any = field(default_factory=Account.create)

    async def token(self, wallet: Any) -> str:
        """Log in with a signed message."""
        asked = (await self.http.post("/api/auth/nonce", json={"address": wallet.address})).json()["data"]
        body = {"address": wallet.address, "signature": sign(wallet, asked["message"])}
        answer = await self.http.post("/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["token"])

    async def headers(self, wallet: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {await self.token(wallet)}"}

    async def until_ready(self, status: int = 200) -> httpx.Response:
        """Wait until `/health/ready` answers with `status`."""
        async with asyncio.timeout(PATIENT_S):
            while True:
                answer = await self.http.get("/health/ready")
                if answer.status_code == status:
                    return answer
                await asyncio.sleep(0.05)


def sign(wallet: Any, message: str) -> str:
    return "0x" + bytes(wallet.sign_message(encode_defunct(text=message)).signature).hex()


def a_trade(token: str, copy_id: str = "c1") -> engine_pb2.WatchEventsResponse:
    """The engine's event for an executed copy."""
    copy = trade_pb2.Copy(copy_id=copy_id, state=trade_pb2.COPY_STATE_EXECUTED, filled_micros=3_000_000)
    executed = engine_pb2.TradeExecuted(trade_id=copy_id, status="executed", details=copy)
    return engine_pb2.WatchEventsResponse(resume_token=token, trade_executed=executed)


@asynccontextmanager
async def gateway_world(kept_uri: str, redis_url: str, **more: Any) -> AsyncIterator[World]:
    """Everything started, and ended again; its database is emptied."""
    # A limiter that is slow for a moment is away for whoever changes something; here it is only slow.
    with patch.object(limits, "PATIENCE_S", PATIENT_S):
        async with kept_database(kept_uri) as database, _world(kept_uri, database, redis_url, more) as made:
            yield made


@asynccontextmanager
async def _world(uri: str, database: str, redis_url: str, more: dict[str, Any]) -> AsyncIterator[World]:
    admin = Account.create()
    settings = GatewaySettings(
        mesh_secret="a secret of the mesh",  # type: ignore[arg-type]
        mongodb_uri=uri,  # type: ignore[arg-type]
        mongodb_database=database,
        redis_url=redis_url,  # type: ignore[arg-type]
        api_port=0,
        admin_addresses=admin.address,
        trusted_proxies="127.0.0.1",
        **{"jwt_secret": "0123456789abcdef0123456789abcdef", "gateway_listen": "127.0.0.1:0", **more},
    )
    async with AsyncExitStack() as ending:
        engine, reconciler = ScriptedEngine(), ScriptedReconciler()
        servers = await _services(settings, engine, reconciler, ending)
        engine.stopping, reconciler.stopping = servers["engine"].stopping, servers["reconciler"].stopping
        targets = {f"{name}_target": f"127.0.0.1:{server.port}" for name, server in servers.items()}
        settings = settings.model_copy(update={name: targets[name] for name in targets})
        port = await ending.enter_async_context(running(settings))
        # Each world is a client of its own, so that none uses up another's budget for log-ins.
        home = f"10.{uuid4().int % 250}.{uuid4().int % 250}.{uuid4().int % 250}"
        http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"x-forwarded-for": home}, timeout=PATIENT_S
        )
        await ending.enter_async_context(http)
        world = World(http, port, engine, servers, settings, admin)
        await world.until_ready()
        yield world


@asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[int]:
    """The gateway itself, in this loop; yields its HTTP port."""
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run(settings, stop, started))
    await asyncio.wait({task, started}, timeout=PATIENT_S, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield started.result() if started.done() else task.result()
    finally:
        stop.set()
        await patiently(task)


async def _services(
    settings: GatewaySettings, engine: ScriptedEngine, reconciler: ScriptedReconciler, ending: AsyncExitStack
) -> dict[str, Server]:
    stores = stores_of(settings, "tests")
    ending.callback(stores.database.client.close)
    quota = RedisQuota(settings.redis_url.get_secret_value())
    parts: dict[str, tuple[str, Any, Any]] = {
        "engine": (ENGINE.full_name, engine_pb2_grpc.add_EngineServiceServicer_to_server, engine),
        "monitor": (MONITOR.full_name, monitor_pb2_grpc.add_MonitorServiceServicer_to_server, ScriptedMonitor()),
        "reconciler": (RECONCILER.full_name, reconciler_pb2_grpc.add_ReconcilerServiceServicer_to_server, reconciler),
    }
    servers: dict[str, Server] = {}
    for name, (service, add, servicer) in parts.items():

        def register(server: aio.Server, _: asyncio.Event, add: Any = add, servicer: Any = servicer) -> None:
            add(servicer, server)

        identity = identity_of(settings, stores)
        servers[name] = await serve("127.0.0.1:0", [service], register, identity, quota=quota)
        ending.push_async_callback(servers[name].stop, 0.2)
    return servers
