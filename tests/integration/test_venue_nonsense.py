"""What the venue's REST surface answers to nonsense: numbers that are none, bodies without an end, names that nobody knows."""

import base64
import json
from collections.abc import AsyncIterator

import pytest

from tests.venue_chain import BUY
from tests.venue_process import Venue
from tests.venue_trader import CENT, SHARE, login_headers
from tests.venue_views import market

pytestmark = pytest.mark.xdist_group("watched venue")

SQUARED = "\u00b2"
ENDLESS = "9" * 5_000


@pytest.fixture(scope="module")
def venue(watched_venue: Venue):
    return watched_venue


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


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65_536):
        yield b" " * 65_536
    yield b"[]"


@pytest.mark.parametrize("path", ["/clob/order", "/clob/books", "/admin/data", "/relayer/submit"])
async def test_a_body_beyond_four_mib_is_refused_whoever_sends_it_and_however(web, path):
    told = await web.post(path, content=b" " * (4 * 1024 * 1024 + 1))
    streamed = await web.post(path, content=pieces(6 * 1024 * 1024))

    for answer in (told, streamed):
        assert (answer.status_code, answer.json()) == (413, {"error": "request entity too large"})


async def test_a_body_that_comes_in_pieces_is_read_like_another(web):
    almost = await web.post("/clob/books", content=pieces(4 * 1024 * 1024 - 65_536))

    assert (almost.status_code, almost.json()) == (200, [])


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
