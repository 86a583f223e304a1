"""The venue's Data API: recorded shapes, production parsers, and rows that follow the chain."""

import json
from typing import Any

import pytest

from services.common.polymarket.parse.activity import read_page, read_position, read_row, read_rows
from services.common.polymarket.parse.payload import Fields, objects
from tests import recordings
from tests.venue_process import Venue
from tests.venue_web import SHARE, exact, kinds, mined, rows, trade, traders

RECORDED = "polymarket/pb_data_api/{}.json"

pytestmark = pytest.mark.xdist_group("watched venue")


@pytest.fixture
def venue(watched_venue: Venue):
    return watched_venue


@pytest.mark.parametrize(
    ("recording", "path"),
    [
        ("data_v1_trades", "/data/trades"),
        ("data_v1_positions", "/data/positions"),
        ("data_v2_activity", "/data/v2/activity"),
        ("data_v2_trades_all", "/data/v2/trades"),
        ("data_v2_positions_open", "/data/v2/positions"),
    ],
)
async def test_rows_have_the_recorded_fields_in_the_recorded_order(web, recording, path):
    response = recordings.load(RECORDED.format(recording))["response"]
    expected = (response if isinstance(response, list) else response["data"])[0]
    found = await rows(web, path, user=(await traders(web))["leader-1"])
    row = (found if isinstance(found, list) else found["data"])[0]
    # A field of later than the recording (venue.md 1.2).
    row.pop("first_entry_at", None)

    assert list(row) == list(expected)
    assert kinds(row) == kinds(expected)


async def test_activity_of_version_one_has_the_recorded_fields(web):
    expected = recordings.load(RECORDED.format("data_v1_activity_by_type"))["response"]["TRADE"]["rows"][0]
    (row, *_) = await rows(web, "/data/activity", user=(await traders(web))["leader-1"])

    assert list(row) == list(expected)
    assert kinds(row) == kinds(expected)


async def test_version_one_prints_whole_numbers_whole_and_version_two_never(web):
    leader = (await traders(web))["leader-1"]
    one = (await web.get("/data/activity", params={"user": leader})).text
    two = (await web.get("/data/v2/activity", params={"user": leader})).text

    trades = [row for row in json.loads(one, parse_float=str) if row["type"] == "TRADE"]
    assert any(isinstance(row["size"], int) for row in trades)
    assert not any(str(row["size"]).endswith(".0") for row in trades)
    assert all("." in row["size"] for row in json.loads(two, parse_float=str)["data"])


async def test_the_production_parsers_read_every_row_of_both_versions(web):
    for name, address in (await traders(web)).items():
        activity = await exact(web, "/data/activity", user=address, limit=500)
        trades = await exact(web, "/data/trades", user=address, takerOnly="false", limit=500)
        page = read_page("data_api", await exact(web, "/data/v2/trades", user=address, taker_only="false", limit=1000))

        parsed = read_rows("activity", [row for row in activity if row["type"] == "TRADE"])
        assert [one.tx_hash for one in parsed] == [one.tx_hash for one in read_rows("trades", trades)], name
        assert [one.tx_hash for one in parsed] == [read_row(row).tx_hash for row in page.rows], name
        for position in objects("positions", await exact(web, "/data/positions", user=address)):
            assert read_position(position).shares_micros > 0


async def test_refused_queries_say_what_the_real_api_says(web):
    answers = recordings.load(RECORDED.format("data_pagination_errors"))["response"]
    leader = (await traders(web))["leader-1"]
    for asked, expected in answers.items():
        answer = await web.get("/data" + asked.replace("<U>", leader))
        said, wanted = answer.json(), dict(expected["body"])

        assert answer.status_code == expected["http"]
        assert said.pop("trace_id", None) is None or wanted.pop("trace_id")
        assert said == wanted
    assert len(await rows(web, "/data/activity", user=leader, limit=100_000)) <= 500
    assert (await web.get("/data/v2/trades", params={"user": leader, "offset": 1})).status_code == 400
    assert (await web.get("/data/activity")).status_code == 400


async def test_pages_of_version_two_show_every_row_once(web):
    leader = (await traders(web))["leader-1"]
    whole = (await rows(web, "/data/v2/activity", user=leader, limit=1000))["data"]
    paged, cursor = [], {}
    while True:
        payload = await rows(web, "/data/v2/activity", user=leader, limit=2, **cursor)
        paged += payload["data"]
        following = read_page("activity", payload).cursor
        if not following:
            break
        cursor = {"cursor": following}

    assert paged == whole
    forged = await web.get("/data/v2/activity", params={"user": leader, "cursor": "e30"})
    assert (forged.status_code, forged.json()["code"]) == (400, "invalid_request")


async def test_filters_narrow_what_is_shown(web):
    everyone = await traders(web)
    leader = everyone["leader-2"]
    await mined(web, await trade(web, "leader-2", market=1, side="BUY"))
    sold = await mined(web, await trade(web, "leader-2", market=1, side="SELL", shares_micros=50 * SHARE))
    every = await rows(web, "/data/activity", user=leader, limit=500)

    async def shown(**params: Any) -> list[Any]:
        return await rows(web, "/data/activity", user=leader.upper().replace("0X", "0x"), limit=500, **params)

    assert await shown(side="SELL") == [row for row in every if row["side"] == "SELL"]
    assert await shown(market=sold["condition_id"]) == [r for r in every if r["conditionId"] == sold["condition_id"]]
    assert await shown(start=sold["block_timestamp"]) == [r for r in every if r["timestamp"] >= sold["block_timestamp"]]
    assert await shown(end=sold["block_timestamp"] - 1) == [
        r for r in every if r["timestamp"] < sold["block_timestamp"]
    ]
    assert await shown(sortDirection="ASC") == every[::-1]
    assert await shown(type="SPLIT,MERGE") == []


async def test_the_money_of_a_purchase_includes_its_fee_and_the_price_does_not(web):
    everyone, market = await traders(web), None
    listed = (await rows(web, "/gamma/markets/keyset", limit=100, version="v1,v2"))["markets"]
    for place, one in enumerate(listed):
        market = place if one["feesEnabled"] and 0.2 < float(json.loads(one["outcomePrices"])[0]) < 0.8 else market
    assert market is not None
    fill = await mined(web, await trade(web, market=market, side="BUY"))
    shown = await rows(web, "/data/activity", user=everyone["leader-1"], limit=500)
    (row,) = [row for row in shown if row["transactionHash"] == fill["tx_hash"]]

    assert fill["fee_micros"] > 0
    assert round(row["usdcSize"] * SHARE) == fill["usdc_micros"] + fill["fee_micros"]
    assert row["price"] == pytest.approx(fill["usdc_micros"] / fill["size_micros"])


async def test_the_data_api_can_be_late_and_stale(web):
    leader = (await traders(web))["leader-1"]
    assert (await web.post("/admin/data", json={"lag_ms": 600_000, "cache_ms": 0})).status_code == 200
    try:
        fill = await mined(web, await trade(web, market=0, side="BUY"))
        late = await rows(web, "/data/v2/trades", user=leader, limit=1)
        await web.post("/admin/data", json={"lag_ms": 0, "cache_ms": 60_000})
        first = await rows(web, "/data/v2/trades", user=leader, limit=2)
        again = await mined(web, await trade(web, market=0, side="BUY"))
        stale = await rows(web, "/data/v2/trades", user=leader, limit=2)
        busted = await rows(web, "/data/v2/trades", user=leader, limit=2, _=1)
    finally:
        await web.post("/admin/data", json={"lag_ms": 0, "cache_ms": 0})

    assert fill["tx_hash"] not in {row["transaction_hash"] for row in late["data"]}
    assert fill["tx_hash"] == first["data"][0]["transaction_hash"]
    assert stale == first
    assert again["tx_hash"] == busted["data"][0]["transaction_hash"]


async def test_splits_merges_and_redemptions_are_rows_of_no_side(web):
    maker = (await traders(web))["maker-1"]
    expected = recordings.load(RECORDED.format("data_v1_activity_by_type"))["response"]["MERGE"]["rows"][0]
    split = (await rows(web, "/data/activity", user=maker, type="SPLIT"))[0]

    assert kinds(split) == kinds(expected)
    assert (split["asset"], split["side"], split["price"], split["outcomeIndex"]) == ("", "", 0, 999)
    assert read_row(Fields("activity", split)).side is None
