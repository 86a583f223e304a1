"""The venue's own traders at work: sweeps, sales of a part, and the demo script from end to end."""

import asyncio

import httpx
import pytest

from tests import recordings
from tests.patience import PATIENT_S
from tests.venue_process import Venue, venue_process
from tests.venue_web import SHARE, kinds, mined, rows, trade, traders

RECORDED = "polymarket/pb_data_api/{}.json"


@pytest.fixture(scope="module")
def venue():
    with venue_process("--seed", "7", "--history", "9") as running:
        yield running


@pytest.fixture
async def web(venue: Venue):
    async with httpx.AsyncClient(base_url=venue.url, timeout=PATIENT_S) as client:
        yield client


async def test_five_resting_orders_are_five_rows_of_one_transaction(web):
    leader = (await traders(web))["leader-3"]
    swept = await web.post("/admin/sweep", json={"trader": "leader-3", "market": 3, "orders": 5, "side": "BUY"})
    resting = [one["order_hash"] for one in swept.json()["orders"] if one["trader"] == "leader-3"]
    lines = [await mined(web, order_hash) for order_hash in resting]
    shown = await rows(web, "/data/v2/activity", user=leader, start=lines[0]["block_timestamp"], limit=1000)
    shown = [row for row in shown["data"] if row["transaction_hash"] == lines[0]["tx_hash"]]

    assert len(set(resting)) == 5
    assert {line["tx_hash"] for line in lines} == {lines[0]["tx_hash"]}
    assert {line["role"] for line in lines} == {"MAKER"}
    # Equal orders give equal rows, and every one of them is a fill.
    assert len(shown) == 5
    assert all(row == shown[0] for row in shown)
    takers = await rows(web, "/data/v2/trades", user=leader, limit=1000)
    assert lines[0]["tx_hash"] not in {row["transaction_hash"] for row in takers["data"]}


async def test_positions_follow_purchases_and_sales(web):
    leader = (await traders(web))["leader-3"]
    bought = await mined(web, await trade(web, "leader-3", market=4, side="BUY", shares_micros=200 * SHARE))

    async def held() -> float:
        found = await rows(web, "/data/v2/positions", user=leader, filter_amount=0)
        return sum(row["current_size"] for row in found["data"] if row["token_id"] == bought["token"])

    before = await held()
    sold = await mined(web, await trade(web, "leader-3", market=4, side="SELL", shares_micros=0, fraction_bps=5_000))
    assert sold["size_micros"] == round(before * SHARE) // 2
    assert await held() == pytest.approx(before / 2)
    await mined(web, await trade(web, "leader-3", market=4, side="SELL", shares_micros=0, fraction_bps=10_000))
    assert await held() == 0
    closed = await rows(web, "/data/closed-positions", user=leader)
    expected = recordings.load(RECORDED.format("data_v1_closed_positions"))["response"][0]
    (row,) = [row for row in closed if row["asset"] == bought["token"]]
    assert kinds(row) == kinds(expected)
    assert row["realizedPnl"] < 0


async def test_a_trader_who_cannot_trade_hears_why(web):
    unknown = await web.post("/admin/trade", json={"trader": "nobody", "market": 0})
    empty = await web.post("/admin/trade", json={"trader": "leader-1", "market": 5, "side": "SELL", "fraction_bps": 1})

    assert unknown.status_code == 400
    assert "leader-1" in unknown.json()["error"]
    assert empty.status_code == 400


async def test_the_demo_plays_through_and_its_books_agree_with_the_data_api(web):
    everyone = await traders(web)
    before = len((await web.get("/admin/journal", params={"after": 0})).json()["lines"])
    assert (await web.post("/admin/script", json={"name": "demo", "speed": 6})).status_code == 200
    assert (await web.post("/admin/script", json={"name": "demo"})).status_code == 400
    async with asyncio.timeout(PATIENT_S):
        while (await rows(web, "/admin/script"))["state"] != "done":  # noqa: ASYNC110  another process
            await asyncio.sleep(0.2)
    report = await rows(web, "/admin/script")
    lines = (await web.get("/admin/journal", params={"after": before})).json()["lines"]
    fills = [line for line in lines if line["kind"] == "leader_fill"]

    assert report["refused"] == []
    assert report["unsettled"] == 0
    assert len(fills) == report["leader_orders"] >= 30
    (done,) = [line for line in lines if line["kind"] == "script_done"]
    assert done["seq"] > fills[-1]["seq"]
    for name in ("leader-1", "leader-2", "leader-3"):
        mine = [line for line in fills if line["leader"] == name]
        shown = await rows(web, "/data/trades", user=everyone[name], takerOnly="false", limit=len(mine))
        assert [row["transactionHash"] for row in reversed(shown)] == [line["tx_hash"] for line in mine]
        assert [round(row["size"] * SHARE) for row in reversed(shown)] == [line["size_micros"] for line in mine]
    summary = (await rows(web, "/admin/oracle"))["wallets"][everyone["leader-1"].lower()]
    found = await rows(web, "/data/v2/positions", user=everyone["leader-1"], filter_amount=0)
    held = {row["token_id"]: round(row["current_size"] * SHARE, -2) for row in found["data"]}
    assert {token: round(size, -2) for token, size in summary["shares"].items() if size} == held
