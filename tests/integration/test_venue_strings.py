"""The texts by which the CLOB refuses: each of venue.md 3.6 is brought about, and the others that this venue has."""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.venue_chain import BUY
from tests.venue_strings import ROWS, UNKNOWN, Row, Stage
from tests.venue_trader import CENT, SHARE, Trader, id_of
from tests.venue_views import lines, market

pytestmark = pytest.mark.xdist_group("venue strings")

TEN = 10 * SHARE
SHEET = Path(__file__).parents[2].parent / "shared" / "design" / "venue.md"
# What section 3.6 has in backticks and is said by nobody: names of fields, endpoints, headers, substitutions and labels.
UNSAID = re.compile(r"error|/version|Retry-After|\{id\}|\[.+\]|: the balance is not enough .+")


async def answered(trader: Trader, body: bytes) -> tuple[int, Any]:
    answer = await trader.post(body)
    return answer.status_code, answer.json()["error"]


def fits(row: Row, text: str) -> bool:
    """Whether a text is this row's; what stands in braces may be anything."""
    pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(row.text))
    return re.fullmatch(pattern, text.replace("…", "...")) is not None


def said(sheet: str) -> list[str]:
    """The texts of section 3.6; of one that is JSON, its error."""
    section = sheet.partition("### 3.6 ")[2].partition("### 3.7")[0]
    spans = [one for one in re.findall("`([^`]+)`", section) if not UNSAID.fullmatch(one)]
    return [json.loads(one)["error"] if one.startswith("{") else one for one in spans]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.text)
async def test_each_text_is_heard_by_whoever_brings_it_about(venue, web, trader, row):
    heard = await row.scene(Stage(venue, web, trader))

    assert (heard.status, heard.text) == (row.status, heard.expected)
    assert fits(row, heard.text) or heard.text.startswith(row.text + ": ")


def test_no_text_of_the_fact_sheet_is_missing():
    if not SHEET.exists():
        pytest.skip("shared/design/venue.md is not beside this repository")
    texts = said(SHEET.read_text())
    missing = [one for one in texts if not any(fits(row, one) or row.text.startswith(one.rstrip(" …")) for row in ROWS)]

    assert len(texts) > 40
    assert missing == []


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
    most, more = [await web.post("/clob/books", json=[{"token_id": "1"}] * count) for count in (500, 501)]

    assert (most.status_code, most.json()) == (200, [])
    assert (more.status_code, more.json()) == (400, {"error": "Payload exceeds the limit"})


async def test_too_many_requests_are_slowed_down_and_then_refused_by_address(web):
    await web.post("/admin/limits", json={"mode": "on"})
    try:
        asked = await asyncio.gather(*(web.get("/clob/ok") for _ in range(111)))
        activity = "/data/v2/activity?user=" + UNKNOWN[:42]
        read = await asyncio.gather(*(web.get(activity) for _ in range(221)))
    finally:
        await web.post("/admin/limits", json={"mode": "off"})
    (refused,) = [one for one in asked if one.status_code != 200]
    (told,) = [one for one in read if one.status_code != 200]
    waited = sorted(one.elapsed.total_seconds() for one in asked if one is not refused)[-10:]

    assert (refused.status_code, refused.json()) == (429, {"error": "Too Many Requests"})
    assert 0 < int(refused.headers["Retry-After"]) <= 10
    assert all(seconds >= turn / 10 for turn, seconds in enumerate(waited, 1))
    assert (told.status_code, told.json()["code"], told.json()["retryable"]) == (429, "rate_limited", True)
    assert 0 < int(told.headers["Retry-After"]) <= 10
    assert told.headers["x-trace-id"] == told.json()["trace_id"]
    runs = [one["fault"] for one in await lines(web, "fault") if one.get("who") == "127.0.0.1"]
    assert runs == ["limit_delay", "limit_refuse"]
    assert (await web.get("/clob/ok")).status_code == 200


async def test_too_many_orders_of_a_signer_are_refused_with_the_headers_of_his_tier(web, trader):
    token = (await market(web))["tokens"][0]
    await web.post("/admin/limits", json={"mode": "on"})
    try:
        bodies = [b"[" + b",".join([trader.order(token, BUY, TEN, CENT, "GTC")] * 15) + b"]" for _ in range(8)]
        batches = [await trader.post(body, "/orders") for body in bodies]
        tier = await trader.ask("/v1/user/rate-limit-tier")
    finally:
        await web.post("/admin/limits", json={"mode": "off"})
    refused = next(one for one in batches if one.status_code != 200)

    assert batches[0].headers["Poly-RateLimit-Remaining"] == "45"
    assert batches[0].headers["Poly-RateLimit-Tier"] == tier["tier"] == "Standard"
    assert (refused.status_code, refused.json()) == (429, {"error": "Too Many Requests"})
    assert int(refused.headers["Retry-After"]) == 1
    runs = [one for one in await lines(web, "fault") if one.get("who") == trader.address]
    assert [(one["fault"], one["path"]) for one in runs] == [("limit_refuse", "/clob/orders")]
    assert abs(int(refused.headers["Poly-RateLimit-Reset"]) - time.time()) < 10


async def test_whoever_asks_for_too_much_is_warned_alone_where_limits_only_warn(web, trader):
    bodies = b"[" + b",".join([b"{}"] * 15) + b"]"
    await web.post("/admin/limits", json={"mode": "warn"})
    try:
        first, *others = [await trader.post(bodies, "/orders") for _ in range(8)]
    finally:
        await web.post("/admin/limits", json={"mode": "off"})

    assert (first.status_code, "Poly-RateLimit-Warning" in first.headers) == (200, False)
    warned = [one for one in others if one.headers.get("Poly-RateLimit-Warning") == "true"]
    assert warned
    assert {one.status_code for one in warned} == {200}


async def test_a_cancel_of_everything_costs_one_and_whatever_it_cancels(web, trader):
    token = (await market(web))["tokens"][0]
    for _ in range(3):
        await trader.place(token, BUY, TEN, CENT, "GTC")
    await web.post("/admin/limits", json={"mode": "on"})
    try:
        answers = [await trader.send("DELETE", "/cancel-all") for _ in range(2)]
    finally:
        await web.post("/admin/limits", json={"mode": "off"})

    assert [len(one.json()["canceled"]) for one in answers] == [3, 0]
    assert answers[0].headers["Poly-RateLimit-Remaining"] == "116"
    # The second one costs itself; meanwhile some of the first comes back.
    assert 115 <= int(answers[1].headers["Poly-RateLimit-Remaining"]) <= 119


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
