"""The venue's CLOB: keys, orders, refusals, cancels, as a trader sends and hears them."""

import time
from dataclasses import replace

import httpx
import pytest
from polymarket import SecureClient

from services.common.polymarket.auth import l2_headers
from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.sdk import sdk_environment
from tests.patience import PATIENT_S
from tests.venue_chain import BUY, SELL, an_order, resigned
from tests.venue_trader import CENT, SHARE, USDC, Trader, a_wallet, id_of, login_headers
from tests.venue_views import FINE, book, lines, market


async def test_a_key_is_given_to_whoever_signs_for_the_wallet_and_always_the_same(web, trader):
    again = await web.get("/clob/auth/derive-api-key", headers=login_headers(trader.account))
    other = await web.post("/clob/auth/api-key", headers=login_headers(trader.account, nonce=1))
    never = await web.get("/clob/auth/derive-api-key", headers=login_headers(trader.account, nonce=2))
    stale = await web.post("/clob/auth/api-key", headers=login_headers(trader.account, at=int(time.time()) - 3_600))
    forged = login_headers(trader.account) | {"POLY_ADDRESS": "0x" + "77" * 20}

    assert again.json()["apiKey"] == trader.credentials.key
    assert other.json()["apiKey"] != trader.credentials.key
    assert set((await trader.ask("/auth/api-keys"))["apiKeys"]) == {trader.credentials.key, other.json()["apiKey"]}
    assert never.status_code == 400
    assert (stale.status_code, stale.json()["error"]) == (401, "Invalid L1 Request headers")
    assert (await web.post("/clob/auth/api-key", headers=forged)).status_code == 401


@pytest.mark.parametrize(
    "header", ["POLY_SIGNATURE", "POLY_PASSPHRASE", "POLY_API_KEY", "POLY_TIMESTAMP", "POLY_ADDRESS"]
)
async def test_every_header_of_a_request_counts(web, trader, header):
    body = trader.order((await market(web))["tokens"][0], BUY, 10 * SHARE, CENT, "GTC")
    good = l2_headers(trader.credentials, trader.address, int(time.time()), "POST", "/order", body)
    other = str(int(good[header]) + 1) if header == "POLY_TIMESTAMP" else good[header][::-1]
    answer = await web.post("/clob/order", content=body, headers=good | {header: other})

    assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorized/Invalid api key")
    assert (await lines(web, "order_refused"))[-1]["error"] == "Unauthorized/Invalid api key"
    assert (await web.post("/clob/order", content=body, headers=good)).status_code == 200


async def test_a_signature_is_of_one_method_path_body_and_time(web, trader):
    body = trader.order((await market(web))["tokens"][0], BUY, 10 * SHARE, CENT, "GTC")
    signed = ("POST", "/order", body)
    others = [("DELETE", "/order", body), ("POST", "/orders", body), ("POST", "/order?", body), ("POST", "/order", b"")]
    answers = []
    for at, covered in [*((0, one) for one in others), (-3_600, signed), (0, signed)]:
        headers = l2_headers(trader.credentials, trader.address, int(time.time()) + at, *covered)
        answers.append((await web.post("/clob/order", params={"_": "1"}, content=body, headers=headers)).status_code)

    # The last one covers what was sent; the query is no part of it.
    assert answers == [401] * 5 + [200]


async def test_the_same_order_again_is_refused_and_fills_nothing(web, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    body = trader.order(token, BUY, 10 * SHARE, asks[0][0])
    first, again = await trader.post(body), await trader.post(body)
    await trader.settled(id_of(body))
    received = [line for line in await lines(web, "order_received") if line["hash"] == id_of(body)]

    assert first.json()["orderID"] == id_of(body)
    assert (again.status_code, again.json()["error"]) == (400, f"order {id_of(body)} is invalid. Duplicated.")
    assert [(line["attempt"], line["outcome"]) for line in received] == [(1, "accepted"), (2, "refused")]
    assert received[0]["raw"] == received[1]["raw"]
    assert await trader.shares_micros(token) == 10 * SHARE


async def test_a_killed_order_is_known_by_its_id_ever_after(web, trader):
    token = (await market(web))["tokens"][0]
    bids, asks = await book(web, token)
    far = bids[-1][0]
    none = trader.order(token, BUY, 100 * SHARE, far)
    whole = trader.order(token, BUY, sum(size for _, size in asks) + SHARE, asks[-1][0], "FOK")
    await web.post("/admin/fund", json={"address": trader.address, "usdc_micros": 1_000_000 * USDC})
    answers = [(await trader.post(body)).json()["error"] for body in (none, whole, none, whole)]

    assert answers[0].startswith("no orders found to match with FAK order.")
    assert answers[1] == "order couldn't be fully filled. FOK orders are fully filled or killed."
    assert all(answer.endswith("is invalid. Duplicated.") for answer in answers[2:])
    assert (await trader.ask("/data/trades"))["data"] == []


async def test_nobody_spends_what_he_lacks_or_has_promised(web, trader):
    token, other = (await market(web))["tokens"]
    bids, asks = await book(web, token)
    status, text = await trader.refusal(token, BUY, 5_000 * SHARE, asks[0][0])
    assert (status, text.split(" -> ")[0]) == (400, "not enough balance / allowance: the balance is not enough")
    assert (await trader.refusal(token, SELL, 10 * SHARE, bids[0][0]))[1].endswith("balance: 0, order amount: 10000000")

    resting = await trader.place(token, BUY, 90_000 * SHARE, 1 * CENT, "GTC")
    assert (
        (await trader.refusal(other, BUY, 11_000 * SHARE, 1 * CENT, "GTC"))[1].split(": ")[0].startswith("not enough")
    )
    await trader.cancel("/order", {"orderID": resting["orderID"]})
    assert (await trader.place(other, BUY, 11_000 * SHARE, 1 * CENT, "GTC"))["status"] == "live"


@pytest.mark.parametrize(
    ("order", "changes", "text"),
    [
        ((BUY, 10 * SHARE, 505_000, "GTC"), {}, "breaks minimum tick size rule: 0.01"),
        ((BUY, 4 * SHARE, 50 * CENT, "GTC"), {}, "Size (4) lower than the minimum: 5"),
        ((BUY, 10 * SHARE, 5 * CENT, "FAK"), {}, "invalid amount for a marketable BUY order ($0.5), min size: $1"),
        ((BUY, 7_010_000, 50 * CENT, "FAK"), {}, "supports a max accuracy of 2 decimals, taker amount a max of 4"),
        ((BUY, 10 * SHARE, 99 * CENT, "GTC"), {"postOnly": True}, "invalid post-only order: order crosses book"),
        ((BUY, 10 * SHARE, 50 * CENT, "FAK"), {"postOnly": True}, "Invalid order payload"),
        ((BUY, 10 * SHARE, 50 * CENT, "FOK"), {"postOnly": True}, "Invalid order payload"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTD"), {"expiration": "1"}, "invalid expiration"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"expiration": "1"}, "invalid expiration"),
        ((BUY, 10 * SHARE, 50 * CENT, "IOC"), {}, "Invalid order payload"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"makerAmount": "4999999"}, "invalid signature"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"signatureType": 1}, "invalid signature"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"signature": "0x" + "00" * 65}, "invalid signature"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"side": "HOLD"}, "Invalid order payload"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"owner": "me"}, "the order owner has to be the owner of the API KEY"),
        (
            (BUY, 10 * SHARE, 50 * CENT, "GTC"),
            {"signer": "0x" + "77" * 20},
            "the order signer address has to be the address of the API KEY",
        ),
    ],
)
async def test_what_is_wrong_with_an_order_is_said_in_the_venues_words(web, trader, order, changes, text):
    token = (await market(web))["tokens"][0]
    status, error = await trader.refusal(token, *order, **changes)

    assert status == 400
    assert text in error
    assert (await lines(web, "order_received", "order_refused"))[-1]["error"] == error


def taking(trader: Trader, token: str, shares: int) -> bytes:
    """The body of an order that takes shares for five dollars at once."""
    order = replace(an_order(trader.account, BUY, int(token), shares, 50 * CENT), maker_amount=5 * USDC)
    return trader.body(resigned(order, trader.account), "FAK")


@pytest.mark.parametrize(
    ("tick", "written", "good", "off", "decimals"),
    [
        (100_000, "0.1", 300_000, 350_000, 3),
        (10_000, "0.01", 370_000, 375_000, 4),
        (5_000, "0.005", 505_000, 503_000, 5),
        (2_500, "0.0025", 502_500, 503_000, 6),
        (1_000, "0.001", 503_000, 503_500, 5),
        (100, "0.0001", 500_300, 500_350, 6),
    ],
)
async def test_every_tick_has_its_grid_and_its_decimals(web, trader, tick, written, good, off, decimals):
    said = {"question": f"Is the tick {written}?", "tick_micros": tick}
    token = (await web.post("/admin/markets", json=said)).json()["tokens"][0]
    rested = [await trader.place(token, BUY, 10 * SHARE, one, "GTC") for one in (good, tick, USDC - tick)]
    bids, _ = await book(web, token)
    beyond = {one: trader.order(token, BUY, 10 * SHARE, one, "GTC") for one in (off, good + 1, USDC, USDC - tick // 2)}
    refused = {one: await trader.post(body) for one, body in beyond.items()}
    lot = await trader.refusal(token, BUY, 10_001_000, 50 * CENT, "GTC")
    fine = await trader.post(taking(trader, token, 10 * SHARE + 10 ** (6 - decimals)))
    finer = await trader.post(taking(trader, token, 10 * SHARE + 10 ** (5 - decimals))) if decimals < 6 else None

    assert [one["status"] for one in rested] == ["live"] * 3
    assert bids == [(one, 10 * SHARE) for one in (USDC - tick, good, tick)]
    for price, answer in refused.items():
        said = f"order {id_of(beyond[price])} is invalid. Price ({price / USDC:g}) breaks minimum tick size rule: {written}"
        assert (answer.status_code, answer.json()["error"]) == (400, said)
    assert lot == (400, "Size 10.001 has 3 decimal places. Maximum lot size is 2")
    # Nobody sells: what is well formed finds nothing.
    assert fine.json()["error"].startswith("no orders found to match with FAK order.")
    if finer is not None:
        assert finer.json()["error"].endswith(f"max accuracy of 2 decimals, taker amount a max of {decimals} decimals")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/order", b"{", 400),
        ("POST", "/order", b"[]", 400),
        ("POST", "/orders", b"{}", 400),
        ("POST", "/orders", b"[" + b",".join([b"{}"] * 16) + b"]", 400),
        ("DELETE", "/order", b'{"orderID":"12"}', 400),
        ("DELETE", "/order", b"[]", 400),
        ("DELETE", "/orders", b"[1]", 400),
        ("DELETE", "/cancel-market-orders", b"[]", 400),
    ],
)
async def test_a_body_of_another_shape_is_refused(trader, method, path, body, status):
    assert (await trader.send(method, path, body)).status_code == status


async def test_queries_of_another_shape_are_refused(web, trader):
    for path, params in (
        ("/data/trades", {"after": "noon"}),
        ("/data/trades", {"next_cursor": "!"}),
        ("/balance-allowance", {"asset_type": "CONDITIONAL", "token_id": "1"}),
        ("/balance-allowance", {"asset_type": "GOLD"}),
    ):
        assert (await trader.send("GET", path, params=params)).status_code == 400
    assert (await web.get("/clob/book", params={"token_id": "x"})).status_code == 400
    assert (await web.get("/clob/book", params={"token_id": "1"})).json() == {
        "error": "No orderbook exists for the requested token id"
    }
    assert (await web.post("/clob/books", json=[{"token_id": "1"}] * 501)).status_code == 400


async def test_a_resting_order_is_listed_matched_as_a_maker_and_gone(web, trader):
    token = (await market(web))["tokens"][0]
    bids, _ = await book(web, token)
    price = bids[0][0] + CENT
    resting = await trader.place(token, BUY, 20 * SHARE, price, "GTC")
    order = resting["orderID"]
    assert (resting["status"], resting["makingAmount"], resting["takingAmount"]) == ("live", "", "")
    assert (await book(web, token))[0][0] == (price, 20 * SHARE)
    assert [one["id"] for one in (await trader.ask("/data/orders"))["data"]] == [order]

    other = await Trader.join(web)
    await other.settled((await other.place(token, BUY, 30 * SHARE, price + 5 * CENT))["orderID"])
    sold = await other.place(token, SELL, 12 * SHARE, price)
    assert (await trader.ask(f"/data/order/{order}"))["size_matched"] == "12"
    assert await other.ask(f"/data/order/{order}") is None
    await other.place(token, SELL, 8 * SHARE, price)
    trades = await trader.settled(order)

    assert {trade["trader_side"] for trade in trades} == {"MAKER"}
    assert {trade["side"] for trade in trades} == {"SELL"}
    assert sorted(part["matched_amount"] for trade in trades for part in trade["maker_orders"]) == ["12", "8"]
    assert {trade["owner"] for trade in trades} == {trader.credentials.key}
    assert await trader.ask(f"/data/order/{order}") is None
    assert (await trader.ask("/data/orders"))["data"] == []
    assert await trader.shares_micros(token) == 20 * SHARE
    assert [one["trader_side"] for one in await other.trades(sold["orderID"])] == ["TAKER"]


async def test_cancelling_frees_what_rests_and_says_what_it_could_not(web, trader):
    token, other = (await market(web))["tokens"]
    orders = [(await trader.place(one, BUY, 10 * SHARE, 2 * CENT, "GTC"))["orderID"] for one in (token, other, token)]
    stranger = await Trader.join(web)
    unknown = "0x" + "12" * 32

    assert (await stranger.cancel("/order", {"orderID": orders[0]}))["not_canceled"] == {orders[0]: "Order not found"}
    done = await trader.cancel("/orders", [orders[0], unknown])
    assert done == {"canceled": [orders[0]], "not_canceled": {unknown: "Order not found"}}
    again = await trader.cancel("/order", {"orderID": orders[0]})
    assert again["not_canceled"] == {orders[0]: "already canceled or matched"}
    assert (await trader.cancel("/cancel-market-orders", {"asset_id": other}))["canceled"] == [orders[1]]
    assert (await trader.cancel("/cancel-all"))["canceled"] == [orders[2]]


async def test_orders_come_in_batches_and_each_leg_speaks_for_itself(web, trader):
    token = (await market(web))["tokens"][0]
    bodies = [trader.order(token, BUY, 10 * SHARE, price, "GTC") for price in (CENT, 5_000, 2 * CENT)]
    legs = (await trader.post(b"[" + b",".join(bodies) + b"]", "/orders")).json()

    # A leg that is refused is called a success all the same.
    assert [(leg["success"], leg["orderID"]) for leg in legs] == [
        (True, id_of(bodies[0])),
        (True, ""),
        (True, id_of(bodies[2])),
    ]
    assert "breaks minimum tick size rule" in legs[1]["errorMsg"]


def test_the_official_client_trades_and_waits_for_settlement(venue):
    account = a_wallet()
    with httpx.Client(base_url=venue.url, timeout=PATIENT_S) as web:
        web.post("/admin/fund", json={"address": account.address, "usdc_micros": 1_000 * USDC})
        token = web.get("/admin/markets").json()["markets"][FINE]["tokens"][0]
    endpoints = replace(
        PRODUCTION,
        clob_url=venue.url + "/clob",
        data_api_url=venue.url + "/data",
        gamma_url=venue.url + "/gamma",
        rpc_url=venue.node_url,
    )
    client = SecureClient.create(
        private_key=account.key.hex(), wallet=account.address, environment=sdk_environment(endpoints)
    )
    try:
        bought = client.place_market_order(token_id=token, side="BUY", amount="60")
        hashes = client.wait_for_order_fill_settlement(bought)
        (trade,) = client.list_account_trades(id=bought.trade_ids[0]).first_page().items
        held = client.get_balance_allowance(asset_type="CONDITIONAL", token_id=token)
        sold = client.place_market_order(token_id=token, side="SELL", shares="20", order_type="FOK")
        rested = client.place_limit_order(token_id=token, price="0.011", size="10", side="BUY")
        (listed,) = client.list_open_orders().first_page().items
        cancelled = client.cancel_order(order_id=rested.order_id)
        prices = client.get_midpoints(token_ids=[token]), client.get_spreads(token_ids=[token])
        last = client.get_last_trade_price(token_id=token)
    finally:
        client.close()

    assert (bought.status, sold.status, rested.status) == ("matched", "matched", "live")
    assert hashes == (trade.transaction_hash,)
    assert (trade.size, trade.status) == (bought.taking_amount, "CONFIRMED")
    assert held.balance == int(bought.taking_amount * SHARE)
    assert bought.making_amount <= 60
    assert sold.making_amount == 20
    assert cancelled.canceled == (listed.id,) == (rested.order_id,)
    assert all(token in one for one in prices)
    assert last.side == "SELL"
