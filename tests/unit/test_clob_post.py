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
from services.common.store.memory import MemoryStores
from tests.builders import an_intent
from tests.engine_world import SIGNER

KEY = {"apiKey": "k", "secret": "c2VjcmV0", "passphrase": "p"}


class Door:
    """The venue's front door: keys and orders, each after its own delay."""

    def __init__(self) -> None:
        self.key_delay_s = 0.0
        self.orders = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/order"):
            self.orders += 1
            return httpx.Response(400, json={"error": "not enough balance / allowance"})
        await asyncio.sleep(self.key_delay_s)
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
