"""Every text by which the real CLOB refuses (venue.md 3.6), each with its status: brought about by whoever makes the mistake, or,
where no mistake of his brings it about, answered as told."""

import json
import time
from typing import Any

import pytest

from tests.venue_chain import BUY, SELL
from tests.venue_trader import CENT, SHARE, Trader, id_of, login_headers
from tests.venue_views import FINE, book, market

pytestmark = pytest.mark.xdist_group("venue strings")

TEN = 10 * SHARE
UNKNOWN = "0x" + "12" * 32


async def answered(trader: Trader, body: bytes) -> tuple[int, Any]:
    answer = await trader.post(body)
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize(
    ("place", "order", "changes", "text"),
    [
        (0, (BUY, TEN, 50 * CENT, "IOC"), {}, "Invalid order payload"),
        (0, (BUY, TEN, 50 * CENT, "GTC"), {"owner": "me"}, "the order owner has to be the owner of the API KEY"),
        (
            0,
            (BUY, TEN, 50 * CENT, "GTC"),
            {"signer": "0x" + "77" * 20},
            "the order signer address has to be the address of the API KEY",
        ),
        (0, (BUY, TEN, 99 * CENT, "GTC"), {"postOnly": True}, "invalid post-only order: order crosses book"),
        (
            0,
            (BUY, TEN, 505_000, "GTC"),
            {},
            "order {id} is invalid. Price (0.505) breaks minimum tick size rule: 0.01",
        ),
        (0, (BUY, 4 * SHARE, 50 * CENT, "GTC"), {}, "order {id} is invalid. Size (4) lower than the minimum: 5"),
        (
            0,
            (SELL, TEN, 50 * CENT, "GTC"),
            {},
            "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 10000000",
        ),
        (0, (BUY, TEN, 50 * CENT, "GTD"), {"expiration": "1"}, "invalid expiration"),
        (
            0,
            (BUY, 60_000 * SHARE, CENT, "FOK"),
            {},
            "order couldn't be fully filled. FOK orders are fully filled or killed.",
        ),
        (
            0,
            (BUY, 100 * SHARE, CENT, "FAK"),
            {},
            "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        ),
        (
            0,
            (BUY, 9_900_000, 10 * CENT, "FAK"),
            {},
            "invalid amount for a marketable BUY order ($0.99), min size: $1",
        ),
        (
            0,
            (BUY, 7_010_000, 50 * CENT, "FAK"),
            {},
            "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4 decimals",
        ),
        (
            FINE,
            (BUY, 7_010_000, 50 * CENT, "FAK"),
            {},
            "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 5 decimals",
        ),
        (0, (BUY, 0, 50 * CENT, "GTC"), {}, "invalid amounts, maker and taker amount must be higher than 0"),
    ],
)
async def test_an_order_hears_what_is_wrong_with_it(web, trader, place, order, changes, text):
    token = (await market(web, place))["tokens"][0]
    body = trader.order(token, *order, **changes)

    assert await answered(trader, body) == (400, text.replace("{id}", id_of(body)))


async def test_an_order_that_was_sent_before_is_duplicated(web, trader):
    body = trader.order((await market(web))["tokens"][0], BUY, TEN, CENT, "GTC")
    await trader.post(body)

    assert await answered(trader, body) == (400, f"order {id_of(body)} is invalid. Duplicated.")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (200, "order_version_mismatch"),
        (400, "'{address}' address banned"),
        (400, "'{address}' address in closed only mode"),
        (400, "order {id} crosses the book"),
        (400, "not enough balance / allowance"),
        (400, "invalid nonce"),
        (400, "order canceled in the CTF exchange contract"),
        (400, "order match delayed due to market conditions"),
        (400, "Size 0.123456789012345678901234567 has 27 decimal places. Maximum lot size is 2"),
        (401, "Invalid api key"),
        (401, "Invalid API key"),
        (403, "Trading restricted in your region, please refer to available regions"),
        (425, "the matching engine is restarting"),
        (500, "could not insert order"),
        (500, "order timed out"),
        (500, "there are no matching orders"),
        (500, "FOK orders are filled or killed"),
        (500, "the trade contains rounding issues"),
        (500, "the price of the taker's order has a discrepancy"),
        (503, "Trading is currently disabled. Check polymarket.com for updates"),
        (503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."),
    ],
)
async def test_a_text_is_answered_as_told_and_the_order_was_never_there(web, trader, status, text):
    told = {"text": text, "status": status, "wallet": trader.address}
    await web.post("/admin/refusals", json=told)
    body = trader.order((await market(web))["tokens"][0], BUY, TEN, CENT, "GTC")
    expected = text.replace("{id}", id_of(body)).replace("{address}", trader.address)

    assert await answered(trader, body) == (status, expected)
    assert (await trader.post(body)).json()["status"] == "live"


async def test_a_refusal_may_be_told_although_the_order_rests(web, trader):
    told = {"text": "could not insert order", "status": 500, "wallet": trader.address, "after": True}
    await web.post("/admin/refusals", json=told)
    body = trader.order((await market(web))["tokens"][0], BUY, TEN, CENT, "GTC")

    assert await answered(trader, body) == (500, "could not insert order")
    assert (await trader.ask(f"/data/order/{id_of(body)}"))["status"] == "LIVE"
    assert await answered(trader, body) == (400, f"order {id_of(body)} is invalid. Duplicated.")


@pytest.mark.parametrize(
    "told",
    [{}, {"text": ""}, {"text": "no", "status": 99}, {"text": "no", "times": 0}, {"text": "no", "wallet": "me"}],
)
async def test_a_refusal_that_makes_no_sense_is_not_kept(web, told):
    assert (await web.post("/admin/refusals", json=told)).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("POST", "/order", b"{", 400, "Invalid order payload"),
        (
            "POST",
            "/orders",
            b"[" + b",".join([b"{}"] * 16) + b"]",
            400,
            "Too many orders in payload: 16, max allowed: 15",
        ),
        ("DELETE", "/order", b'{"orderID":"12"}', 400, "Invalid orderID"),
        ("DELETE", "/orders", b"[1]", 400, "Invalid orderID"),
        (
            "DELETE",
            "/orders",
            json.dumps([UNKNOWN] * 1_001).encode(),
            400,
            "Too many orders in payload, max allowed: 1000",
        ),
        ("DELETE", "/cancel-market-orders", b'{"market":"","asset_id":""}', 400, "Invalid payload"),
        ("POST", "/orders-scoring", b'["x"]', 400, "Invalid orderID"),
        ("GET", "/data/order/12", b"", 400, "Invalid orderID"),
        ("GET", "/nowhere", b"", 404, "Not Found"),
    ],
)
async def test_a_request_hears_what_is_wrong_with_it(trader, method, path, body, status, text):
    answer = await trader.send(method, path, body)

    assert (answer.status_code, answer.json()) == (status, {"error": text})


@pytest.mark.parametrize(
    ("method", "path", "params", "status", "text"),
    [
        ("GET", "/book", {"token_id": "1"}, 404, "No orderbook exists for the requested token id"),
        ("GET", "/book", {"token_id": "x"}, 400, "Invalid token id"),
        ("GET", "/price", {"token_id": "{token}"}, 400, "Invalid side"),
        ("GET", "/books", {"token_ids": "{token}"}, 400, "Invalid payload"),
        ("GET", "/midpoints", {"token_ids": "{token}"}, 400, "Invalid payload"),
        ("GET", "/markets/" + UNKNOWN, {}, 404, "market not found"),
        ("GET", "/markets", {"next_cursor": "LTE="}, 400, "next item should be greater than or equal to 0"),
        ("GET", "/markets", {"next_cursor": "!"}, 400, "invalid next_cursor"),
        (
            "GET",
            "/prices-history",
            {"market": "{token}", "interval": "1m"},
            400,
            "invalid filters: minimum 'fidelity' for '1m' range is 10",
        ),
        ("GET", "/rebates/current", {"date": "yesterday"}, 400, "Invalid date"),
        ("GET", "/builder/trades", {}, 400, "Invalid builder code"),
        ("GET", "/fees/builder-fees/" + UNKNOWN, {}, 404, "builder fee rates not found"),
    ],
)
async def test_a_question_that_anyone_may_ask_is_refused_in_its_own_words(web, method, path, params, status, text):
    token = (await market(web))["tokens"][0]
    asked = {name: value.replace("{token}", token) for name, value in params.items()}
    answer = await web.request(method, "/clob" + path, params=asked)

    assert (answer.status_code, answer.json()) == (status, {"error": text})


async def test_too_many_books_at_once_are_more_than_the_payload_may_hold(web):
    answer = await web.post("/clob/books", json=[{"token_id": "1"}] * 501)

    assert (answer.status_code, answer.json()) == (400, {"error": "Payload exceeds the limit"})


async def test_keys_are_refused_in_the_words_of_their_headers(web, trader):
    stale = login_headers(trader.account, at=int(time.time()) - 3_600)
    calls = [
        (401, "Unauthorized/Invalid api key", await web.get("/clob/data/orders")),
        (401, "Invalid L1 Request headers", await web.post("/clob/auth/api-key", headers=stale)),
        (
            400,
            "Could not create api key",
            await web.post("/clob/auth/api-key", headers=login_headers(trader.account)),
        ),
        (
            400,
            "Could not derive api key!",
            await web.get("/clob/auth/derive-api-key", headers=login_headers(trader.account, nonce=9)),
        ),
    ]

    for status, text, answer in calls:
        assert (answer.status_code, answer.json()) == (status, {"error": text})


async def test_a_cancel_says_why_it_did_nothing(web, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    filled = (await trader.place(token, BUY, TEN, asks[0][0]))["orderID"]
    cancelled = (await trader.place(token, BUY, TEN, CENT, "GTC"))["orderID"]
    await trader.cancel("/order", {"orderID": cancelled})
    joint = (await trader.cancel("/orders", [filled, cancelled, UNKNOWN]))["not_canceled"]
    await web.post("/admin/clob", json={"reasons": "precise"})
    precise = (await trader.cancel("/orders", [filled, cancelled]))["not_canceled"]
    await web.post("/admin/clob", json={"reasons": "joint"})

    assert joint == {
        filled: "already canceled or matched",
        cancelled: "already canceled or matched",
        UNKNOWN: "Order not found",
    }
    assert precise == {filled: "Order already matched", cancelled: "Order already canceled"}


async def test_too_many_requests_are_refused_by_address_and_by_signer(web, trader):
    token = (await market(web))["tokens"][0]
    await web.post("/admin/limits", json={"mode": "on"})
    try:
        asked = [await web.get("/clob/ok") for _ in range(101)]
        bodies = [b"[" + b",".join([trader.order(token, BUY, TEN, CENT, "GTC")] * 15) + b"]" for _ in range(8)]
        batches = [await trader.post(body, "/orders") for body in bodies]
        tier = await trader.ask("/v1/user/rate-limit-tier")
    finally:
        await web.post("/admin/limits", json={"mode": "off"})
    refused = next(one for one in batches if one.status_code != 200)

    assert [one.status_code for one in asked] == [200] * 100 + [429]
    assert asked[-1].json() == refused.json() == {"error": "Too Many Requests"}
    assert 0 < int(asked[-1].headers["Retry-After"]) <= 10
    assert batches[0].headers["Poly-RateLimit-Remaining"] == "45"
    assert batches[0].headers["Poly-RateLimit-Tier"] == tier["tier"] == "Standard"
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) == 1
    assert abs(int(refused.headers["Poly-RateLimit-Reset"]) - time.time()) < 10
    assert (await web.get("/clob/ok")).status_code == 200


@pytest.mark.parametrize(
    ("mode", "status", "body"),
    [
        ("restarting", 425, {"error": "the matching engine is restarting"}),
        (
            "post_only",
            503,
            {
                "error": "post-only mode: only post-only orders and cancels are allowed",
                "code": "post_only_mode",
                "retry_after_seconds": 120,
            },
        ),
        (
            "cancel_only",
            503,
            {"error": "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."},
        ),
        ("disabled", 503, {"error": "Trading is currently disabled. Check polymarket.com for updates"}),
    ],
)
async def test_an_engine_in_another_mode_says_so(web, trader, mode, status, body):
    order = trader.order((await market(web))["tokens"][0], BUY, TEN, CENT, "GTC")
    await web.post("/admin/mode", json={"mode": mode})
    try:
        answer = await trader.post(order)
    finally:
        await web.post("/admin/mode", json={"mode": "normal"})

    assert (answer.status_code, answer.json()) == (status, body)
    assert answer.headers.get("Retry-After") == ("120" if "code" in body else None)
    assert (await trader.post(order)).status_code == 200


@pytest.mark.parametrize(
    ("standing", "text"), [("banned", "address banned"), ("closed_only", "address in closed only mode")]
)
async def test_an_account_that_may_not_trade_is_told_by_its_address(web, trader, standing, text):
    await web.post("/admin/restrict", json={"address": trader.address, "standing": standing})
    body = trader.order((await market(web))["tokens"][0], BUY, TEN, CENT, "GTC")

    assert await answered(trader, body) == (400, f"'{trader.address}' {text}")
    assert await trader.ask("/auth/ban-status/closed-only") == {"closed_only": True}


async def test_a_market_that_takes_no_orders_and_a_size_of_too_many_decimals_are_refused(web, trader):
    listed = await market(web, 5)
    closed = {"condition_id": listed["condition_id"], "accepting_orders": False}
    await web.post("/admin/market", json=closed)
    try:
        early = await trader.refusal(listed["tokens"][0], BUY, TEN, 50 * CENT, "GTC")
    finally:
        await web.post("/admin/market", json=closed | {"accepting_orders": True})
    token = (await market(web))["tokens"][0]
    fine = await trader.refusal(token, BUY, 10_123_000, 50 * CENT, "GTC")

    assert early == (400, "the market is not yet ready to process new orders")
    assert fine == (400, "Size 10.123 has 3 decimal places. Maximum lot size is 2")
