"""The production adapters on a venue that fails in every way it knows: an answer that is true, or `VenueUnavailable`, and soon."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from services.common.domain.intent import Outcome
from services.common.polymarket import books, firehose
from services.common.polymarket.clob import ClobRest
from services.common.polymarket.firehose import RtdsFirehose
from services.common.polymarket.modes import Mode, mode_of
from services.common.ports.venue import Permission, VenueUnavailable
from services.common.store.memory import MemoryStores
from tests.contract.venue_scenes import SHARE, Scene, endpoints_of, over_the_network
from tests.patience import PATIENT_S
from tests.venue_chain import BUY
from tests.venue_process import Venue
from tests.venue_trader import CENT, Trader
from tests.venue_views import lines

pytestmark = pytest.mark.xdist_group("adapters under faults")

WRONG = ("object", "list", "null", "text", "number", "cut")


@pytest.fixture
async def scene(venue: Venue) -> AsyncIterator[Scene]:
    async with over_the_network(venue, hostile=True) as made:
        yield made


@pytest.fixture
async def strike(web: httpx.AsyncClient) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Lets something go wrong; afterwards nothing does."""

    async def add(**fault: Any) -> None:
        answer = await web.post("/admin/faults", json=fault)
        assert answer.status_code == 200, answer.text

    yield add
    await web.delete("/admin/faults")


# Tokens that nobody has asked for: what is known of a market is kept for a while.
UNKNOWN = count(10**70)

# Everything that is read over HTTP.
READS: dict[str, Callable[[Scene], Awaitable[object]]] = {
    "trades of a leader": lambda scene: scene.activity.trades(scene.signer.address, soon(scene)),
    "positions": lambda scene: scene.activity.positions(scene.signer.address),
    "an order": lambda scene: scene.clob.order("0x" + "1" * 64),
    "trades of an order": lambda scene: scene.clob.trades("0x" + "1" * 64, scene.token, soon(scene)),
    "the wallet": lambda scene: scene.clob.wallet(),
    "the time": lambda scene: scene.clob.server_time(),
    "a market": lambda scene: scene.markets.by_token(str(next(UNKNOWN))),
}


def soon(scene: Scene) -> datetime:
    return scene.clock.now() - timedelta(minutes=1)


async def failures(scene: Scene) -> dict[str, object]:
    """What came of every read, those that gave an answer left out."""
    came = await asyncio.gather(*(read(scene) for read in READS.values()), return_exceptions=True)
    return {name: one for name, one in zip(READS, came, strict=True) if isinstance(one, BaseException)}


BROKEN: tuple[dict[str, Any], ...] = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "error_before", "status": 502},
    {"kind": "error_after", "status": 429, "headers": {"Retry-After": "1"}},
    {"kind": "html_after"},
    {"kind": "truncated_body"},
    {"kind": "reset_body"},
    {"kind": "empty_body"},
    *({"kind": "wrong_json", "form": form} for form in WRONG),
)
# An order that is not active is `null` or nothing; and any number is a time, which the guard of clocks holds against its own.
TOLD = {"null": {"an order"}, "object": {"an order"}, "number": {"the time"}, "cut": {"the time"}}


async def test_a_read_that_fails_says_that_the_venue_is_not_to_be_had(web, scene, strike):
    await scene.clob.wallet()
    for fault in BROKEN:
        await strike(path="/", times=0, **fault)
        failed = await failures(scene)
        await web.delete("/admin/faults")

        assert {type(one) for one in failed.values()} == {VenueUnavailable}, fault
        assert set(READS) - set(failed) <= TOLD.get(str(fault.get("form")), set()), fault
    assert {line["fault"] for line in await lines(web, "fault")} >= {fault["kind"] for fault in BROKEN}
    assert await failures(scene) == {}


async def test_what_is_late_or_drips_is_given_up_in_time(venue, scene, strike):
    await strike(path="/clob", kind="slow_body", ms=60_000, times=0)
    await strike(path="/data", kind="delay", ms=60_000, times=0)
    began = time.monotonic()
    stranger = ClobRest(endpoints_of(venue), scene.signer, scene.clock, MemoryStores(scene.clock.now).dead_letters)
    failed, refused = await asyncio.gather(failures(scene), asyncio.gather(stranger.wallet(), return_exceptions=True))
    took = time.monotonic() - began
    await stranger.close()

    assert took < 30
    assert {type(one) for one in failed.values()} == {VenueUnavailable}
    assert isinstance(refused[0], VenueUnavailable), "the credentials come over HTTP as well"


async def test_what_an_account_may_do_is_what_the_venue_says(web, scene):
    free = await scene.clob.permission()
    await web.post("/admin/restrict", json={"address": scene.signer.address, "standing": "closed_only"})
    only_sells = await scene.clob.permission()
    await web.post("/admin/geoblock", json={"blocked": True})
    elsewhere = await scene.clob.permission()
    refused = await scene.post(await scene.an_order(20 * SHARE, beyond_ticks=1))
    await web.post("/admin/geoblock", json={"blocked": False})

    assert (free, only_sells, elsewhere) == (Permission(False, False), Permission(True, False), Permission(True, True))
    assert (refused.outcome, mode_of(refused.http_status, refused.code)) == (Outcome.REJECTED, Mode.GEOBLOCKED)


@pytest.mark.parametrize("mode", ["restarting", "cancel_only", "post_only", "disabled"])
async def test_an_order_learns_of_the_mode_that_the_venue_is_in(web, scene, mode):
    await web.post("/admin/mode", json={"mode": mode})
    answer = await scene.post(await scene.an_order(20 * SHARE, beyond_ticks=1))
    await web.post("/admin/mode", json={"mode": "normal"})

    assert mode_of(answer.http_status, answer.code) == mode
    assert answer.outcome is (Outcome.UNKNOWN if mode == "restarting" else Outcome.REJECTED)


POSTED: tuple[tuple[dict[str, Any], bool], ...] = (
    ({"kind": "drop_before"}, False),
    ({"kind": "drop_after"}, True),
    ({"kind": "html_before", "status": 502}, False),
    ({"kind": "html_after", "status": 403}, True),
    ({"kind": "error_before", "status": 429, "headers": {"Retry-After": "1"}}, False),
    ({"kind": "truncated_body"}, True),
    ({"kind": "reset_body"}, True),
    ({"kind": "empty_body"}, True),
    *(({"kind": "wrong_json", "form": form}, True) for form in WRONG),
)


async def test_what_became_of_an_order_is_never_guessed(scene, strike):
    for fault, is_there in POSTED:
        intent = await scene.an_order(20 * SHARE, beyond_ticks=1)
        await strike(endpoint="clob.post_order", **fault)
        answer = await scene.post(intent)
        again = await scene.post(intent)

        assert answer.outcome is Outcome.UNKNOWN, fault
        assert again.outcome is (Outcome.DUPLICATED if is_there else Outcome.ACKED), fault


async def test_a_true_answer_under_a_wrong_type_is_an_answer(scene, strike):
    await strike(endpoint="clob.post_order", kind="wrong_type")

    assert (await scene.post(await scene.an_order(20 * SHARE, beyond_ticks=1))).outcome is Outcome.ACKED


@pytest.mark.parametrize("kind", ["frame_garble", "socket_close", "socket_cut", "frame_double", "socket_silent"])
async def test_a_live_book_is_right_again_soon_after_its_feed_has_failed(web, scene, strike, monkeypatch, kind):
    monkeypatch.setattr(books, "PING_EVERY_S", 0.2)
    monkeypatch.setattr(books, "SILENCE_S", 0.6)
    trader = await Trader.join(web)
    first = await scene.markets.book(scene.token)
    assert first is not None
    await strike(kind=kind, channel="market", containing="price_change")
    for cents in (1, 2):
        await trader.place(scene.token, BUY, 10 * SHARE, cents * CENT, "GTC")
    await until_same(web, scene)

    assert [line["channel"] for line in await lines(web, "fault") if line["fault"] == kind] == ["market"]


async def test_books_are_read_over_http_while_the_feed_is_refused(web, scene, strike):
    await strike(kind="socket_refuse", channel="market", times=0)
    book = await scene.markets.book(scene.token)

    assert book is not None
    assert levels(book) == await shown(web, scene.token)


async def until_same(web: httpx.AsyncClient, scene: Scene) -> None:
    async with asyncio.timeout(PATIENT_S):
        while True:
            book = await scene.markets.book(scene.token)
            if book is not None and levels(book) == await shown(web, scene.token):
                return
            await asyncio.sleep(0.05)


def levels(book: Any) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    bids, asks = ({(level.price_micros, level.size_micros) for level in side} for side in (book.bids, book.asks))
    return bids, asks


async def shown(web: httpx.AsyncClient, token: str) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """The book as the venue has it now."""
    book = (await web.get("/clob/book", params={"token_id": token})).json()
    bids, asks = (
        {(round(float(one["price"]) * SHARE), round(float(one["size"]) * SHARE)) for one in book[side]}
        for side in ("bids", "asks")
    )
    return bids, asks


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        ({"kind": "frame_garble"}, 1),
        ({"kind": "frame_double"}, 3),
        ({"kind": "frame_drop"}, 1),
        ({"kind": "frame_reorder"}, 2),
        ({"kind": "socket_cut"}, None),
        ({"kind": "socket_close"}, None),
        ({"kind": "socket_silent"}, None),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
async def test_the_firehose_goes_on_or_says_that_it_has_failed(venue, web, scene, strike, monkeypatch, fault, heard):
    if fault["kind"] == "socket_silent":
        monkeypatch.setattr(firehose, "PING_EVERY_S", 0.3)
        monkeypatch.setattr(firehose, "SILENCE_S", 2.0)
    trader = await Trader.join(web)
    stream = RtdsFirehose(endpoints_of(venue), scene.clock, MemoryStores(scene.clock.now).dead_letters)
    hints: list[Any] = []
    async with aclosing(stream.hints([trader.address])) as listening:
        taking = asyncio.create_task(take(listening, hints))
        await until_heard(scene, trader, hints)
        hints.clear()
        await strike(channel="rtds", containing=trader.address, **fault)
        await bought(scene, trader)
        await bought(scene, trader)
        async with asyncio.timeout(PATIENT_S):
            while len(hints) < heard if heard else not taking.done():  # noqa: ASYNC110  hints have no event
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3 if heard else 0)  # nothing follows
        done = taking.done()
        taking.cancel()
        ended = (await asyncio.gather(taking, return_exceptions=True))[0]

    if heard is None:
        assert done
        assert isinstance(ended, VenueUnavailable)
    else:
        assert len(hints) == heard


async def bought(scene: Scene, trader: Trader) -> str:
    """A purchase that is mined: its transaction."""
    placed = await trader.place(scene.token, BUY, 5 * SHARE, 90 * CENT)
    return (await trader.settled(placed["orderID"], "MINED"))[0]["transaction_hash"]


async def until_heard(scene: Scene, trader: Trader, hints: list[Any]) -> None:
    """Buy until one purchase is told of: what came before the subscription is not."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            last = await bought(scene, trader)
            await asyncio.sleep(0.3)
            if last in [hint.tx_hash for hint in hints]:
                return


async def take(stream: Any, hints: list[Any]) -> None:
    async for hint in stream:
        hints.append(hint)
