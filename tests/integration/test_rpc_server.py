"""Real servers and channels in one process: who gets in, what errors look like from outside, how a server drains."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from polycopy.engine.v1 import engine_pb2, engine_pb2_grpc

from services.common.domain.user import UserRole
from services.common.ports.stores import StoreUnavailable
from services.common.rpc import deadline
from services.common.rpc.caller import Identity, Principal, caller
from services.common.rpc.channel import Mesh
from services.common.rpc.errors import NotFound, Unauthenticated, error_info
from services.common.rpc.server import Server, serve
from tests.patience import PATIENT_S, patiently

SERVICE = "polycopy.engine.v1.EngineService"
SECRET = "a secret of the mesh"


class Verifier:
    async def verify(self, token: str, *, fresh: bool = False) -> Principal:
        if token not in {"user", "admin"}:
            raise Unauthenticated
        return Principal("0x" + "1" * 40, UserRole(token))


class Engine(engine_pb2_grpc.EngineServiceServicer):
    def __init__(self) -> None:
        self.calls = 0
        self.time_left: float | None = None
        self.stopping: asyncio.Event | None = None

    async def GetTradingStatus(self, request: Any, context: Any) -> Any:
        self.calls += 1
        self.time_left = deadline.remaining(None)
        return engine_pb2.GetTradingStatusResponse(version=caller().name)

    async def StartTrading(self, request: Any, context: Any) -> Any:
        raise StoreUnavailable("mongodb://secret")

    async def StopTrading(self, request: Any, context: Any) -> Any:
        raise RuntimeError("secret internals")

    async def GetCopy(self, request: Any, context: Any) -> Any:
        raise NotFound("copy", request.copy_id)

    async def WatchEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        assert self.stopping is not None
        yield engine_pb2.WatchEventsResponse(resume_token="1")
        await self.stopping.wait()


@pytest.fixture
async def served() -> AsyncIterator[tuple[Server, Engine]]:
    engine = Engine()
    server = await serve(
        "127.0.0.1:0",
        [SERVICE],
        lambda grpc_server, _: engine_pb2_grpc.add_EngineServiceServicer_to_server(engine, grpc_server),
        Identity(Verifier(), SECRET),
    )
    engine.stopping = server.stopping
    yield server, engine
    while channels:
        await channels.pop().close()
    await server.stop(1.0)


channels: list[aio.Channel] = []


def stub(port: int, peer: str = "gateway", secret: str = SECRET) -> "engine_pb2_grpc.EngineServiceAsyncStub":
    channels.append(Mesh(peer, secret).channel(f"127.0.0.1:{port}", [SERVICE]))
    return engine_pb2_grpc.EngineServiceStub(channels[-1])  # type: ignore[return-value]


def token(name: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {name}"),)


@pytest.mark.parametrize(
    ("peer", "who", "method", "code"),
    [
        ("gateway", "", "GetTradingStatus", grpc.StatusCode.UNAUTHENTICATED),
        ("gateway", "forged", "GetTradingStatus", grpc.StatusCode.UNAUTHENTICATED),
        ("gateway", "user", "StopTrading", grpc.StatusCode.PERMISSION_DENIED),
        ("stranger", "admin", "StopTrading", grpc.StatusCode.PERMISSION_DENIED),
        ("ops", "admin", "StopTrading", grpc.StatusCode.UNAUTHENTICATED),
    ],
)
async def test_who_may_not_is_told_so(served: Any, peer: str, who: str, method: str, code: grpc.StatusCode) -> None:
    server, engine = served
    request = getattr(engine_pb2, f"{method}Request")()

    with pytest.raises(aio.AioRpcError) as caught:
        await getattr(stub(server.port, peer), method)(request, metadata=token(who) if who else None)

    assert caught.value.code() is code
    assert engine.calls == 0


async def test_a_peer_with_the_wrong_secret_is_nobody(served: Any) -> None:
    server, _ = served

    with pytest.raises(aio.AioRpcError) as caught:
        await stub(server.port, secret="guess").GetTradingStatus(
            engine_pb2.GetTradingStatusRequest(), metadata=token("user")
        )

    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_user_gets_in_and_an_operator_on_loopback_needs_no_token(served: Any) -> None:
    server, _ = served

    as_user = await stub(server.port).GetTradingStatus(engine_pb2.GetTradingStatusRequest(), metadata=token("user"))
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as bare:
        as_ops = await engine_pb2_grpc.EngineServiceStub(bare).GetTradingStatus(engine_pb2.GetTradingStatusRequest())

    assert (as_user.version, as_ops.version) == ("0x" + "1" * 40, "ops")


@pytest.mark.parametrize(
    ("method", "code", "text", "reason"),
    [
        ("GetCopy", grpc.StatusCode.NOT_FOUND, "no such copy", "NOT_FOUND"),
        ("StartTrading", grpc.StatusCode.UNAVAILABLE, "store unavailable", "STORE_UNAVAILABLE"),
        ("StopTrading", grpc.StatusCode.INTERNAL, "internal error", "INTERNAL"),
    ],
)
async def test_an_error_keeps_its_reason_and_nothing_else_leaves(
    served: Any, method: str, code: Any, text: str, reason: str
) -> None:
    server, _ = served

    with pytest.raises(aio.AioRpcError) as caught:
        await getattr(stub(server.port), method)(getattr(engine_pb2, f"{method}Request")(), metadata=token("admin"))

    found = error_info(dict(caught.value.trailing_metadata() or ()))
    assert (caught.value.code(), caught.value.details()) == (code, text)
    assert found is not None
    assert found[0] == reason


async def test_a_deadline_reaches_the_servicer(served: Any) -> None:
    server, engine = served

    await stub(server.port).GetTradingStatus(
        engine_pb2.GetTradingStatusRequest(), metadata=token("user"), timeout=PATIENT_S
    )

    assert engine.time_left is not None
    assert PATIENT_S / 2 < engine.time_left < PATIENT_S + 1  # the wire rounds deadlines up


async def test_a_drain_says_not_serving_and_ends_open_streams(served: Any) -> None:
    server, _ = served
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as bare:
        health = health_pb2_grpc.HealthStub(bare)
        before = await health.Check(health_pb2.HealthCheckRequest(service=SERVICE))
        stream = stub(server.port).WatchEvents(engine_pb2.WatchEventsRequest(), metadata=token("user"))
        first = await stream.read()

        await patiently(server.stop(10 * PATIENT_S))

    assert before.status == health_pb2.HealthCheckResponse.SERVING
    assert first.resume_token == "1"
    assert await stream.read() is aio.EOF


async def test_health_can_be_watched(served: Any) -> None:
    server, _ = served
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as bare:
        watching = health_pb2_grpc.HealthStub(bare).Watch(health_pb2.HealthCheckRequest())
        first = await watching.read()
        await server.set_serving(False)
        second = await watching.read()
        watching.cancel()

    assert [first.status, second.status] == [
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    ]


async def buf_curl(*args: str) -> str:
    made = await asyncio.create_subprocess_exec(
        Path(sys.prefix, "bin", "buf"),
        "curl",
        "--protocol",
        "grpc",
        "--http2-prior-knowledge",
        *args,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    out, _ = await made.communicate()
    return out.decode()


async def test_an_operator_lists_services_and_calls_by_reflection(served: Any) -> None:
    server, _ = served
    base = f"http://127.0.0.1:{server.port}"

    listed = await buf_curl("--list-services", base)
    answer = await buf_curl(f"{base}/{SERVICE}/GetTradingStatus")

    assert set(listed.split()) >= {SERVICE, "grpc.health.v1.Health", "grpc.channelz.v1.Channelz"}
    assert '"version": "ops"' in answer or '"version":"ops"' in answer
