"""When the bytes of an order leave: soon after they were asked for, or not at all."""

import asyncio
import json

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


async def test_an_order_does_not_wait_for_credentials_that_do_not_come(clob: ClobRest, door: Door):
    door.key_delay_s = 3_600

    answer = await clob.post(an_intent())

    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "no API credentials in time")
    assert door.orders == 0


async def test_credentials_that_come_soon_are_fetched_on_the_way(clob: ClobRest, door: Door):
    answer = await clob.post(an_intent())

    assert answer.outcome is Outcome.REJECTED
    assert door.orders == 1


async def test_credentials_that_are_late_for_one_order_are_there_for_the_next(clob: ClobRest, door: Door):
    door.key_delay_s = 0.7
    late = await asyncio.gather(clob.post(an_intent()), clob.post(an_intent()))
    await asyncio.sleep(0.4)
    soon = await clob.post(an_intent())

    assert [answer.outcome for answer in late] == [Outcome.NOT_SENT] * 2
    assert soon.outcome is Outcome.REJECTED
    assert door.keys == 1


async def test_a_key_that_another_service_creates_at_the_same_time_is_derived(clob: ClobRest, door: Door):
    door.refused_keys = 2

    answer = await clob.post(an_intent())

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
