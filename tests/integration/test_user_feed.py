"""The account's own channel at a real venue: trades whose answer was lost, and a socket that is lost and found again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from services.common.domain.fill import TradeStatus
from services.common.domain.intent import Outcome
from services.common.polymarket import user_feed
from services.common.polymarket.clob import ClobRest
from services.common.polymarket.user_feed import UserFeed
from services.common.store.memory import MemoryStores
from tests.contract.venue_scenes import SHARE, Scene, endpoints_of, over_the_network
from tests.patience import PATIENT_S
from tests.venue_process import Venue

pytestmark = pytest.mark.xdist_group("adapters under faults")

SOON = timedelta(seconds=5)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not holds():  # noqa: ASYNC110  it is told by nothing
            await asyncio.sleep(0.02)


@dataclass
class Heard:
    scene: Scene
    feed: UserFeed

    async def until(self, live: bool) -> None:
        await eventually(lambda: self.feed.live is live)


@pytest.fixture
async def heard(venue: Venue) -> AsyncIterator[Heard]:
    async with over_the_network(venue, hostile=True) as scene:
        assert isinstance(scene.clob, ClobRest)
        letters = MemoryStores(scene.clock.now).dead_letters
        feed = UserFeed(endpoints_of(venue).user_ws_url, scene.clob.credentials, scene.clock, letters)
        running = asyncio.create_task(feed.run())
        made = Heard(scene, feed)
        await made.until(True)
        yield made
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_trade_is_told_whose_answer_was_lost(web: httpx.AsyncClient, heard: Heard):
    order = await heard.scene.an_order(10 * SHARE, beyond_ticks=1)
    await web.post("/admin/faults", json={"endpoint": "clob.post_order", "kind": "drop_after"})
    answer = await heard.scene.post(order)

    (trade,) = await heard.feed.told(order.order_hash, SOON)

    assert answer.outcome is Outcome.UNKNOWN
    assert (trade.order_hash, trade.token_id, trade.taker) == (order.order_hash, heard.scene.token, True)
    assert trade.shares_micros >= 10 * SHARE
    await eventually(lambda: heard.feed.trades(order.order_hash)[0].status is TradeStatus.CONFIRMED)


async def test_of_an_order_that_met_nobody_nothing_is_told(heard: Heard):
    order = await heard.scene.an_order(10 * SHARE, beyond_ticks=-3)
    await heard.scene.post(order)

    assert await heard.feed.told(order.order_hash, timedelta(seconds=0.3)) == ()


@pytest.mark.parametrize("kind", ["socket_cut", "socket_close", "frame_garble"])
async def test_a_channel_that_is_lost_says_so_and_comes_back(web: httpx.AsyncClient, heard: Heard, kind: str):
    await web.post("/admin/faults", json={"kind": kind, "channel": "user"})
    await heard.scene.post(await heard.scene.an_order(10 * SHARE, beyond_ticks=1))
    await heard.until(False)

    await heard.until(True)

    order = await heard.scene.an_order(10 * SHARE, beyond_ticks=1)
    await heard.scene.post(order)
    assert await heard.feed.told(order.order_hash, SOON)


async def test_a_channel_that_says_nothing_at_all_is_lost(
    venue: Venue, web: httpx.AsyncClient, heard: Heard, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(user_feed, "SILENCE_S", 0.5)
    await web.post("/admin/faults", json={"kind": "socket_cut", "channel": "user"})
    await heard.scene.post(await heard.scene.an_order(10 * SHARE, beyond_ticks=1))
    await heard.until(False)
    await heard.until(True)

    await heard.until(False)
