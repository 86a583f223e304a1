"""The official client's streams, unmodified, on the venue's sockets: every frame is one that it knows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from polymarket import AsyncSecureClient
from polymarket.streams import CommentsSpec, CryptoPricesSpec, EquityPricesSpec, MarketSpec, UserSpec
from polymarket.streams._specs import CryptoPricesChainlinkTwapSpec

from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.sdk import sdk_environment
from tests.patience import PATIENT_S
from tests.venue_chain import BUY
from tests.venue_process import Venue
from tests.venue_trader import CENT, SHARE, Trader
from tests.venue_views import book, lines, market

pytestmark = [
    pytest.mark.xdist_group("client streams"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
async def client(venue: Venue, trader: Trader) -> AsyncIterator[AsyncSecureClient]:
    """The official client of somebody who has money."""
    endpoints = replace(
        PRODUCTION,
        clob_url=venue.url + "/clob",
        clob_ws_url=venue.socket_url + "/ws",
        data_api_url=venue.url + "/data",
        gamma_url=venue.url + "/gamma",
        rtds_url=venue.socket_url + "/rtds",
        rpc_url=venue.node_url,
    )
    opened = await AsyncSecureClient.create(
        private_key=trader.account.key.hex(), wallet=trader.address, environment=sdk_environment(endpoints)
    )
    async with opened:
        yield opened


async def until(handle: Any, wanted: Callable[[Any], bool]) -> list[Any]:
    """Every event up to the one that is wanted."""
    events: list[Any] = []
    async with asyncio.timeout(PATIENT_S):
        async for event in handle:
            events.append(event)
            if wanted(event):
                return events
    raise AssertionError(f"the stream ended: {events}")


async def begun(handle: Any, happens: Callable[[], Awaitable[str]]) -> None:
    """Let something with an id happen until the stream tells of it: what came before the subscription is not told of."""
    made: list[str] = []
    hearing = asyncio.create_task(until(handle, lambda event: event.payload.id in made[-1:]))
    while not hearing.done():
        made.append(await happens())
        await asyncio.wait([hearing], timeout=0.3)
    await hearing


def rests(trader: Trader, token: str) -> Callable[[], Awaitable[str]]:
    async def placed() -> str:
        return (await trader.place(token, BUY, 10 * SHARE, CENT, "GTC"))["orderID"]

    return placed


def kind(name: str) -> Callable[[Any], bool]:
    return lambda event: event.type == name


async def test_a_market_is_followed_from_its_books_to_its_resolution(web, client, trader):
    listed = await market(web, 5)
    token, other = listed["tokens"]
    handle = await client.subscribe(MarketSpec(token_ids=[token, other], custom_feature_enabled=True))
    books = await until(handle, kind("book")) + await until(handle, kind("book"))
    rested = await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
    (placed,) = await until(handle, kind("price_change"))
    _, asks = await book(web, token)
    bought = await trader.place(token, BUY, 900 * SHARE, asks[-1][0])
    trading = await until(handle, kind("last_trade_price"))
    tick = {"condition_id": listed["condition_id"], "tick_micros": 1_000}
    assert (await web.post("/admin/tick", json=tick)).status_code == 200
    ticks = await until(handle, kind("tick_size_change"))
    assert (await web.post("/admin/resolve", json={"market": 5, "outcome": 1})).status_code == 200
    (*_, resolved) = await until(handle, kind("market_resolved"))
    await handle.close()

    assert {one.payload.token_id for one in books} == {token, other}
    assert (rested["status"], bought["status"]) == ("live", "matched")
    assert [(one.token_id, str(one.price), one.size) for one in placed.payload.price_changes if one.token_id == token]
    kinds = [one.type for one in trading]
    assert kinds.index("price_change") < kinds.index("book")
    assert kinds.count("book") >= 2
    best = next(one for one in trading if one.type == "best_bid_ask" and one.payload.token_id == token)
    assert best.payload.spread == best.payload.best_ask - best.payload.best_bid
    assert trading[-1].payload.transaction_hash
    assert str(ticks[-1].payload.new_tick_size) == "0.001"
    assert (resolved.payload.market, resolved.payload.winning_token_id) == (listed["condition_id"], other)
    assert handle.dropped == 0


async def test_a_market_that_is_listed_is_told_to_those_who_ask_for_such_news(web, client):
    token = (await market(web, 1))["tokens"][0]
    handle = await client.subscribe(MarketSpec(token_ids=[token], custom_feature_enabled=True))
    await until(handle, kind("book"))
    listed = await web.post("/admin/markets", json={"question": "Will a stream tell of it?"})
    assert listed.status_code == 200, listed.text
    (*_, news) = await until(handle, kind("new_market"))

    assert news.payload.condition_id == listed.json()["condition_id"]
    assert list(news.payload.token_ids) == listed.json()["tokens"]
    assert news.payload.question == "Will a stream tell of it?"


async def test_best_prices_come_to_those_who_ask_for_them_also_when_they_ask_later(web, client, trader):
    token = (await market(web, 1))["tokens"][0]
    plain = await client.subscribe(MarketSpec(token_ids=[token]))
    await until(plain, kind("book"))
    both = await client.subscribe(MarketSpec(token_ids=[token], custom_feature_enabled=True))
    bids, _ = await book(web, token)
    hearing = asyncio.create_task(until(both, kind("best_bid_ask")))
    while not hearing.done():  # what came before the wish is not told
        await trader.cancel("/cancel-all")
        await trader.place(token, BUY, 10 * SHARE, bids[0][0] + CENT, "GTC")
        await asyncio.wait([hearing], timeout=0.5)
    (*_, best) = await hearing
    (first,) = await until(plain, kind("price_change"))

    assert best.payload.best_bid * 1_000_000 in {bids[0][0], bids[0][0] + CENT}
    assert first.payload.price_changes[0].best_bid == best.payload.best_bid


async def test_an_owner_follows_his_orders_and_trades_by_market_and_then_all(web, client, trader):
    listed, elsewhere = await market(web, 0), await market(web, 2)
    token, far = listed["tokens"][0], elsewhere["tokens"][0]
    named = await client.subscribe(UserSpec(markets=[listed["condition_id"]]))
    await begun(named, rests(trader, token))
    await trader.place(far, BUY, 10 * SHARE, CENT, "GTC")
    rested = await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
    (first,) = await until(named, kind("order"))
    everything = await client.subscribe(UserSpec())
    await begun(everything, rests(trader, far))
    _, asks = await book(web, far)
    bought = await trader.place(far, BUY, 10 * SHARE, asks[0][0])
    events = await until(everything, lambda event: event.payload.status == "CONFIRMED")
    # The recorded frame of a killed order has no size, so this client drops it; what follows is heard all the same.
    assert (await trader.refusal(token, BUY, 60 * SHARE, 2 * CENT, "FOK"))[0] == 400
    later = await trader.place(token, BUY, 10 * SHARE, 2 * CENT, "GTC")
    (after,) = await until(everything, kind("order"))

    assert (first.payload.id, first.payload.order_event_type, first.payload.status) == (
        rested["orderID"],
        "PLACEMENT",
        "LIVE",
    )
    trades = [(one.payload.id, one.payload.status) for one in events if one.type == "trade"]
    assert trades == [(bought["tradeIDs"][0], each) for each in ("MATCHED", "MINED", "CONFIRMED")]
    assert after.payload.id == later["orderID"]


async def test_a_trade_that_fails_to_commit_is_told_of_to_its_end(web, client, trader):
    token = (await market(web, 0))["tokens"][0]
    handle = await client.subscribe(UserSpec())
    await begun(handle, rests(trader, token))
    fault = {"kind": "commit_fail", "ms": 20, "tries": 1}
    assert (await web.post("/admin/faults", json=fault)).status_code == 200
    _, asks = await book(web, token)
    bought = await trader.place(token, BUY, 10 * SHARE, asks[0][0])
    events = await until(handle, lambda event: event.payload.status == "FAILED")

    told = [(one.payload.id, one.payload.status) for one in events if one.type == "trade"]
    assert told == [(bought["tradeIDs"][0], each) for each in ("MATCHED", "RETRYING", "FAILED")]


async def test_the_firehose_has_comments_and_prices_that_the_client_knows(web, client):
    comments = await client.subscribe(CommentsSpec())
    prices = [
        await client.subscribe(spec)
        for spec in (
            CryptoPricesSpec(topic="prices.crypto.binance", symbols=["btcusdt"]),
            CryptoPricesSpec(topic="prices.crypto.chainlink"),
            CryptoPricesChainlinkTwapSpec(window_seconds=30),
            CryptoPricesChainlinkTwapSpec(window_seconds=60),
            EquityPricesSpec(symbol="AAPL"),
        )
    ]
    numbers = count(100)

    async def said(comment_id: str = "") -> str:
        comment = {
            "id": comment_id or str(next(numbers)),
            "body": "well",
            "parentEntityType": "Event",
            "parentEntityID": 3,
        }
        frame = {"topic": "comments", "type": "comment_created", "payload": comment}
        assert (await web.post("/admin/rtds", json=frame)).status_code == 200
        return str(comment["id"])

    await begun(comments, said)
    await said("7")
    (heard,) = await until(comments, kind("comment_created"))
    updates = [(await until(handle, kind("update")))[-1] for handle in prices]

    assert (heard.payload.id, heard.payload.body) == ("7", "well")
    assert all(update.payload.value > 0 for update in updates)
    assert [update.payload.window_seconds for update in updates[2:4]] == [30, 60]


async def test_a_stream_that_is_cut_begins_again_with_books(web, client, trader):
    token = (await market(web, 3))["tokens"][0]
    handle = await client.subscribe(MarketSpec(token_ids=[token]))
    await until(handle, kind("book"))
    fault = {"kind": "socket_cut", "channel": "market", "containing": "price_change"}
    assert (await web.post("/admin/faults", json=fault)).status_code == 200
    await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
    (again,) = await until(handle, kind("book"))

    assert again.payload.bids[0].price * 100 == 1
    assert "market" in [line.get("channel") for line in await lines(web, "fault") if line["fault"] == "socket_cut"]
