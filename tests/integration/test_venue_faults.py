"""The venue's faults: an answer that comes late, wrong or never, and what is true all the same."""

import time
from typing import Any

import httpx
import pytest

from tests.venue_chain import BUY
from tests.venue_trader import CENT, SHARE, id_of
from tests.venue_views import book, lines, market

pytestmark = pytest.mark.xdist_group("venue faults")


@pytest.fixture(autouse=True)
async def no_faults_after(web):
    yield
    await web.delete("/admin/faults")


async def strike(web: httpx.AsyncClient, **fault: Any) -> None:
    answer = await web.post("/admin/faults", json={"endpoint": "clob.post_order"} | fault)
    assert answer.status_code == 200, answer.text


async def test_an_answer_dropped_after_its_effect_leaves_an_order_that_can_be_found(web, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    body = trader.order(token, BUY, 10 * SHARE, asks[0][0])
    await strike(web, kind="drop_after")
    with pytest.raises(httpx.TransportError):
        await trader.post(body)
    (trade,) = await trader.settled(id_of(body))
    again = await trader.post(body)
    told = (await web.get("/admin/orders", params={"hash": id_of(body)})).json()

    assert trade["taker_order_id"] == id_of(body)
    assert again.json()["error"].endswith("Duplicated.")
    assert (told["attempts"], told["order"]["matched_micros"]) == (2, 10 * SHARE)
    (fault,) = [one for one in await lines(web, "fault") if one["fault"] == "drop_after"]
    assert (fault["endpoint"], fault["path"]) == ("clob.post_order", "/clob/order")


async def test_a_request_dropped_before_its_effect_leaves_nothing(web, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    body = trader.order(token, BUY, 10 * SHARE, asks[0][0])
    await strike(web, kind="drop_before", times=2)
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            await trader.post(body)
    assert (await web.get("/admin/orders", params={"hash": id_of(body)})).json()["attempts"] == 0
    assert (await trader.post(body)).json()["status"] == "matched"


@pytest.mark.parametrize(("kind", "attempts"), [("error_before", 0), ("error_after", 1)])
async def test_an_error_says_nothing_of_what_was_done(web, trader, kind, attempts):
    token = (await market(web))["tokens"][0]
    body = trader.order(token, BUY, 10 * SHARE, CENT, "GTC")
    await strike(web, kind=kind, status=503)

    assert (await trader.post(body)).status_code == 503
    assert (await web.get("/admin/orders", params={"hash": id_of(body)})).json()["attempts"] == attempts


async def test_a_late_answer_comes_whole_and_only_where_it_was_asked_for(web, trader):
    token = (await market(web))["tokens"][0]
    await strike(web, kind="delay", ms=400, endpoint="clob.order", times=1)
    placed = await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
    began = time.monotonic()
    assert (await trader.ask(f"/data/order/{placed['orderID']}"))["id"] == placed["orderID"]
    assert time.monotonic() - began >= 0.4


async def test_an_error_carries_the_headers_that_were_asked_for(web):
    await strike(web, kind="error_before", endpoint="clob.book", status=429, headers={"Retry-After": "3"})
    answer = await web.get("/clob/book", params={"token_id": "1"})

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json() == {"error": "Internal server error"}


@pytest.mark.parametrize(("kind", "attempts"), [("html_before", 0), ("html_after", 1)])
async def test_a_proxys_page_says_nothing_of_what_was_done(web, trader, kind, attempts):
    token = (await market(web))["tokens"][0]
    body = trader.order(token, BUY, 10 * SHARE, CENT, "GTC")
    await strike(web, kind=kind)
    answer = await trader.post(body)

    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert (await web.get("/admin/orders", params={"hash": id_of(body)})).json()["attempts"] == attempts


async def a_book(web: httpx.AsyncClient, **fault: Any) -> tuple[httpx.Response, httpx.Response]:
    """The answer for a book that is struck, and the one after it."""
    token = (await market(web))["tokens"][0]
    await strike(web, endpoint="clob.book", **fault)
    struck = await web.get("/clob/book", params={"token_id": token})
    return struck, await web.get("/clob/book", params={"token_id": token})


async def test_a_slow_body_is_whole_in_the_end(web):
    began = time.monotonic()
    struck, _ = await a_book(web, kind="slow_body", ms=400)

    assert time.monotonic() - began >= 0.4
    assert struck.json()["bids"]


@pytest.mark.parametrize("kind", ["truncated_body", "reset_body"])
async def test_a_body_that_ends_in_the_middle_is_an_error_of_the_connection(web, kind):
    with pytest.raises(httpx.TransportError):
        await a_book(web, kind=kind)
    assert [one["path"] for one in await lines(web, "fault") if one["fault"] == kind] == ["/clob/book"]


@pytest.mark.parametrize(
    ("form", "body"), [("object", "{}"), ("list", "[]"), ("null", "null"), ("text", '"ok"'), ("number", "0")]
)
async def test_json_can_be_of_another_shape(web, form, body):
    struck, after = await a_book(web, kind="wrong_json", form=form)

    assert (struck.status_code, struck.text) == (200, body)
    assert after.json()["bids"]


async def test_json_can_be_cut_short_under_a_length_that_is_right(web):
    struck, after = await a_book(web, kind="wrong_json", form="cut")

    assert len(struck.content) == int(struck.headers["content-length"]) == len(after.content) // 2
    with pytest.raises(ValueError, match="char"):
        struck.json()


async def test_an_answer_can_be_true_under_the_wrong_type_and_empty_under_a_200(web):
    struck, after = await a_book(web, kind="wrong_type")
    assert (struck.headers["content-type"], struck.json()["bids"]) == ("text/html; charset=utf-8", after.json()["bids"])
    struck, _ = await a_book(web, kind="empty_body")
    assert (struck.status_code, struck.content) == (200, b"")


async def test_a_stale_answer_is_an_earlier_one_of_the_same_url_only(web, trader):
    token = (await market(web))["tokens"][0]
    await strike(web, kind="stale", endpoint="clob.book", times=2)
    first = (await web.get("/clob/book", params={"token_id": token})).json()
    await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
    same, other = [
        (await web.get("/clob/book", params={"token_id": token} | more)).json() for more in ({}, {"fresh": "1"})
    ]

    assert same == first
    assert other["bids"] != first["bids"]
    assert len([one for one in await lines(web, "fault") if one["fault"] == "stale"]) == 1


async def test_the_clock_is_off_for_as_long_as_its_fault_is_there(web, trader):
    token = (await market(web))["tokens"][0]
    fault = (await web.post("/admin/faults", json={"kind": "clock_off", "ms": -3_600_000})).json()
    behind = time.time() - (await web.get("/clob/time")).json()
    with pytest.raises(AssertionError, match="Unauthorized"):
        await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
    await web.delete("/admin/faults", params={"id": fault["id"]})
    again = time.time() - (await web.get("/clob/time")).json()

    assert abs(behind - 3_600) < 60
    assert abs(again) < 60
    assert [one["fault_id"] for one in await lines(web, "fault") if one["fault"] == "clock_off"] == [fault["id"]]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "explode"},
        {"kind": "delay", "endpoint": "clob.nothing"},
        {"kind": "delay", "ms": -1},
        {"kind": "delay", "ms": 1, "sometimes": True},
        {"kind": "error_after", "status": 200},
        {"kind": "delay", "endpoint": "", "path": "order"},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(web, fault):
    answer = await web.post("/admin/faults", json={"endpoint": "clob.post_order"} | fault)
    assert answer.status_code == 400
    assert "expected" in answer.json()["error"]
