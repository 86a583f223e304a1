"""The venue's WebSockets: books and trades for everyone, orders for their owner."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import websockets
from py_clob_client_v2.utilities import generate_orderbook_summary_hash, parse_raw_orderbook_summary
from websockets.exceptions import ConnectionClosedError

from services.common.polymarket.parse.streams import UserOrder, read_market_frames, read_user_frames
from tests import recordings
from tests.patience import PATIENT_S, patiently
from tests.venue_chain import BUY
from tests.venue_shapes import differences
from tests.venue_trader import CENT, SHARE, USDC, Trader, listening
from tests.venue_views import FINE, PLAIN, book, lines, market

pytestmark = pytest.mark.xdist_group("venue channels")

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SIDES = ("BUY", "SELL")


async def test_an_owner_hears_of_his_orders_and_of_each_status_of_his_trades(web, venue, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    stranger = await Trader.join(web)
    url = venue.socket_url + "/ws/user"
    async with (
        listening(url, trader.channel | {"markets": []}) as heard,
        listening(url, stranger.channel) as other,
    ):
        bought = await trader.place(token, BUY, 10 * SHARE, asks[0][0])
        frames = await heard.until(lambda frame: frame.get("status") == "CONFIRMED")
        rested = await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
        await trader.cancel("/cancel-all")
        frames += await heard.until(lambda frame: frame.get("type") == "CANCELLATION")
        await other.socket.send("PING")
        assert await other.next() == "PONG"

    orders = [(f["type"], f["id"], f["status"]) for f in frames if f["event_type"] == "order"]
    trades = [(f["id"], f["status"]) for f in frames if f["event_type"] == "trade"]
    assert orders == [
        ("PLACEMENT", bought["orderID"], "MATCHED"),
        ("PLACEMENT", rested["orderID"], "LIVE"),
        ("CANCELLATION", rested["orderID"], "CANCELED"),
    ]
    assert trades == [(bought["tradeIDs"][0], status) for status in ("MATCHED", "MINED", "CONFIRMED")]
    # Orders tell of milliseconds, trades of seconds, and both in texts.
    assert {(f["event_type"], len(f["timestamp"])) for f in frames} == {("order", 13), ("trade", 10)}
    assert {len(f["created_at"]) for f in frames if f["event_type"] == "order"} == {10}
    parsed = [event for frame in frames for event in read_user_frames(json.dumps(frame))]
    assert [one.order_hash for one in parsed if isinstance(one, UserOrder)] == [order for _, order, _ in orders]


async def test_an_order_that_is_killed_says_so_in_its_status(web, venue, trader):
    token = (await market(web))["tokens"][0]
    async with listening(venue.socket_url + "/ws/user", trader.channel) as heard:
        words = [(await trader.refusal(token, BUY, 200 * SHARE, CENT, kind))[1] for kind in ("FOK", "FAK")]
        frames = [json.loads(await heard.next()) for _ in words]

    assert [frame["status"] for frame in frames] == [f"CANCELED_{text}" for text in words]
    assert [(frame["type"], frame["size_matched"], frame["associate_trades"]) for frame in frames] == [
        ("CANCELLATION", "", None)
    ] * 2
    for frame in frames:
        (order,) = read_user_frames(json.dumps(frame))
        assert isinstance(order, UserOrder)
        assert (order.status, order.matched_micros) == ("CANCELED", 0)


async def test_whoever_leaves_his_last_market_hears_of_all(web, venue, trader):
    here, there = await market(web, 0), await market(web, 2)
    subscribe = trader.channel | {"markets": [here["condition_id"]]}
    async with listening(venue.socket_url + "/ws/user", subscribe) as heard:
        unheard = await trader.place(there["tokens"][0], BUY, 10 * SHARE, CENT, "GTC")
        await heard.socket.send(json.dumps({"operation": "unsubscribe", "markets": [here["condition_id"]]}))
        await heard.socket.send("PING")
        assert await heard.next() == "PONG"
        placed = [await trader.place(one["tokens"][0], BUY, 10 * SHARE, CENT, "GTC") for one in (there, here)]
        told = [json.loads(await heard.next())["id"] for _ in placed]

    assert unheard["status"] == "live"
    assert told == [one["orderID"] for one in placed]


async def test_a_stranger_to_the_user_channel_is_shown_out(venue, trader):
    guessed = trader.channel | {"auth": trader.channel["auth"] | {"secret": "guessed"}}
    with pytest.raises(Exception, match="1000"):
        async with listening(venue.socket_url + "/ws/user", guessed):
            pass


Sides = dict[tuple[str, str], dict[str, str]]


def follow(levels: Sides, frames: list[Any]) -> None:
    """Each side as it is after these frames."""
    for change in (change for frame in frames for change in frame.get("price_changes", [])):
        side = levels[change["asset_id"], "bids" if change["side"] == "BUY" else "asks"]
        side[change["price"]] = change["size"]
        if change["size"] == "0":
            del side[change["price"]]


async def shown(web, token: str, other: str) -> Sides:
    """Each side of two books as it is now."""
    now = (await web.post("/clob/books", json=[{"token_id": token}, {"token_id": other}, {"token_id": "1"}])).json()
    assert {one["asset_id"] for one in now} == {token, other}
    return {
        (one["asset_id"], side): {level["price"]: level["size"] for level in one[side]}
        for one in now
        for side in ("bids", "asks")
    }


async def test_the_market_channel_begins_with_books_and_follows_every_level(web, venue, trader):
    listed = await market(web, 3)
    token, other = listed["tokens"]
    subscribe = {"assets_ids": [token, other], "type": "market", "custom_feature_enabled": True}
    async with listening(venue.socket_url + "/ws/market", subscribe) as heard:
        (first,) = map(json.loads, heard.first)
        levels = {
            (one["asset_id"], side): {level["price"]: level["size"] for level in one[side]}
            for one in first
            for side in ("bids", "asks")
        }
        price = max(levels[token, "bids"], key=float)
        rested = await trader.place(token, BUY, 50 * SHARE, round(float(price) * USDC) + CENT, "GTC")
        bought = await trader.place(other, BUY, 60 * SHARE, USDC - round(float(price) * USDC))
        await trader.cancel("/cancel-all")
        frames = await heard.until(lambda frame: frame["event_type"] == "last_trade_price")
        follow(levels, frames)
        async with asyncio.timeout(PATIENT_S):
            # The makers answer the purchase in their time: whatever is in the books has been told of before.
            while levels != await shown(web, token, other):
                await heard.socket.send("PING")
                more: list[Any] = []
                while (text := await heard.next()) != "PONG":
                    more.append(json.loads(text))
                follow(levels, more)
                frames += more

    assert rested["status"] == "live"
    (last,) = [frame for frame in frames if frame["event_type"] == "last_trade_price"]
    (trade,) = await trader.settled(bought["orderID"])
    assert (last["asset_id"], last["side"], last["transaction_hash"]) == (other, "BUY", trade["transaction_hash"])
    for frame in (*first, *frames):
        assert read_market_frames(json.dumps(frame), NOW)


async def test_frames_have_the_recorded_fields_in_the_recorded_order(web, venue, trader):
    samples = recordings.load("polymarket/pb_ws/clob_market_ws.json")["samples"]
    token = (await market(web, PLAIN))["tokens"][0]
    _, asks = await book(web, token)
    async with listening(venue.socket_url + "/ws/market", {"assets_ids": [token], "type": "market"}) as heard:
        (first,) = map(json.loads, heard.first)
        await trader.place(token, BUY, 10 * SHARE, asks[0][0])
        frames = await heard.until(lambda frame: frame["event_type"] == "last_trade_price")
    found = {frame["event_type"]: frame for frame in (*first, *frames)}

    for kind in ("book", "price_change", "last_trade_price"):
        assert list(differences(samples[kind], found[kind])) == [], kind
        assert list(found[kind]) == list(samples[kind]), kind
    assert list(found["price_change"]["price_changes"][0]) == list(samples["price_change"]["price_changes"][0])
    assert len(found["price_change"]["price_changes"][0]["hash"]) == 40


async def test_a_price_is_told_before_its_transaction_is_mined(web, venue, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    user, market_channel = venue.socket_url + "/ws/user", venue.socket_url + "/ws/market"
    async with (
        listening(market_channel, {"assets_ids": [token], "type": "market"}) as prices,
        listening(user, trader.channel) as mine,
    ):
        await trader.place(token, BUY, 10 * SHARE, asks[0][0])
        (*_, last) = await prices.until(lambda frame: frame["event_type"] == "last_trade_price")
        frames = await mine.until(lambda frame: frame.get("status") == "MINED")

    assert frames[-1]["transaction_hash"] == last["transaction_hash"]
    (mined,) = [line for line in await lines(web, "settled") if line["tx_hash"] == last["transaction_hash"]]
    assert int(last["timestamp"]) < mined["at_ms"]


async def test_a_finer_grid_is_announced_and_taken(web, venue, trader):
    listed = await market(web, 4)
    token = listed["tokens"][0]
    async with listening(venue.socket_url + "/ws/market", {"assets_ids": [token], "type": "market"}) as heard:
        assert (await trader.refusal(token, BUY, 10 * SHARE, 12_000, "GTC"))[0] == 400
        tick = {"condition_id": listed["condition_id"], "tick_micros": 1_000}
        assert (await web.post("/admin/tick", json=tick)).status_code == 200
        (frame,) = await heard.until(lambda frame: frame["event_type"] == "tick_size_change")

    assert (frame["old_tick_size"], frame["new_tick_size"], frame["asset_id"]) == ("0.01", "0.001", token)
    assert (await trader.place(token, BUY, 10 * SHARE, 12_000, "GTC"))["status"] == "live"
    assert (await web.get("/clob/tick-size", params={"token_id": token})).json() == {"minimum_tick_size": 0.001}
    assert (await web.post("/admin/tick", json=tick | {"tick_micros": 3})).status_code == 400


async def test_a_token_is_subscribed_once_and_left(web, venue, trader):
    token, added = (await market(web, 5))["tokens"][0], (await market(web, 3))["tokens"][0]
    async with listening(venue.socket_url + "/ws/market", {"assets_ids": [token], "type": "market"}) as heard:
        await heard.socket.send(json.dumps({"operation": "subscribe", "assets_ids": [added, token]}))
        fresh = json.loads(await heard.next())
        assert (fresh["event_type"], fresh["asset_id"]) == ("book", added)
        for operation in ("subscribe", "unsubscribe"):
            await heard.socket.send(json.dumps({"operation": operation, "assets_ids": [token]}))
        await heard.socket.send("PING")
        assert await heard.next() == "PONG"
        await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
        await heard.socket.send("PING")
        assert await heard.next() == "PONG"


async def test_a_book_lists_its_best_level_last_and_mirrors_the_other_outcome(web):
    token, other = (await market(web, FINE))["tokens"]
    recorded = recordings.load("polymarket/pb_clob/clob_book_open_trimmed.json")["response"]
    yes, no = [(await web.get("/clob/book", params={"token_id": one})).json() for one in (token, other)]
    prices = {side: [float(level["price"]) for level in yes[side]] for side in ("bids", "asks")}
    quoted = {side: (await web.get("/clob/price", params={"token_id": token, "side": side})).json() for side in SIDES}

    assert list(yes) == [name for name in recorded if name != "_note"]
    assert prices["bids"] == sorted(prices["bids"])
    assert prices["asks"] == sorted(prices["asks"], reverse=True)
    assert prices["bids"][-1] < prices["asks"][-1]
    assert [(1_000 - round(float(one["price"]) * 1_000), one["size"]) for one in no["asks"]] == [
        (round(float(one["price"]) * 1_000), one["size"]) for one in yes["bids"]
    ]
    assert quoted == {"BUY": {"price": yes["bids"][-1]["price"]}, "SELL": {"price": yes["asks"][-1]["price"]}}
    assert yes["hash"] == generate_orderbook_summary_hash(parse_raw_orderbook_summary(yes))


CHANNELS = [("market", "/ws/market", "PONG"), ("user", "/ws/user", "PONG"), ("rtds", "/rtds", "")]


@pytest.fixture
async def manners(web):
    """Change what a channel waits for; afterwards it is as it was."""
    changed: list[dict[str, Any]] = []

    async def change(channel: str, **wanted: int) -> None:
        answer = await web.post("/admin/sockets", json={"channel": channel} | wanted)
        assert answer.status_code == 200, answer.text
        changed.append({"channel": channel, "silent_ms": 125_000, "queued": 5_000})

    yield change
    for one in changed:
        await web.post("/admin/sockets", json=one)


@pytest.mark.parametrize(("channel", "path", "pong"), CHANNELS)
async def test_bytes_and_nonsense_end_no_socket_that_is_known(web, venue, trader, channel, path, pong):
    async with websockets.connect(venue.socket_url + path) as socket:
        if channel == "user":
            await socket.send(json.dumps(trader.channel))
        for nonsense in (b"\xff\x00", b"", "", "[]", "null", "{", '{"assets_ids": 3, "markets": {}}', "9" * 5_000):
            await socket.send(nonsense)
        await socket.send('{"assets_ids": [[], {}, null, 5], "markets": [null, {}], "operation": []}')
        await socket.send("PING")
        async with asyncio.timeout(PATIENT_S):
            while await socket.recv() != pong:
                pass
    assert (await web.get("/admin/health")).json()["status"] == "ok"


@pytest.mark.parametrize(("channel", "path"), [one[:2] for one in CHANNELS[:2]])
async def test_a_client_that_sends_no_ping_is_reset_whatever_else_he_sends(venue, manners, channel, path):
    await manners(channel, silent_ms=1_500)
    async with websockets.connect(venue.socket_url + path) as patient:
        for _ in range(2):
            await asyncio.sleep(0.8)
            await patient.send("PING")
            assert await patient.recv() == "PONG"
        await manners(channel, silent_ms=100)
        await patient.send("PING")
        assert await patient.recv() == "PONG"
        with pytest.raises(ConnectionClosedError) as caught:
            async with asyncio.timeout(PATIENT_S):
                await patient.recv()
    assert caught.value.rcvd is None


async def test_the_firehose_falls_silent_for_those_who_do_not_ping_and_speaks_again_when_they_do(web, venue, manners):
    said = {"topic": "comments", "type": "comment_removed", "payload": {"id": "1"}}
    await manners("rtds", silent_ms=300)
    async with websockets.connect(venue.socket_url + "/rtds") as socket:
        await socket.send('{"action":"subscribe","subscriptions":[{"topic":"comments","type":"*"}]}')
        await asyncio.sleep(0.6)
        await web.post("/admin/rtds", json=said)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await socket.recv()
        await manners("rtds", silent_ms=60_000)
        await socket.send("PING")
        assert await socket.recv() == ""
        await web.post("/admin/rtds", json=said | {"payload": {"id": "2"}})
        assert json.loads(await socket.recv())["payload"] == {"id": "2"}


async def test_a_reader_that_is_too_slow_is_closed_with_a_code_of_its_own(web, venue, manners):
    await manners("rtds", queued=3)
    async with websockets.connect(venue.socket_url + "/rtds", max_queue=1) as socket:
        await socket.send('{"action":"subscribe","subscriptions":[{"topic":"comments","type":"*"}]}')
        await socket.send("PING")
        assert await socket.recv() == ""
        said = {"topic": "comments", "type": "comment_created", "payload": {"body": "x" * 400_000}}
        for _ in range(40):
            await web.post("/admin/rtds", json=said)
        with pytest.raises(ConnectionClosedError) as caught:
            async with asyncio.timeout(PATIENT_S):
                while True:
                    await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1013


async def test_filters_of_the_firehose_that_nobody_knows_are_refused(venue):
    async with websockets.connect(venue.socket_url + "/rtds") as socket:
        for filters in (
            '{"wallet":"0x1"}',
            '{"event_slug": "with-a-blank"}',
            "{",
            '["event_slug"]',
            '{"event_slug":[]}',
        ):
            wanted = {"topic": "activity", "type": "trades", "filters": filters}
            await socket.send(json.dumps({"action": "subscribe", "subscriptions": [wanted]}))
            assert json.loads(await socket.recv())["body"]["message"] == "filters validation failed"


@pytest.mark.parametrize("name", ["event_slug", "market_slug"])
async def test_the_firehose_is_narrowed_to_a_market_or_an_event(web, venue, trader, name):
    places = [await market(web, place) for place in (0, 2)]
    (listed,) = (await web.get("/gamma/markets", params={"condition_ids": places[1]["condition_id"]})).json()
    slug = listed["slug"] if name == "market_slug" else listed["events"][0]["slug"]
    wanted = {"topic": "activity", "type": "orders_matched", "filters": json.dumps({name: slug}, separators=(",", ":"))}
    async with websockets.connect(venue.socket_url + "/rtds") as socket:
        await socket.send(json.dumps({"action": "subscribe", "subscriptions": [wanted]}))
        for one in places:
            bought = await trader.place(one["tokens"][0], BUY, 10 * SHARE, 99 * CENT)
            await trader.settled(bought["orderID"])
        async with asyncio.timeout(PATIENT_S):
            told = json.loads(await socket.recv())["payload"]

    assert (told["conditionId"], told["slug"]) == (places[1]["condition_id"], listed["slug"])


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/admin/sockets", {"channel": "sports"}, "channel"),
        ("/admin/sockets", {"channel": "user", "silent_ms": 0}, "silent_ms"),
        ("/admin/sockets", [], "expected a JSON object"),
        ("/admin/rtds", {"topic": "comments", "type": "update", "payload": {}}, "topic, type"),
        ("/admin/rtds", {"topic": "comments", "type": "comment_created", "payload": 1}, "payload"),
    ],
)
async def test_controls_of_the_sockets_name_what_they_expect(web, path, body, named):
    answer = await web.post(path, json=body)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(named)


async def test_a_socket_that_goes_cancels_no_order_and_whoever_comes_back_is_told_nothing_of_before(web, venue):
    token, trader = (await market(web))["tokens"][0], await Trader.join(web)
    users = venue.socket_url + "/ws/user"
    async with listening(users, trader.channel), websockets.connect(venue.socket_url + "/rtds"):
        rested = await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
    missed = await trader.place(token, BUY, 10 * SHARE, 99 * CENT)
    await trader.settled(missed["orderID"])
    standing = await trader.ask(f"/data/order/{rested['orderID']}")
    async with listening(users, trader.channel) as user, websockets.connect(venue.socket_url + "/rtds") as rtds:
        await rtds.send('{"action":"subscribe","subscriptions":[{"topic":"activity","type":"trades"}]}')
        await rtds.send("PING")
        first = await patiently(rtds.recv())
        bought = await trader.place(token, BUY, 10 * SHARE, 99 * CENT)
        (trade,) = await trader.settled(bought["orderID"])
        payload = json.loads(await patiently(rtds.recv()))["payload"]
        await trader.cancel("/order", {"orderID": rested["orderID"]})
        frames = await user.until(lambda frame: frame.get("type") == "CANCELLATION")

    assert standing["status"] == "LIVE"
    # What is told first is of after the subscription.
    assert (first, payload["transactionHash"]) == ("", trade["transaction_hash"])
    assert user.first == []
    told = {one["id"] if one["event_type"] == "order" else one["taker_order_id"] for one in frames}
    assert told == {bought["orderID"], rested["orderID"]}
