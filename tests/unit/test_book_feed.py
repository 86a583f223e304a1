"""Books kept warm: subscribed when first asked for, let go when nobody asks any more."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from services.common.polymarket import books as module
from services.common.polymarket.books import UNUSED_S, BookFeed
from services.common.polymarket.letters import Letters
from services.common.ports.venue import VenueUnavailable
from services.common.store.memory import MemoryStores
from tests.still_clock import TestClock, settle


class Channel:
    """The market channel: it answers every subscription with a whole book."""

    def __init__(self) -> None:
        self.said: list[dict[str, object]] = []
        self.frames: asyncio.Queue[str] = asyncio.Queue()

    async def send(self, text: str) -> None:
        request = json.loads(text)
        self.said.append(request)
        if request.get("operation") != "unsubscribe":
            self.frames.put_nowait(json.dumps([a_frame(token) for token in request["assets_ids"]]))

    async def receive(self) -> str:
        frame = await self.frames.get()
        if not frame:
            raise VenueUnavailable("cut")
        return frame


def a_frame(token: str) -> dict[str, object]:
    bids, asks = [{"price": "0.49", "size": "10"}], [{"price": "0.50", "size": "10"}]
    return {"event_type": "book", "asset_id": token, "bids": bids, "asks": asks}


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Channel:
    made = Channel()

    @asynccontextmanager
    async def opened(url: str, **_: float) -> AsyncIterator[Channel]:
        yield made

    monkeypatch.setattr(module, "opened", opened)
    return made


@pytest.fixture
async def feed(channel: Channel):
    clock = TestClock()
    made = BookFeed("ws://venue", Letters(MemoryStores(clock.now).dead_letters, clock), clock, lambda token: None)
    made.clock = clock  # type: ignore[attr-defined]
    yield made
    await made.close()


async def test_a_token_is_subscribed_once_and_its_book_is_live(channel: Channel, feed: BookFeed):
    first, second = await feed.book("1"), await feed.book("1")

    assert first is not None
    assert first.live
    assert second == first
    assert [request["assets_ids"] for request in channel.said] == [["1"]]


async def test_a_book_that_nobody_asks_for_is_let_go_and_comes_back_when_asked_for(channel: Channel, feed: BookFeed):
    await feed.book("1")
    await feed.book("2")
    feed.clock.jump(UNUSED_S / 2)  # type: ignore[attr-defined]
    await feed.book("2")
    feed.clock.jump(UNUSED_S / 2 + 1)  # type: ignore[attr-defined]

    await feed.book("3")

    assert {"operation": "unsubscribe", "assets_ids": ["1"]} in channel.said
    again = await feed.book("1")
    assert again is not None
    assert again.live
    assert channel.said[-1]["assets_ids"] == ["1"]


async def test_after_a_cut_the_books_in_use_are_asked_for_again(channel: Channel, feed: BookFeed):
    await feed.book("1")
    feed.clock.jump(UNUSED_S + 1)  # type: ignore[attr-defined]
    await feed.book("2")

    channel.frames.put_nowait("")
    await settle()
    await feed.clock.run(timedelta(seconds=1).total_seconds())  # type: ignore[attr-defined]

    assert channel.said[-1] == {"type": "market", "assets_ids": ["2"], "custom_feature_enabled": True}
