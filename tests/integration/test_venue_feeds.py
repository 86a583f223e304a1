"""The venue's Gamma and RTDS: what production reads of markets, and who is told of which fill."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import websockets
from polymarket import PublicClient

from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.parse.activity import read_page, read_row
from services.common.polymarket.parse.gamma import build_market, read_clob_market, read_gamma_event, read_gamma_markets
from services.common.polymarket.parse.streams import read_rtds_frames
from services.common.polymarket.sdk import sdk_environment
from services.venue.bank import Bank
from services.venue.node.client import Node
from tests import recordings
from tests.patience import PATIENT_S, patiently
from tests.venue_process import Venue
from tests.venue_views import FINE, PLAIN
from tests.venue_web import SHARE, exact, kinds, mined, rows, trade, traders

SUBSCRIBE = '{"action":"subscribe","subscriptions":[{"topic":"activity","type":"trades"}]}'

pytestmark = pytest.mark.xdist_group("watched venue")


@pytest.fixture
def venue(watched_venue: Venue):
    return watched_venue


async def subscribed(socket: Any, frame: str) -> None:
    """A PING behind the subscription has been answered, by an empty frame."""
    await socket.send(frame)
    await socket.send("PING")
    while await patiently(socket.recv()):
        continue


async def test_a_trade_is_told_by_rtds_the_data_api_and_the_chain_alike(web, venue):
    leader = (await traders(web))["leader-1"]
    async with websockets.connect(venue.socket_url + "/rtds") as socket:
        await subscribed(socket, SUBSCRIBE)
        fill = await mined(web, await trade(web, market=FINE, outcome=1, side="BUY"))
        while True:
            text = await patiently(socket.recv())
            told = [one for one in read_rtds_frames(text) if one.wallet == leader.lower()]
            if told:
                break

    frame = json.loads(text)
    recorded = recordings.load("polymarket/pb_ws/rtds_activity_trades.json")["bosona_fill"]["payload"]
    assert frame["payload"]["proxyWallet"] == leader
    assert (told[0].tx_hash, told[0].shares_micros) == (fill["tx_hash"], fill["size_micros"])
    page = read_page("data_api", await exact(web, "/data/v2/trades", user=leader, limit=1))
    assert read_row(page.rows[0]).tx_hash == fill["tx_hash"]
    receipt = await venue.node("eth_getTransactionReceipt", fill["tx_hash"])
    assert int(receipt["blockNumber"], 16) == fill["block"]
    assert any(leader[2:].lower() in topic for log in receipt["logs"] for topic in log["topics"])
    assert frame["payload"].pop("fee") * SHARE == pytest.approx(fill["fee_micros"])
    assert fill["fee_micros"] > 0
    assert kinds(frame["payload"]) == kinds(recorded)


async def test_makers_are_told_of_on_the_topic_of_trades_only(web, venue):
    async with websockets.connect(venue.socket_url + "/rtds") as socket:
        subscribe = json.loads(SUBSCRIBE)
        subscribe["subscriptions"].append({"topic": "activity", "type": "orders_matched"})
        await subscribed(socket, json.dumps(subscribe))
        fill = await mined(web, await trade(web, market=PLAIN, side="BUY"))
        frames: list[dict[str, Any]] = []
        while not frames or frames[-1]["type"] == "trades":
            frame = json.loads(await patiently(socket.recv()))
            frames += [frame] if frame["payload"]["transactionHash"] == fill["tx_hash"] else []

    # Makers come first, as many as there were; the taker is told of last, on both.
    *makers, taken, matched = (frame["payload"] for frame in frames)
    assert makers
    assert fill["wallet"] not in [maker["proxyWallet"].lower() for maker in makers]
    assert taken["proxyWallet"].lower() == matched["proxyWallet"].lower() == fill["wallet"]
    # A fee of zero is left out.
    assert fill["fee_micros"] == 0
    assert [frame for frame in frames if "fee" in frame["payload"]] == []


async def test_one_wrong_topic_spoils_the_whole_subscription_and_a_ping_is_answered_by_nothing(web, venue):
    async with websockets.connect(venue.socket_url + "/rtds") as socket:
        subscribe = json.loads(SUBSCRIBE)
        subscribe["subscriptions"].append({"topic": "weather", "type": "*"})
        await socket.send(json.dumps(subscribe))
        assert json.loads(await patiently(socket.recv()))["statusCode"] == 400
        await socket.send("PING")
        assert await patiently(socket.recv()) == ""
        await mined(web, await trade(web, market=0, side="BUY"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await socket.recv()


async def test_gamma_describes_a_market_that_production_can_build(web):
    listed = (await rows(web, "/gamma/markets/keyset", limit=100))["markets"]
    token = json.loads(listed[0]["clobTokenIds"])[1]
    payload = await exact(web, "/gamma/markets/keyset", clob_token_ids=token, closed="false")
    (gamma,) = read_gamma_markets(payload)
    clob = read_clob_market(await exact(web, f"/clob/clob-markets/{gamma.condition_id}"))
    market = build_market(gamma, clob, datetime.now(UTC))

    assert market.tokens[1].token_id == token
    assert market.active
    assert market.accepting_orders
    assert market.has_book
    assert await exact(web, "/gamma/markets", condition_ids=gamma.condition_id) == payload["markets"]
    assert await exact(web, f"/gamma/markets/{listed[0]['id']}") == payload["markets"][0]
    assert (await web.get("/gamma/markets/1")).status_code == 404


async def test_gamma_has_the_recorded_fields_and_their_types(web):
    event = recordings.load("polymarket/pb_clob/gamma_event_btc_15m_resolved.json")["response"]
    recorded = kinds(event["markets"][0])
    market = (await rows(web, "/gamma/markets/keyset", limit=1))["markets"][0]
    mine = {key: kind for key, kind in kinds(market).items() if key in recorded and key != "feeSchedule"}

    assert mine.items() <= recorded.items()
    assert {"outcomes", "outcomePrices", "clobTokenIds", "conditionId", "umaResolutionStatus", "version"} <= set(mine)


async def test_an_event_of_gamma_holds_its_markets(web):
    (event, *_) = await exact(web, "/gamma/events", limit=1)
    found = read_gamma_event(event)
    again = await rows(web, f"/gamma/events/slug/{event['slug']}")

    assert all(one.event_id == event["id"] and one.event_slug == event["slug"] for one in found)
    assert [one["conditionId"] for one in again["markets"]] == [one["conditionId"] for one in event["markets"]]


async def test_a_resolved_market_pays_its_winners_and_is_listed_only_when_asked_for(web, venue):
    leader = (await traders(web))["leader-2"]
    won = await mined(web, await trade(web, "leader-2", market=4, outcome=1, side="BUY"))
    await mined(web, await trade(web, "leader-2", market=4, outcome=0, side="BUY"))
    resolved = await web.post("/admin/resolve", json={"market": 4, "outcome": 1})
    async with Node(venue.node_url) as node:
        held = (await exact(web, "/data/v2/positions", user=leader, status="REDEEMABLE"))["data"]
        await Bank(node).redeem(leader, won["condition_id"])
    (redeemed, *_) = await rows(web, "/data/activity", user=leader, type="REDEEM")
    hidden = await rows(web, "/gamma/markets/keyset", condition_ids=won["condition_id"])
    (market,) = (await rows(web, "/gamma/markets/keyset", condition_ids=won["condition_id"], closed="true"))["markets"]

    assert resolved.json()["cancelled"] > 0
    assert [row["token_id"] for row in held] == [won["token"]]
    assert held[0]["current_price"] == 1
    assert (redeemed["conditionId"], redeemed["size"]) == (won["condition_id"], held[0]["current_size"])
    assert hidden["markets"] == []
    assert (market["closed"], market["acceptingOrders"], market["umaResolutionStatus"]) == (True, False, "resolved")
    assert json.loads(market["outcomePrices"]) == ["0", "1"]
    # As on the real one, and other than at the CLOB.
    assert (market["active"], market["enableOrderBook"]) == (True, True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00", market["closedTime"])
    assert (await web.post("/admin/resolve", json={"market": 4})).status_code == 400
    assert (await web.post("/admin/trade", json={"trader": "leader-2", "market": 4})).status_code == 400


def test_the_official_client_reads_what_the_venue_lists(venue):
    endpoints = replace(PRODUCTION, data_api_url=venue.url + "/data", gamma_url=venue.url + "/gamma")
    leader = httpx.get(venue.url + "/admin/traders", timeout=PATIENT_S).json()["traders"][0]["address"]
    client = PublicClient(environment=sdk_environment(endpoints))
    try:
        trades = client.list_trades(user=leader, taker_only=False).first_page().items
        activity = client.list_activity(user=leader).first_page().items
        positions = client.list_positions(user=leader).first_page().items
        markets = client.list_markets(closed=False, version=("v1", "v2")).first_page().items
    finally:
        client.close()

    assert [one.transaction_hash for one in trades] == [one.transaction_hash for one in activity]
    assert {one.asset_id for one in positions} <= {one.asset_id for one in trades}
    assert {one.condition_id for one in trades} <= {one.condition_id for one in markets}
