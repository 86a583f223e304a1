"""The whole way in: a client, a real Envoy, the real gateway, and scripted services behind."""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from eth_account import Account
from grpc import aio
from polycopy.engine.v1 import engine_pb2, engine_pb2_grpc
from polycopy.gateway.v1 import auth_pb2, auth_pb2_grpc
from polycopy.monitor.v1 import monitor_pb2, monitor_pb2_grpc
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from services.cli.child import free_port
from tests.edge_world import ENVOY, Edge, edge, private_pem
from tests.gateway_world import World, a_trade, gateway_world

pytestmark = pytest.mark.skipif(not ENVOY.exists(), reason="envoy is not installed")


@pytest.fixture
async def world(kept_uri: str, redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "1.pem").write_bytes(private_pem(ec.generate_private_key(ec.SECP256R1())))
    own = {"jwt_secret": None, "jwt_keys_dir": keys, "gateway_listen": f"127.0.0.1:{free_port()}"}
    async with gateway_world(kept_uri, redis_url, **own) as made:
        yield made


@pytest.fixture
async def front(world: World, tmp_path: Path) -> AsyncIterator[Edge]:
    ports = {
        "gateway:3001": world.port,
        "gateway:50054": int(world.settings.gateway_listen.rpartition(":")[2]),
        "monitor:50051": world.servers["monitor"].port,
        "engine:50052": world.servers["engine"].port,
        "reconciler:50053": world.servers["reconciler"].port,
    }
    async with edge(tmp_path, ports) as running:
        yield running


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


async def test_rest_reaches_the_gateway_for_whom_it_should(world: World, front: Edge) -> None:
    user, admin = await world.token(Account.create()), await world.token(world.admin)

    async with front.http(http2=True) as http:

        async def status(verb: str, path: str, token: str = "") -> int:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            return (await http.request(verb, path, headers=headers)).status_code

        matrix = {
            path: [await status(verb, path), await status(verb, path, user), await status(verb, path, admin)]
            for verb, path in (
                ("GET", "/api/positions"),
                ("GET", "/v1/positions"),
                ("POST", "/api/trading/stop"),
                ("POST", "/v1/trading:stop"),
                ("POST", "/api/../api/trading/stop"),
                ("POST", "/api//trading//stop"),
            )
        }
        positions = (await http.get("/api/positions", headers={"authorization": f"Bearer {user}"})).json()
        asked = await http.post("/api/auth/nonce", json={"address": world.admin.address})
        refused = await http.get("/api/positions")
        slashes = await http.get("/api%2fpositions")
        health, metrics = await http.get("/health"), await http.get("/metrics")

    # The answer comes before the whole body is sent, which the HTTP/2 of this client does not expect.
    async with front.http() as http:
        large = await http.post("/api/auth/nonce", content=b"{" + b" " * 400_000)

    reads = [401, 200, 200]
    controls = [401, 403, 200]
    assert list(matrix.values()) == [reads, reads, controls, controls, controls, controls]
    assert positions["data"][0]["size"] == 7.5
    assert (asked.status_code, large.status_code, slashes.status_code) == (200, 413, 400)
    assert (health.status_code, metrics.status_code) == (200, 404)
    assert refused.json()["success"] is False
    assert isinstance(refused.json()["timestamp"], int)
    assert refused.headers["strict-transport-security"]
    assert len(world.engine.asked) == 4


async def test_a_socket_through_the_edge_receives_trades_and_its_token_goes_no_further(
    world: World, front: Edge, tmp_path: Path
) -> None:
    token = await world.token(Account.create())
    world.engine.tell(a_trade("t1"))
    url = f"wss://127.0.0.1:{front.port}/ws"
    events: list[str] = []
    async with connect(f"{url}?token={token}", ssl=front.trust, proxy=None, compression=None) as socket:
        while "trade_executed" not in events:
            events.append(json.loads(await socket.recv())["event"])
    async with connect(url, ssl=front.trust, proxy=None, subprotocols=[f"bearer.{token}"]) as socket:  # type: ignore[list-item]
        again = json.loads(await socket.recv())
    with pytest.raises(InvalidStatus) as caught:
        await connect(url, ssl=front.trust, proxy=None)

    assert again["event"] in {"trade_executed", "position_updated"}
    assert caught.value.response.status_code == 401
    assert token not in (tmp_path / "envoy.log").read_text()


async def test_grpc_through_the_edge_is_held_to_the_same_roles(world: World, front: Edge) -> None:
    user, admin = await world.token(Account.create()), await world.token(world.admin)
    trust = grpc.ssl_channel_credentials(front.certificate.read_bytes())
    codes: list[Any] = []
    async with aio.secure_channel(f"localhost:{front.port}", trust) as channel:
        engine: Any = engine_pb2_grpc.EngineServiceStub(channel)
        nonce = await auth_pb2_grpc.AuthServiceStub(channel).CreateNonce(
            auth_pb2.CreateNonceRequest(address=world.admin.address)
        )
        status = await engine.GetTradingStatus(engine_pb2.GetTradingStatusRequest(), metadata=bearer(user))
        stopped = await engine.StopTrading(engine_pb2.StopTradingRequest(), metadata=bearer(admin))
        claims = (("x-polycopy-peer", "gateway"), ("x-polycopy-mesh", "a secret of the mesh"))
        for metadata in ((), bearer(user), claims):
            with pytest.raises(aio.AioRpcError) as caught:
                await engine.StopTrading(engine_pb2.StopTradingRequest(), metadata=metadata)
            codes.append(caught.value.code())
        watching = monitor_pb2_grpc.MonitorServiceStub(channel).WatchTrades(
            monitor_pb2.WatchTradesRequest(), metadata=bearer(admin)
        )
        with pytest.raises(aio.AioRpcError) as unrouted:
            await watching.read()

    assert nonce.nonce in nonce.message
    assert (status.is_running, stopped.status) == (True, "stopped")
    assert codes == [
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    ]
    assert unrouted.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_grpc_web_is_spoken_too(world: World, front: Edge) -> None:
    headers = {
        "authorization": f"Bearer {await world.token(Account.create())}",
        "content-type": "application/grpc-web+proto",
        "x-grpc-web": "1",
    }
    async with front.http() as http:
        path = "/polycopy.engine.v1.EngineService/GetTradingStatus"
        answer = await http.post(path, content=b"\x00\x00\x00\x00\x00", headers=headers)

    length = int.from_bytes(answer.content[1:5], "big")
    assert engine_pb2.GetTradingStatusResponse.FromString(answer.content[5 : 5 + length]).is_running
    assert b"grpc-status:0" in answer.content


async def test_old_tls_is_not_spoken(front: Edge) -> None:
    old = front.trust
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        await connect(f"wss://127.0.0.1:{front.port}/ws", ssl=old, proxy=None)
