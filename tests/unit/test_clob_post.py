"""When the bytes of an order leave: soon after they were asked for, or not at all."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from services.common.clock import SystemClock
from services.common.domain.intent import Outcome
from services.common.polymarket import clob as module
from services.common.polymarket.clob import ClobRest
from services.common.polymarket.environment import PRODUCTION
from services.common.ports.venue import VenueUnavailable
from services.common.store.memory import MemoryStores
from tests.builders import an_intent
from tests.engine_world import SIGNER
from tests.patience import PATIENT_S

KEY = {"apiKey": "k", "secret": "c2VjcmV0", "passphrase": "p"}


class Door:
    """The venue's front door: keys and orders, each after its own delay."""

    def __init__(self) -> None:
        self.key_delay_s = 0.0
        self.orders = 0
        self.keys = 0
        self.refused_keys = 0
        self.time = 1_764_000_000

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/order"):
            self.orders += 1
            return httpx.Response(400, json={"error": "not enough balance / allowance"})
        if request.url.path == "/time":
            return httpx.Response(200, json=self.time)
        self.keys += 1
        await asyncio.sleep(self.key_delay_s)
        if self.keys <= self.refused_keys:
            return httpx.Response(400, json={"error": "Could not create api key"})
        return httpx.Response(200, content=json.dumps(KEY))


def soon(seconds: float = PATIENT_S) -> float:
    return time.monotonic() + seconds


@pytest.fixture
async def door(monkeypatch: pytest.MonkeyPatch):
    made = Door()
    monkeypatch.setattr(
        module, "client", lambda url: httpx.AsyncClient(base_url=url + "/", transport=httpx.MockTransport(made))
    )
    return made


@pytest.fixture
async def clob(door: Door):
    clock = SystemClock()
    made = ClobRest(PRODUCTION, SIGNER, clock, MemoryStores(clock.now).dead_letters)
    yield made
    await made.close()


class Host:
    """A real socket of the venue: as many connections are made as it has taken or has room for, the next ones wait to be."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.socket.setblocking(False)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self._crowd: list[socket.socket] = []

    async def gives_a_key(self) -> None:
        """One request for credentials is answered, on a connection of its own."""
        peer = await self.takes()
        await heard(peer)
        told = json.dumps(KEY).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(told)}\r\nConnection: close\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(peer, head.encode() + told)
        peer.close()

    async def takes(self) -> socket.socket:
        peer, _ = await asyncio.get_running_loop().sock_accept(self.socket)
        return peer

    async def fills(self) -> None:
        """There is no more room: whoever connects now gets no answer."""
        while True:
            one = socket.socket()
            one.setblocking(False)
            self._crowd.append(one)
            try:
                async with asyncio.timeout(0.1):
                    await asyncio.get_running_loop().sock_connect(one, self.socket.getsockname())
            except TimeoutError:
                return

    def close(self) -> None:
        for one in (*self._crowd, self.socket):
            one.close()


async def heard(peer: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(peer, 65_536)


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


@pytest.fixture
async def far(host: Host):
    """The client of an account whose credentials are known and whose next connection is a new one."""
    clock = SystemClock()
    made = ClobRest(replace(PRODUCTION, clob_url=host.url), SIGNER, clock, MemoryStores(clock.now).dead_letters)
    await asyncio.gather(made.credentials(), host.gives_a_key())
    yield made
    await made.close()


async def test_an_order_whose_connection_is_not_made_in_time_never_leaves(
    far: ClobRest, host: Host, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "POST_TIMEOUT_S", PATIENT_S)
    await host.fills()
    began = time.monotonic()

    answer = await far.post(an_intent(), began + 0.3)

    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "too_late_to_send")
    assert 0.3 <= time.monotonic() - began < PATIENT_S / 2


async def test_an_order_that_has_left_in_time_has_its_own_time_for_the_answer(
    far: ClobRest, host: Host, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "POST_TIMEOUT_S", 1.3)
    began = time.monotonic()

    answer, peer = await asyncio.gather(far.post(an_intent(), began + 1), host.takes())

    assert answer.outcome is Outcome.UNKNOWN
    assert time.monotonic() - began >= 1.3
    assert (await heard(peer)).startswith(b"POST /order")
    peer.close()


async def test_a_process_that_was_frozen_while_it_connected_sends_nothing(far: ClobRest, host: Host):
    async def taken_late() -> socket.socket:
        peer = await host.takes()
        time.sleep(0.3)  # noqa: ASYNC251  the whole process stands still
        return peer

    # The connection is made within the time, but nobody here sees it before.
    answer, peer = await asyncio.gather(far.post(an_intent(), soon(0.2)), taken_late())

    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "too_late_to_send")
    assert await heard(peer) == b""
    peer.close()


async def test_an_order_does_not_wait_for_credentials_that_do_not_come(clob: ClobRest, door: Door):
    door.key_delay_s = 3_600

    answer = await clob.post(an_intent(), soon(0.2))

    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "no API credentials in time")
    assert door.orders == 0


async def test_credentials_that_come_soon_are_fetched_on_the_way(clob: ClobRest, door: Door):
    answer = await clob.post(an_intent(), soon())

    assert answer.outcome is Outcome.REJECTED
    assert door.orders == 1


async def test_credentials_that_are_late_for_one_order_are_there_for_the_next(clob: ClobRest, door: Door):
    door.key_delay_s = 0.7
    late = await asyncio.gather(clob.post(an_intent(), soon(0.5)), clob.post(an_intent(), soon(0.5)))
    await asyncio.sleep(0.4)
    prompt = await clob.post(an_intent(), soon())

    assert [answer.outcome for answer in late] == [Outcome.NOT_SENT] * 2
    assert prompt.outcome is Outcome.REJECTED
    assert door.keys == 1


async def test_a_key_that_another_service_creates_at_the_same_time_is_derived(clob: ClobRest, door: Door):
    door.refused_keys = 2

    answer = await clob.post(an_intent(), soon())

    assert (answer.outcome, door.keys, door.orders) == (Outcome.REJECTED, 3, 1)


@pytest.mark.parametrize("time", [10**18, -(10**18), True, 1.5, "1764000000x"])
async def test_a_time_that_no_date_can_hold_is_no_time(clob: ClobRest, door: Door, time: object):
    door.time = time  # type: ignore[assignment]

    with pytest.raises(VenueUnavailable):
        await clob.server_time()


async def test_the_time_is_seconds_or_milliseconds_by_its_size(clob: ClobRest, door: Door):
    in_seconds = await clob.server_time()
    door.time *= 1_000

    assert await clob.server_time() == in_seconds
