"""The WebSocket and the event stream at the real gateway: who is let in, what arrives, how a client goes on and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from eth_account import Account
from polycopy.engine.v1 import engine_pb2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.common.clock import SystemClock
from services.common.domain.user import UserRole
from services.common.ports.stores import StoreUnavailable
from services.common.rpc.caller import Principal
from services.common.rpc.errors import Unauthenticated
from services.gateway import events, feed, patience, stream
from services.gateway.feed import Feed, places_of, token_of
from services.gateway.sessions import Sessions
from tests.gateway_world import World, a_trade, gateway_world
from tests.patience import PATIENT_S, patiently


@pytest.fixture
async def world(kept_uri: str, redis_url: str) -> AsyncIterator[World]:
    async with gateway_world(kept_uri, redis_url, sockets_per_user=2, cors_origin="https://app.example") as made:
        yield made


def ws(world: World, query: str = "", **more: Any) -> connect:
    return connect(f"ws://127.0.0.1:{world.port}/ws{query}", compression=None, proxy=None, **more)


async def frame(socket: ClientConnection, event: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENT_S):
        while True:
            found: dict[str, Any] = json.loads(await socket.recv())
            if found["event"] == event:
                return found


async def test_a_client_receives_the_three_events_and_goes_on_where_it_was(world: World) -> None:
    token = await world.token(Account.create())
    status = engine_pb2.SystemStatus(uptime_ms=5, active_trades=2)
    world.engine.tell(a_trade("t1"), engine_pb2.WatchEventsResponse(resume_token="t2", system_status=status))
    async with ws(world, f"?token={token}") as socket:
        found: dict[str, Any] = {}
        async with asyncio.timeout(PATIENT_S):
            while len(found) < 3:
                came = json.loads(await socket.recv())
                found[came["event"]] = came
    last = came["token"]
    world.engine.tell(a_trade("t3", "c2"))
    async with ws(world, f"?resume={last}", additional_headers={"authorization": f"Bearer {token}"}) as socket:
        later = await frame(socket, "trade_executed")

    trade = found["trade_executed"]["data"]
    assert (trade["tradeId"], trade["status"], trade["details"]["filled"]) == ("c1", "executed", 3.0)
    assert found["position_updated"]["data"]["assetId"] == "77"
    assert found["system_status"]["data"] == {"uptimeMs": 5, "activeTrades": 2}
    assert world.engine.resumed_from == ["", "t2"]
    assert later["data"]["tradeId"] == "c2"


async def test_a_gap_is_told_and_not_passed_over(world: World) -> None:
    token = await world.token(Account.create())
    half = token_of({"polycopy.engine.v1.EngineService.WatchEvents": "t1"})
    whole = token_of(places_of(half) | {"polycopy.reconciler.v1.ReconcilerService.WatchPositions": "p1"})
    firsts: dict[str, str] = {}
    for name, resume in {
        "none": "",
        "half": half,
        "whole": whole,
        "nonsense": "nonsense",
        "empty": token_of({}),
    }.items():
        async with ws(world, f"?token={token}&resume={resume}") as socket:
            firsts[name] = json.loads(await socket.recv())["event"]

    assert firsts == {
        "none": "position_updated",
        "half": "resync",
        "whole": "position_updated",
        "nonsense": "resync",
        "empty": "resync",
    }


async def test_a_client_that_talks_too_much_is_sent_away(world: World) -> None:
    async with ws(world, f"?token={await world.token(Account.create())}") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(PATIENT_S):
                for _ in range(61):
                    await socket.send("x")
                while True:
                    await socket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize("path", ["/ws", "/api/events"])
async def test_a_client_that_does_not_read_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    for module, name in ((stream, "PATIENCE_S"), (events, "PATIENCE_S"), (patience, "UNREAD_S")):
        monkeypatch.setattr(module, name, 0.2)
    token = await world.token(Account.create())
    left = asyncio.Event()
    close = Feed.close

    def closed(feed: Feed) -> None:
        left.set()
        close(feed)

    monkeypatch.setattr(Feed, "close", closed)
    world.engine.tell(*(a_trade(f"t{number}", "c" * 50_000) for number in range(400)))
    upgrade = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1)
    writer.write(
        f"GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n{upgrade if path == '/ws' else ''}\r\n".encode()
    )
    async with asyncio.timeout(PATIENT_S):
        await left.wait()
        # It is told nothing more: what had been sent is followed by the end of the connection.
        with suppress(ConnectionError):
            while await reader.read(65_536):
                continue
    writer.transport.abort()


async def test_what_breaks_in_a_socket_is_no_clean_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> dict[str, Any]:
        raise KeyError("secret internals")

    monkeypatch.setattr(feed, "public", broken)
    async with ws(world, f"?token={await world.token(Account.create())}") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await patiently(socket.recv())

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "")


async def test_whoever_has_no_good_token_gets_an_answer_and_no_socket(world: World) -> None:
    for query in ("", "?token=nonsense"):
        with pytest.raises(InvalidStatus) as caught:
            await ws(world, query)
        body = json.loads(caught.value.response.body or b"")
        assert (caught.value.response.status_code, body["success"]) == (401, False)
        assert body["reason"] == "UNAUTHENTICATED"


async def test_a_token_may_travel_as_a_subprotocol(world: World) -> None:
    token = await world.token(Account.create())
    async with ws(world, subprotocols=[f"bearer.{token}"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == f"bearer.{token}"
        assert (await frame(socket, "position_updated"))["data"]["assetId"] == "77"


async def test_a_page_of_another_origin_may_not_connect(world: World) -> None:
    token = await world.token(Account.create())
    with pytest.raises(InvalidStatus) as caught:
        await ws(world, f"?token={token}", origin="https://evil.example")  # type: ignore[arg-type]
    async with ws(world, f"?token={token}", origin="https://app.example") as socket:  # type: ignore[arg-type]
        assert (await frame(socket, "position_updated"))["event"] == "position_updated"

    assert caught.value.response.status_code == 403


async def test_a_user_holds_so_many_sockets_and_no_more_until_one_is_closed(world: World) -> None:
    token = await world.token(Account.create())
    async with ws(world, f"?token={token}"):
        async with ws(world, f"?token={token}"):
            with pytest.raises(InvalidStatus) as caught:
                await ws(world, f"?token={token}")
        async with asyncio.timeout(PATIENT_S):
            while True:
                try:
                    async with ws(world, f"?token={token}") as again:
                        await frame(again, "position_updated")
                    break
                except InvalidStatus:
                    await asyncio.sleep(0.05)

    assert caught.value.response.status_code == 429


async def test_a_stream_that_fails_says_so_before_the_socket_closes(world: World) -> None:
    token = await world.token(Account.create())
    async with ws(world, f"?token={token}") as socket:
        await frame(socket, "position_updated")
        world.servers["reconciler"].stopping.clear()
        await world.servers["reconciler"].grpc.stop(None)
        error = await frame(socket, "error")
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()

    assert error["data"] == {"error": "Service unavailable", "status": 503}
    assert isinstance(error["token"], str)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011


async def test_while_a_service_is_away_nobody_is_let_in(world: World) -> None:
    token = await world.token(Account.create())
    await world.servers["engine"].stop(0.1)
    with pytest.raises(InvalidStatus) as caught:
        await ws(world, f"?token={token}")

    assert caught.value.response.status_code == 503


async def test_logging_out_closes_the_socket(world: World) -> None:
    wallet = Account.create()
    token = await world.token(wallet)
    async with ws(world, f"?token={token}") as socket:
        await world.http.post("/api/auth/logout", headers={"authorization": f"Bearer {token}"})
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(PATIENT_S):
                while True:
                    await socket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_a_gateway_that_stops_sends_its_clients_elsewhere(kept_uri: str, redis_url: str) -> None:
    async with gateway_world(kept_uri, redis_url) as world:
        token = await world.token(Account.create())
        socket = await ws(world, f"?token={token}")
        await frame(socket, "position_updated")
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(PATIENT_S):
            while True:
                await socket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


async def lines(answer: httpx.Response) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        if line:
            yield line


async def test_the_same_events_come_as_server_sent_events(world: World) -> None:
    headers = await world.headers(Account.create())
    refused = await world.http.get("/api/events")
    world.engine.tell(a_trade("t1"))
    seen: dict[str, str] = {}
    async with asyncio.timeout(PATIENT_S), world.http.stream("GET", "/api/events", headers=headers) as answer:
        event = last = ""
        async for line in lines(answer):
            name, _, text = line.partition(": ")
            event, last = (text, last) if name == "event" else (event, text if name == "id" else last)
            if name == "data":
                seen[event] = text
            if len(seen) == 2:
                break
    world.engine.tell(a_trade("t2", "c2"))
    async with asyncio.timeout(PATIENT_S):
        async with world.http.stream("GET", "/api/events", headers=headers | {"last-event-id": last}) as answer:
            async for line in lines(answer):
                if line.startswith("data") and "tradeId" in line:
                    break

    assert (refused.status_code, refused.json()["success"]) == (401, False)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert json.loads(seen["trade_executed"])["tradeId"] == "c1"
    assert json.loads(line.removeprefix("data: "))["tradeId"] == "c2"
    assert world.engine.resumed_from == ["", "t1"]


async def test_a_client_that_leaves_gives_its_place_back(world: World) -> None:
    headers = await world.headers(Account.create())
    for _ in range(4):
        async with asyncio.timeout(PATIENT_S):
            while True:
                async with world.http.stream("GET", "/api/events", headers=headers) as answer:
                    if answer.status_code == 200:
                        break
                await asyncio.sleep(0.05)


class Scripted:
    """A verifier that answers in turn."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)

    async def verify(self, token: str, *, fresh: bool = False) -> Principal:
        if error := self.answers.pop(0):
            raise error
        return Principal("0x" + "1" * 40, UserRole.USER)


async def test_a_session_outlives_a_store_that_is_away_and_not_its_token() -> None:
    from datetime import timedelta

    verifier = Scripted(None, StoreUnavailable("away"), None, Unauthenticated())
    await patiently(Sessions(verifier, SystemClock(), 1, timedelta(milliseconds=1)).until_over("t"))

    assert verifier.answers == []
