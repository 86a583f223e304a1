"""The rest of the CLOB's REST surface: what it answers to nonsense, and what a trader may read and set beside his orders."""

import base64
import json
import time

import pytest

from services.common.polymarket.auth import Credentials, l2_headers
from tests.venue_chain import BUY
from tests.venue_trader import CENT, SHARE, login_headers
from tests.venue_views import market

pytestmark = pytest.mark.xdist_group("venue rest")

SQUARED = "\u00b2"
ENDLESS = "9" * 5_000


async def test_a_signature_that_is_no_ascii_proves_nothing(web, trader):
    good = (await trader.send("GET", "/data/orders")).request.headers
    for name, value in (("POLY_SIGNATURE", "é"), ("POLY_TIMESTAMP", SQUARED), ("POLY_TIMESTAMP", ENDLESS)):
        headers = [(key, text.encode()) for key, text in good.items() if key.startswith("poly") and key != name.lower()]
        answer = await web.get("/clob/data/orders", headers=[*headers, (name, value.encode("latin-1"))])
        assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorized/Invalid api key")


@pytest.mark.parametrize("number", [SQUARED, ENDLESS, "-1", "1e3", str(2**256)])
@pytest.mark.parametrize("name", ["POLY_NONCE", "POLY_TIMESTAMP"])
async def test_a_login_with_a_number_that_is_none_is_refused(web, trader, name, number):
    headers = {**login_headers(trader.account), name: number.encode("latin-1")}
    answer = await web.post("/clob/auth/api-key", headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (401, "Invalid L1 Request headers")


@pytest.mark.parametrize("number", [SQUARED, ENDLESS])
async def test_no_number_of_a_query_is_more_than_a_number(web, trader, number):
    after = await trader.send("GET", "/data/trades", params={"after": number})
    book = await web.get("/clob/book", params={"token_id": number})
    journal = await web.get("/admin/journal", params={"after": number})
    rows = [
        await web.get(path, params={"user": trader.address, "limit": number})
        for path in ("/data/v2/activity", "/data/activity")
    ]

    assert (after.status_code, after.json()["error"]) == (400, "invalid after")
    assert (book.status_code, book.json()["error"]) == (400, "Invalid token id")
    assert journal.status_code == 400
    assert [answer.status_code for answer in rows] == [400, 400]


@pytest.mark.parametrize(("amount", "status"), [("1e999999", 200), ("Infinity", 200), ("NaN", 400), ("ten", 400)])
async def test_an_amount_beyond_every_amount_filters_everything(web, trader, amount, status):
    answer = await web.get("/data/v2/trades", params={"user": trader.address, "filter_amount": amount})

    assert answer.status_code == status
    assert not answer.json().get("data")


@pytest.mark.parametrize("signature", ["é", 7, None])
async def test_a_cursor_with_another_signature_is_refused(web, trader, signature):
    cursor = {"data": {"type": "activity", "params": {"sq": "1"}}, "sig": signature}
    written = base64.urlsafe_b64encode(json.dumps(cursor, ensure_ascii=False).encode()).decode()
    answer = await web.get("/data/v2/activity", params={"user": trader.address, "cursor": written})
    gamma = await web.get("/gamma/markets/keyset", params={"after_cursor": written})

    assert (answer.status_code, gamma.status_code) == (400, 422)


@pytest.mark.parametrize("field", ["makerAmount", "takerAmount", "tokenId", "timestamp", "expiration"])
async def test_an_order_with_an_endless_number_is_refused(web, trader, field):
    token = (await market(web))["tokens"][0]

    refused = await trader.refusal(token, BUY, 10 * SHARE, 50 * CENT, "GTC", **{field: ENDLESS})

    assert refused == (400, "Invalid order payload")


async def test_what_is_unknown_is_told_in_json_too(web):
    for method, path, status in (("GET", "/nowhere", 404), ("PUT", "/order", 405), ("DELETE", "/book", 405)):
        answer = await web.request(method, "/clob" + path)
        assert (answer.status_code, list(answer.json())) == (status, ["error"])


async def test_a_body_that_is_no_json_is_named_by_what_it_should_have_been(web, trader):
    for method, path, text in (
        ("POST", "/order", "Invalid order payload"),
        ("DELETE", "/order", "Invalid payload"),
        ("DELETE", "/orders", "Invalid payload"),
    ):
        answer = await trader.send(method, path, b"{")
        assert (answer.status_code, answer.json()["error"]) == (400, text)
    assert (await web.post("/clob/books", content=b"{")).json() == {"error": "Invalid payload"}


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
