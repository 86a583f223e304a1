"""The rest of the CLOB's REST surface: what a trader may read and set beside his orders."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from polymarket.models.clob.order_response import (
    AcceptedOrder,
    RawOrderResponse,
    RejectedOrder,
    normalize_order_response,
)

from services.common.polymarket.auth import Credentials, l2_headers
from tests import recordings
from tests.patience import PATIENT_S
from tests.venue_chain import BUY, SELL
from tests.venue_trader import CENT, SHARE, Trader, login_headers
from tests.venue_views import book, lines, market

pytestmark = pytest.mark.xdist_group("venue rest")


async def test_at_most_a_thousand_orders_are_cancelled_at_once(trader):
    ids = ["0x" + "12" * 32] * 1_001
    answer = await trader.send("DELETE", "/orders", json.dumps(ids).encode())

    assert (answer.status_code, answer.json()["error"]) == (400, "Too many orders in payload, max allowed: 1000")
    assert (await trader.send("DELETE", "/orders", json.dumps(ids[1:]).encode())).status_code == 200


async def test_a_key_is_created_once_and_derived_ever_after_until_it_is_deleted(web, trader):
    again = await web.post("/clob/auth/api-key", headers=login_headers(trader.account))
    derived = await web.get("/clob/auth/derive-api-key", headers=login_headers(trader.account))
    deleted = await trader.send("DELETE", "/auth/api-key")
    after = await trader.send("GET", "/data/orders")
    gone = await web.get("/clob/auth/derive-api-key", headers=login_headers(trader.account))
    anew = await web.post("/clob/auth/api-key", headers=login_headers(trader.account))

    assert (again.status_code, again.json()["error"]) == (400, "Could not create api key")
    assert derived.json()["apiKey"] == anew.json()["apiKey"] == trader.credentials.key
    assert (deleted.status_code, deleted.json()) == (200, "OK")
    assert (after.status_code, after.json()["error"]) == (401, "Unauthorized/Invalid api key")
    assert (gone.status_code, gone.json()["error"]) == (400, "Could not derive api key!")


async def test_a_read_only_key_reads_and_does_nothing_else(web, trader):
    token = (await market(web))["tokens"][0]
    resting = (await trader.place(token, BUY, 10 * SHARE, CENT, "GTC"))["orderID"]
    key = (await trader.send("POST", "/auth/readonly-api-key")).json()["apiKey"]
    named = {"POLY_READONLY_API_KEY": key, "POLY_ADDRESS": trader.address}
    orders = await web.get("/clob/data/orders", headers=named)
    stranger = await web.get("/clob/data/orders", headers=named | {"POLY_ADDRESS": "0x" + "77" * 20})
    order = trader.order(token, BUY, 10 * SHARE, CENT, "GTC")
    refused = [
        await web.request("DELETE", "/clob/order", headers=named, json={"orderID": resting}),
        await web.request("DELETE", "/clob/cancel-all", headers=named),
        await web.request("POST", "/clob/order", headers=named, content=order),
        await web.request("POST", "/clob/auth/readonly-api-key", headers=named),
        await web.request("GET", "/clob/balance-allowance/update", headers=named),
    ]

    assert [one["id"] for one in orders.json()["data"]] == [resting]
    assert stranger.status_code == 401
    assert {(answer.status_code, answer.json()["error"]) for answer in refused} == {
        (401, "Unauthorized/Invalid api key")
    }
    assert await trader.ask("/auth/readonly-api-keys") == [key]
    assert await trader.cancel("/auth/readonly-api-key", {"key": key}) == "OK"
    assert (await web.get("/clob/data/orders", headers=named)).status_code == 401
    assert (await trader.send("DELETE", "/auth/readonly-api-key", b'{"key":"1"}')).status_code == 404


async def test_a_builder_key_ends_itself_by_its_own_signature(web, trader):
    made = (await trader.send("POST", "/auth/builder-api-key")).json()
    (row,) = await trader.ask("/auth/builder-api-key")
    credentials = Credentials(made["key"], made["secret"], made["passphrase"])
    headers = l2_headers(credentials, trader.address, int(time.time()), "DELETE", "/auth/builder-api-key", b"")
    named = {name.replace("POLY_", "POLY_BUILDER_"): value for name, value in headers.items()}
    forged = await web.delete("/clob/auth/builder-api-key", headers=named | {"POLY_BUILDER_SIGNATURE": "1"})
    ended = [await web.delete("/clob/auth/builder-api-key", headers=named) for _ in range(2)]

    assert set(made) == {"key", "secret", "passphrase"}
    assert (set(row), row["key"]) == ({"key", "createdAt"}, made["key"])
    assert forged.status_code == 401
    assert [answer.status_code for answer in ended] == [200, 401]
    assert ended[0].json() == "OK"
    assert "revokedAt" in (await trader.ask("/auth/builder-api-key"))[0]


async def test_a_market_has_the_recorded_fields_and_once_resolved_its_winner_and_prices(web, trader):
    place = 4
    listed = await market(web, place)
    recorded = recordings.load("polymarket/pb_clob/clob_market_resolved.json")["response"]
    before = (await web.get(f"/clob/markets/{listed['condition_id']}")).json()
    await web.post("/admin/resolve", json={"market": place, "outcome": 1})
    after = (await web.get(f"/clob/markets/{listed['condition_id']}")).json()
    info = (await web.get(f"/clob/clob-markets/{listed['condition_id']}")).json()

    assert list(before) == list(after) == list(recorded)
    assert [type(one) for one in after["rewards"].values()] == [type(None), int, int]
    assert [one["winner"] for one in before["tokens"]] == [False, False]
    assert [(one["price"], one["winner"]) for one in after["tokens"]] == [(0, False), (1, True)]
    assert (after["enable_order_book"], after["closed"], after["accepting_orders"]) == (False, True, False)
    assert (before["enable_order_book"], before["closed"], before["accepting_orders"]) == (True, False, True)
    assert set(info) <= set(recordings.load("polymarket/pb_clob/clob_markets_info_example.json")["response"])


async def test_a_token_has_a_market_whose_primary_token_may_be_the_second(web):
    places, listed = set[int](), (await web.get("/admin/markets")).json()["markets"]
    for one in listed:
        found = [(await web.get(f"/clob/markets-by-token/{token}")).json() for token in one["tokens"]]
        primary, secondary = found[0]["primary_token_id"], found[0]["secondary_token_id"]
        assert found[0] == found[1]
        assert found[0]["condition_id"] == one["condition_id"]
        assert {primary, secondary} == set(one["tokens"])
        places.add(one["tokens"].index(primary))
    unknown = await web.get("/clob/markets-by-token/1")

    assert places == {0, 1}
    assert (unknown.status_code, unknown.json()) == (404, {"error": "market not found"})


async def test_books_come_in_another_order_than_they_were_asked_for(web):
    tokens = [token for one in (await web.get("/admin/markets")).json()["markets"][:3] for token in one["tokens"]]
    asked = [tokens, tokens[::-1]]
    told = [(await web.post("/clob/books", json=[{"token_id": token} for token in one])).json() for one in asked]
    first, second = [[book["asset_id"] for book in one] for one in told]

    assert first == second
    assert sorted(first) == sorted(tokens)
    assert first not in asked


async def test_a_market_tells_of_its_delay_its_game_and_its_lost_book(web):
    listed = await market(web, 5)
    condition = {"condition_id": listed["condition_id"]}
    await web.post("/admin/market", json=condition | {"delay_ms": 3_000, "game_in_ms": 3_600_000})
    info = (await web.get(f"/clob/clob-markets/{listed['condition_id']}")).json()
    row = (await web.get(f"/clob/markets/{listed['condition_id']}")).json()
    await web.post("/admin/market", json=condition | {"delay_ms": 0, "uma": "proposed"})
    proposed = (await web.get(f"/clob/markets/{listed['condition_id']}")).json()
    book = await web.get("/clob/book", params={"token_id": listed["tokens"][0]})
    books = await web.post("/clob/books", json=[{"token_id": listed["tokens"][0]}])
    await web.post("/admin/market", json=condition | {"uma": ""})

    assert (info["itode"], info["sd"], info["gst"]) == (True, 3, row["game_start_time"])
    assert (row["seconds_delay"], row["enable_order_book"]) == (3, True)
    assert (proposed["enable_order_book"], proposed["closed"]) == (False, False)
    assert (book.status_code, books.json()) == (404, [])


async def test_an_order_that_has_ended_is_answered_as_told(web, trader):
    token = (await market(web))["tokens"][0]
    order = (await trader.place(token, BUY, 10 * SHARE, CENT, "GTC"))["orderID"]
    await trader.cancel("/order", {"orderID": order})

    async def found(ended: str, order_hash: str = order) -> tuple[int, Any]:
        assert (await web.post("/admin/clob", json={"ended": ended})).status_code == 200
        answer = await trader.send("GET", f"/data/order/{order_hash}")
        return answer.status_code, answer.json()

    status, written = await found("object")
    assert (status, written["status"]) == (200, "CANCELED")
    assert await found("object", "0x" + "ef" * 32) == (404, {"error": "Order not found"})
    assert await found("not_found") == (404, {"error": "Order not found"})
    assert await found("empty") == (200, {})
    assert await found("null") == (200, None)


async def test_what_is_open_about_the_real_venue_is_a_switch(web, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    lags = {"matched_lag_ms": 60_000, "trades_lag_ms": 60_000}
    switches = {"statuses": "prefixed", "amounts": "micros"}
    assert (await web.post("/admin/clob", json=switches)).json() | switches == (await web.get("/admin/clob")).json()
    try:
        resting = (await trader.place(token, BUY, 10 * SHARE, asks[0][0] - CENT, "GTC"))["orderID"]
        seller = await Trader.join(web)
        await seller.settled(
            (await seller.place(token, BUY, 20 * SHARE, asks[0][0]))["orderID"], "TRADE_STATUS_CONFIRMED"
        )
        await web.post("/admin/clob", json=lags)
        sold = await seller.place(token, SELL, 5 * SHARE, asks[0][0] - CENT)
        lagging, unseen = await trader.ask(f"/data/order/{resting}"), await trader.trades(resting)
        await web.post("/admin/clob", json=dict.fromkeys(lags, 0))
        true, seen = await trader.ask(f"/data/order/{resting}"), await trader.trades(resting)
    finally:
        back = {"statuses": "plain", "amounts": "decimal", **dict.fromkeys(lags, 0)}
        await web.post("/admin/clob", json=back)

    assert (sold["makingAmount"], sold["status"]) == ("5000000", "matched")
    assert (lagging["status"], lagging["size_matched"], true["size_matched"]) == ("ORDER_STATUS_LIVE", "0", "5")
    assert (unseen, [one["id"] for one in seen]) == ([], sold["tradeIDs"])
    assert (await web.post("/admin/clob", json={"statuses": "loud"})).status_code == 400


async def test_a_refused_leg_of_a_batch_has_every_field_of_a_taken_one(web, trader):
    token = (await market(web))["tokens"][0]
    bodies = [trader.order(token, BUY, 10 * SHARE, price, "GTC") for price in (CENT, 5_000)]
    taken, refused = (await trader.post(b"[" + b",".join(bodies) + b"]", "/orders")).json()

    read = [normalize_order_response(RawOrderResponse.model_validate(leg)) for leg in (taken, refused)]

    assert set(taken) == set(refused)
    assert [type(one) for one in read] == [AcceptedOrder, RejectedOrder]
    assert (refused["success"], refused["orderID"], refused["makingAmount"], refused["takingAmount"]) == (
        True,
        "",
        "",
        "",
    )
    assert refused["errorMsg"].endswith("breaks minimum tick size rule: 0.01")


async def test_orders_of_a_key_whose_heart_has_stopped_are_cancelled_and_nobody_elses(web, trader):
    token = (await market(web))["tokens"][0]
    other = await Trader.join(web)
    mine = (await trader.place(token, BUY, 10 * SHARE, CENT, "GTC"))["orderID"]
    theirs = (await other.place(token, BUY, 10 * SHARE, CENT, "GTC"))["orderID"]

    async def beat(last: Any) -> httpx.Response:
        return await trader.send("POST", "/v1/heartbeats", json.dumps({"heartbeat_id": last}).encode())

    first = (await beat("")).json()["heartbeat_id"]
    wrong = await beat("")
    second = (await beat(first)).json()["heartbeat_id"]
    await web.post("/admin/clock", json={"off_ms": 16_000})
    try:
        async with asyncio.timeout(PATIENT_S):
            while True:
                await asyncio.sleep(0.1)
                if await trader.ask(f"/data/order/{mine}") is None:
                    break
    finally:
        await web.post("/admin/clock", json={"off_ms": 0})

    assert wrong.json() == {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": first}
    assert (await other.ask(f"/data/order/{theirs}"))["status"] == "LIVE"
    assert (await beat(second)).json() == {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": ""}
    assert (await lines(web, "heartbeats_stopped"))[-1]["cancelled"] == 1


async def test_an_owner_is_notified_of_fills_and_cancels_until_he_drops_them(web, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    filled = (await trader.place(token, BUY, 10 * SHARE, asks[0][0]))["orderID"]
    (trade,) = await trader.settled(filled, "CONFIRMED")
    resting = (await trader.place(token, BUY, 10 * SHARE, CENT, "GTC"))["orderID"]
    await trader.cancel("/order", {"orderID": resting})
    told = await trader.ask("/notifications", signature_type="0")
    await trader.send("DELETE", "/notifications", params={"ids": str(told[0]["id"])})

    assert [(one["type"], one["payload"]["order_id"]) for one in told] == [(2, filled), (1, resting)]
    assert told[0]["payload"]["transaction_hash"] == trade["transaction_hash"]
    assert await trader.ask("/notifications", signature_type="0") == told[1:]
    assert await trader.ask("/notifications", signature_type="1") == []
    assert (await trader.send("GET", "/notifications", params={"signature_type": "9"})).status_code == 400
    assert (await trader.send("DELETE", "/notifications")).status_code == 400


async def test_prices_of_the_past_are_those_of_the_venues_own_trades(web, trader):
    token, other = (await market(web, 3))["tokens"]
    asked = {"interval": "1h", "fidelity": "1"}
    fresh = (await web.get("/clob/prices-history", params={"market": token, **asked})).json()["history"]
    _, asks = await book(web, token)
    await trader.place(token, BUY, 10 * SHARE, asks[0][0])
    after = (await web.get("/clob/prices-history", params={"market": token, **asked})).json()["history"]
    mirrored = (await web.get("/clob/prices-history", params={"market": other, **asked})).json()["history"]
    gone = {"startTs": str(int(time.time()) - 7_200), "endTs": str(int(time.time()) - 3_600)}
    past = (await web.get("/clob/prices-history", params={"market": token, **gone})).json()["history"]
    nobodys = (await web.get("/clob/prices-history", params={"market": "1", **asked})).json()

    assert len(after) >= len(fresh) >= 1
    assert after[-1]["p"] == asks[0][0] / 1_000_000
    assert [round(one["p"] + mirror["p"], 6) for one, mirror in zip(after, mirrored, strict=True)] == [1] * len(after)
    assert len(past) == 1
    assert abs(past[0]["t"] - time.time()) < 5
    assert nobodys == {"history": []}


async def test_a_list_of_last_trades_leaves_out_what_was_never_traded(web, trader):
    token, never = (await market(web, 1))["tokens"][0], (await market(web, 5))["tokens"][0]
    _, asks = await book(web, token)
    await trader.place(token, BUY, 10 * SHARE, asks[0][0])
    told = (await web.post("/clob/last-trades-prices", json=[{"token_id": token}, {"token_id": never}])).json()
    sold = (await web.post("/clob/prices", json=[{"token_id": token}])).json()

    assert [one["token_id"] for one in told] == [token]
    assert list(sold[token]) == ["SELL"]
    assert (await web.post("/clob/prices", json=[{"token_id": token, "side": "HOLD"}])).status_code == 400


async def test_an_order_near_the_middle_of_a_rewarded_market_scores(web, trader):
    token = (await market(web, 1))["tokens"][0]
    bids, _ = await book(web, token)
    near = (await trader.place(token, BUY, 60 * SHARE, bids[0][0], "GTC"))["orderID"]
    small = (await trader.place(token, BUY, 10 * SHARE, bids[0][0], "GTC"))["orderID"]
    far = (await trader.place(token, BUY, 60 * SHARE, CENT, "GTC"))["orderID"]
    scores = (await trader.send("POST", "/orders-scoring", json.dumps([near, small, far]).encode())).json()

    assert scores == {near: True, small: False, far: False}
    assert await trader.ask("/order-scoring", order_id=near) == {"scoring": True}
    stranger = await Trader.join(web)
    assert await stranger.ask("/order-scoring", order_id=near) == {"scoring": False}
