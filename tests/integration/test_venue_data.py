"""What the venue's Data API refuses, filters, and says when it cannot answer."""

from contextlib import ExitStack

import httpx
import pytest

from services.venue.bank import Bank, Funding
from services.venue.conditions import Condition, splitting
from services.venue.contracts import STANDARD
from services.venue.node.client import Node
from tests.patience import PATIENT_S
from tests.venue_chain import node_process
from tests.venue_process import Venue, venue_on
from tests.venue_views import lines
from tests.venue_web import SHARE, exact, mined, rows, trade, traders

pytestmark = pytest.mark.xdist_group("watched venue")

EXCHANGE = "0xE111180000d2663C0091e4f400237545B87B996B"
STRANGER = "0x00000000000000000000000000000000000dead1"
HEIR = "0x00000000000000000000000000000000000dead2"
BOTH = {"version": "v1,v2"}


@pytest.fixture
def venue(watched_venue: Venue):
    return watched_venue


@pytest.mark.parametrize("path", ["/data/activity", "/data/trades", "/data/positions", "/data/closed-positions"])
async def test_version_one_knows_the_markets_of_an_event(web, path):
    leader = (await traders(web))["leader-1"]
    fill = await mined(web, await trade(web, market=3, side="BUY"))
    (market,) = await rows(web, "/gamma/markets", condition_ids=fill["condition_id"])
    event = market["events"][0]["id"]
    of_event = await rows(web, path, user=leader, eventId=event)

    assert of_event == await rows(web, path, user=leader, market=fill["condition_id"])
    assert {row["conditionId"] for row in of_event} <= {fill["condition_id"]}
    assert await rows(web, path, user=leader, eventId="1") == []
    both = await web.get(path, params={"user": leader, "eventId": event, "market": fill["condition_id"]})
    assert both.status_code == 400


@pytest.mark.parametrize("path", ["/data/v2/activity", "/data/v2/trades", "/data/v2/positions"])
async def test_version_two_knows_the_markets_of_an_event(web, path):
    leader = (await traders(web))["leader-1"]
    fill = await mined(web, await trade(web, market=3, side="BUY"))
    (market,) = await rows(web, "/gamma/markets", condition_ids=fill["condition_id"])
    event = market["events"][0]["id"]
    of_event = await rows(web, path, user=leader, event_id=event)

    assert of_event["data"]
    assert of_event["data"] == (await rows(web, path, user=leader, condition=fill["condition_id"]))["data"]
    assert (await rows(web, path, user=leader, event_id="1"))["data"] == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("colour=red", "colour"),
        ("type=TRADE,GIFT", "type"),
        ("condition=0x12", "condition"),
        ("event_id=x", "event_id"),
        ("start=soon", "start"),
        ("limit=99999999999999999999", "limit"),
        ("side=HOLD", "side"),
        ("exclude_deposits_withdrawals=maybe", "exclude_deposits_withdrawals"),
        ("sort_by=CASH", "sort_by"),
    ],
)
async def test_a_filter_that_version_two_does_not_understand_is_refused_by_name(web, query, parameter):
    answer = await web.get(f"/data/v2/activity?user={STRANGER}&{query}")
    said = answer.json()

    assert (answer.status_code, said["code"], said["retryable"]) == (400, "invalid_request", False)
    assert said["parameter"] == parameter
    assert answer.headers["x-trace-id"] == said["trace_id"]


async def test_a_filter_that_version_one_does_not_understand_is_refused_and_what_busts_a_cache_is_not(web):
    for query in ("colour=red", "type=GIFT", "side=HOLD", "sortBy=SIZE", "limit=²"):
        answer = await web.get(f"/data/activity?user={STRANGER}&{query}")
        assert (answer.status_code, list(answer.json())) == (400, ["error"]), query
    assert await rows(web, "/data/activity", user=STRANGER, _="12") == []


@pytest.mark.parametrize(
    ("path", "good", "beyond", "text"),
    [
        ("activity", {"offset": 5_000}, {"offset": 5_001}, "max historical activity offset of 5000 exceeded"),
        ("trades", {"offset": 10_000}, {"offset": 10_001}, "max historical trades offset of 10000 exceeded"),
        ("positions", {"offset": 10_000}, {"offset": 10_001}, "max historical positions offset of 10000 exceeded"),
        (
            "closed-positions",
            {"offset": 100_000},
            {"offset": 100_001},
            "max historical closed positions offset of 100000 exceeded",
        ),
        ("v1/leaderboard", {"offset": 1_000}, {"offset": 1_001}, "max historical leaderboard offset of 1000 exceeded"),
        ("positions", {"title": "x" * 100}, {"title": "x" * 101}, "title must be at most 100 characters"),
        ("closed-positions", {"title": "x" * 100}, {"title": "x" * 101}, "title must be at most 100 characters"),
    ],
)
async def test_what_is_at_a_cap_of_version_one_is_answered_and_what_is_beyond_refused(web, path, good, beyond, text):
    leader = (await traders(web))["leader-1"]
    refused = await web.get(f"/data/{path}", params={"user": leader, **beyond})

    assert await rows(web, f"/data/{path}", user=leader, **good) == []
    assert (refused.status_code, refused.json()) == (400, {"error": text})


async def test_at_most_twenty_holders_of_an_outcome_are_named(web, venue):
    listed = (await web.post("/admin/markets", json={"question": "Do many hold it?"})).json()
    wallets = [f"0x{number:040x}" for number in range(0xDEAD_00, 0xDEAD_00 + 22)]
    tokens = int(listed["tokens"][0]), int(listed["tokens"][1])
    condition = Condition(listed["condition_id"], b"", tokens, STANDARD)
    async with Node(venue.node_url) as node:
        await Bank(node).fund_many([Funding(one, 50 * SHARE) for one in wallets])
        await Bank(node).send([splitting(one, condition, (9 + at) * SHARE) for at, one in enumerate(wallets)])
    held = {
        limit: await rows(web, "/data/holders", market=listed["condition_id"], limit=limit) for limit in (3, 20, 100)
    }

    largest = wallets[::-1]
    for limit, most in ((3, 3), (20, 20), (100, 20)):
        assert [[one["proxyWallet"] for one in side["holders"]] for side in held[limit]] == [largest[:most]] * 2


async def test_a_cache_is_deaf_to_those_who_want_none_and_told_apart_by_every_query(web):
    await web.post("/admin/data", json={"cache_ms": 600_000})
    try:
        found = [await web.get("/data/v2/activity", params={"user": HEIR})]
        credit = {"user": HEIR, "kind": "YIELD", "usdc_micros": 2_000_000}
        assert (await web.post("/admin/data/credit", json=credit)).status_code == 200
        for headers in ({"cache-control": "no-cache"}, {"pragma": "no-cache", "cache-control": "max-age=0"}):
            found.append(await web.get("/data/v2/activity", params={"user": HEIR}, headers=headers))
        other = await web.get("/data/v2/activity", params={"user": HEIR, "_": "1"})
    finally:
        await web.post("/admin/data", json={"cache_ms": 0})
    after = await web.get("/data/v2/activity", params={"user": HEIR})

    # Two were given again: the first of a run leaves a line.
    cached = [one["url"] for one in await lines(web, "fault") if one["fault"] == "data_cached"]
    assert cached.count(f"/data/v2/activity?user={HEIR}") == 1
    assert len({one.content for one in found}) == len({one.headers["x-trace-id"] for one in found}) == 1
    assert len(other.json()["data"]) == len(after.json()["data"]) == len(found[0].json()["data"]) + 1


async def test_a_contract_of_the_protocol_is_no_user(web):
    for path in ("activity", "trades", "positions", "value"):
        answer = await web.get(f"/data/v2/{path}", params={"user": EXCHANGE})
        assert (answer.status_code, answer.json()["parameter"]) == (400, "user"), path


async def test_a_cursor_is_good_for_the_filters_it_was_made_with(web):
    leader = (await traders(web))["leader-1"]
    for path in ("activity", "trades", "positions"):
        page = await rows(web, f"/data/v2/{path}", user=leader, limit=1)
        cursor = page["pagination"]["next_cursor"]
        again = await rows(web, f"/data/v2/{path}", user=leader, limit=1, cursor=cursor)
        refused = await web.get(f"/data/v2/{path}", params={"user": leader, "side": "BUY", "cursor": cursor})

        assert again["data"] != page["data"]
        assert refused.status_code == 400


async def test_every_code_of_version_two_can_be_had_with_its_status_and_its_patience(web):
    async def after(code: str) -> httpx.Response:
        await web.post("/admin/data", json={"refuse": {"code": code, "path": "/v2/activity", "times": 1}})
        return await web.get("/data/v2/activity", params={"user": STRANGER})

    found = {code: await after(code) for code in ("rate_limited", "internal", "request_timeout")}
    found["dependency_unavailable"] = await after("dependency_unavailable")
    refused = [one["code"] for one in await lines(web, "fault") if one["fault"] == "data_refuse"]
    found["not_found"] = await web.get("/data/v2/nothing")
    found["method_not_allowed"] = await web.post("/data/v2/activity")

    assert refused[-4:] == ["rate_limited", "internal", "request_timeout", "dependency_unavailable"]
    assert {code: answer.json()["code"] for code, answer in found.items()} == {code: code for code in found}
    assert {code: answer.status_code for code, answer in found.items()} == {
        "rate_limited": 429,
        "internal": 500,
        "request_timeout": 503,
        "dependency_unavailable": 503,
        "not_found": 404,
        "method_not_allowed": 405,
    }
    assert {code for code, answer in found.items() if answer.json()["retryable"]} == {
        "rate_limited",
        "internal",
        "request_timeout",
        "dependency_unavailable",
    }
    assert "retry-after" in found["rate_limited"].headers
    assert "retry-after" in found["dependency_unavailable"].headers
    assert (await web.get("/data/v2/activity", params={"user": STRANGER})).status_code == 200


async def test_answers_of_version_two_say_how_long_they_may_be_kept(web):
    leader = (await traders(web))["leader-1"]
    ages = {"activity": 15, "trades": 300, "positions": 5, "approvals": 20}
    answers = {name: await web.get(f"/data/v2/{name}", params={"user": leader}) for name in ages}

    assert {name: one.headers["cache-control"] for name, one in answers.items()} == {
        name: f"max-age={age}" for name, age in ages.items()
    }


@pytest.mark.parametrize(("order", "field"), [("TOKENS", "size"), ("CASH", "usdcSize")])
async def test_activity_of_version_one_is_sorted_by_shares_or_by_cash(web, order, field):
    leader = (await traders(web))["leader-1"]
    every = await rows(web, "/data/activity", user=leader, limit=500)
    largest = await rows(web, "/data/activity", user=leader, limit=500, sortBy=order)
    smallest = await rows(web, "/data/activity", user=leader, limit=500, sortBy=order, sortDirection="ASC")
    measures = sorted(row[field] for row in every)

    assert len(set(measures)) > 1
    assert ([row[field] for row in largest], [row[field] for row in smallest]) == (measures[::-1], measures)


async def test_version_one_can_be_retired(web):
    await web.post("/admin/data", json={"retired": True})
    gone = await web.get("/data/activity", params={"user": STRANGER})
    kept = await web.get("/data/v2/activity", params={"user": STRANGER})
    await web.post("/admin/data", json={"retired": False})

    assert (gone.status_code, gone.json(), kept.status_code) == (404, {"error": "not found"}, 200)
    assert await rows(web, "/data/activity", user=STRANGER) == []


async def test_the_controls_of_the_data_api_refuse_what_makes_no_sense(web):
    for body in ("", "[]", '{"lag_ms": -1}', '{"retired": 1}', '{"refuse": {"code": "tea"}}', '{"lag_ms": "x"}', "{"):
        answer = await web.post("/admin/data", content=body)
        assert answer.status_code == (200 if body == "" else 400), body
    for price in ("NaN", "0", "-1", "1e99999", "Infinity", "tea"):
        answer = await web.post("/admin/trade", json={"trader": "leader-1", "shares_micros": SHARE, "price": price})
        assert answer.status_code in (200, 400), price


async def test_shares_that_were_given_are_a_position_of_the_receiver(web, venue):
    maker, market = (await traders(web))["maker-1"], (await rows(web, "/gamma/markets", limit=1))[0]
    async with Node(venue.node_url) as node:
        token = (await exact(web, "/admin/markets"))["markets"][0]["tokens"][0]
        await Bank(node).transfer(maker, STRANGER, int(token), 7 * SHARE)
    (position,) = (await rows(web, "/data/v2/positions", user=STRANGER))["data"]
    (old,) = await rows(web, "/data/positions", user=STRANGER)
    everyone = (await rows(web, "/data/v2/positions", condition=market["conditionId"], limit=1000))["data"]

    assert (position["current_size"], position["status"], position["entry_cost_usdc"]) == (7.0, "OPEN", 0.0)
    assert (old["size"], old["asset"]) == (7, position["token_id"])
    assert {STRANGER, maker.lower()} <= {row["proxy_wallet"] for row in everyone}
    assert await rows(web, "/data/activity", user=STRANGER) == []


async def test_money_without_a_trade_is_a_row_without_a_market(web):
    for kind in ("REWARD", "DEPOSIT", "TIP"):
        body = {"user": STRANGER, "kind": kind, "usdc_micros": 140_590_100}
        assert (await web.post("/admin/data/credit", json=body)).status_code == 200
    by_default = (await rows(web, "/data/v2/activity", user=STRANGER))["data"]
    asked = (await rows(web, "/data/v2/activity", user=STRANGER, type="TIP"))["data"]
    whole = (await rows(web, "/data/v2/activity", user=STRANGER, exclude_deposits_withdrawals="false"))["data"]

    assert [row["type"] for row in by_default] == ["REWARD"]
    assert [row["type"] for row in asked] == ["TIP"]
    assert [row["type"] for row in whole] == ["DEPOSIT", "REWARD"]
    assert (by_default[0]["usdc_size"], by_default[0]["condition_id"], by_default[0]["outcome_index"]) == (
        140.5901,
        "",
        999,
    )


async def test_a_venue_whose_node_is_away_says_so():
    with ExitStack() as chain:
        node_url = chain.enter_context(node_process("--block-ms", "200"))
        with venue_on(node_url, "--seed", "7") as venue:
            async with httpx.AsyncClient(base_url=venue.url, timeout=PATIENT_S) as web:
                assert await rows(web, "/data/activity", user=STRANGER) == []
                chain.close()
                two = await web.get("/data/v2/activity", params={"user": STRANGER})
                one = await web.get("/data/positions", params={"user": STRANGER})

    assert (two.status_code, two.json()["code"], two.headers["retry-after"]) == (503, "dependency_unavailable", "1")
    assert (one.status_code, list(one.json())) == (503, ["error"])


async def test_version_one_counts_holders_interest_and_volume(web):
    everyone = await traders(web)
    fill = await mined(web, await trade(web, market=1, side="BUY"))
    condition, user = fill["condition_id"], everyone["leader-1"]
    (market,) = await rows(web, "/gamma/markets", condition_ids=condition)
    held = await rows(web, "/data/holders", market=condition, limit=5)
    (interest,) = await rows(web, "/data/oi", market=condition)
    (everything,) = await rows(web, "/data/oi")
    (volume,) = await rows(web, "/data/live-volume", id=market["events"][0]["id"])
    board = await rows(web, "/data/v1/leaderboard", timePeriod="all", orderBy="VOL")
    positions = await rows(web, "/data/v1/market-positions", market=condition, user=user)

    assert (await rows(web, "/data/traded", user=user))["traded"] > 0
    assert len(held) == 2
    assert all(len(one["holders"]) <= 5 for one in held)
    assert [one["amount"] for one in held[0]["holders"]] == sorted(
        (o["amount"] for o in held[0]["holders"]), reverse=True
    )
    assert 0 < interest["value"] <= everything["value"]
    assert volume["total"] == sum(one["value"] for one in volume["markets"]) > 0
    assert [one["rank"] for one in board] == [str(place + 1) for place in range(len(board))]
    assert fill["token"] in {one["asset"] for side in positions for one in side["positions"]}
    assert (await web.get("/data/holders")).status_code == 400


async def test_a_redemption_is_a_row_for_each_outcome_and_what_it_gained_is_realized(web, venue):
    leader = (await traders(web))["leader-3"]
    won = await mined(web, await trade(web, "leader-3", market=5, outcome=0, side="BUY"))
    lost = await mined(web, await trade(web, "leader-3", market=5, outcome=1, side="BUY", usdc_micros=3 * SHARE))
    await web.post("/admin/resolve", json={"market": 5, "outcome": 0})
    before = (await rows(web, "/data/v2/positions", user=leader, status="REDEEMABLE_LOST"))["data"]
    (resolution,) = (await rows(web, "/data/v2/resolutions", condition=won["condition_id"]))["data"]
    async with Node(venue.node_url) as node:
        await Bank(node).redeem(leader, won["condition_id"])
    one = await rows(web, "/data/activity", user=leader, type="REDEEM")
    two = (await rows(web, "/data/v2/activity", user=leader, type="REDEEM"))["data"]
    closed = {row["asset"]: row for row in await rows(web, "/data/closed-positions", user=leader)}

    assert [(row["token_id"], row["status"], row["mergeable"]) for row in before] == [
        (lost["token"], "REDEEMABLE", False)
    ]
    assert resolution["payouts"] == [1_000_000, 0]
    assert [(row["outcomeIndex"], row["size"], row["outcome"]) for row in one] == [
        (1, 0, "No"),
        (0, won["size_micros"] / SHARE, "Yes"),
    ]
    assert [row["outcome_index"] for row in two] == [0]
    gained = won["size_micros"] - won["usdc_micros"]
    assert closed[won["token"]]["realizedPnl"] == pytest.approx(gained / SHARE, abs=0.0001)
    assert closed[lost["token"]]["realizedPnl"] == pytest.approx(-lost["usdc_micros"] / SHARE, abs=0.0001)


async def test_sets_that_an_exchange_mints_for_two_buyers_are_nobodys_split(web):
    everyone = await traders(web)
    fill = await mined(web, await trade(web, market=3, outcome=1, side="BUY"))
    both = [row for user in everyone.values() for row in await rows(web, "/data/activity", user=user, limit=500)]

    assert {row["type"] for row in both if row["transactionHash"] == fill["tx_hash"]} == {"TRADE"}


@pytest.mark.parametrize("question", ["Will the bill pass this month?", "Will the comet be seen by eye?"])
async def test_sets_of_either_protocol_are_split_and_merged_by_their_wallet(web, venue, question):
    (market,) = [one for one in (await rows(web, "/gamma/markets", limit=100, **BOTH)) if one["question"] == question]
    wallet = "0x" + market["conditionId"][2:42]
    async with Node(venue.node_url) as node:
        bank = Bank(node)
        await bank.fund(wallet, 20 * SHARE)
        await bank.split(wallet, market["conditionId"], 9 * SHARE)
        await bank.merge(wallet, market["conditionId"], 4 * SHARE)
    activity = await rows(web, "/data/activity", user=wallet)
    held = (await rows(web, "/data/v2/positions", user=wallet, status="MERGEABLE"))["data"]

    assert [(row["type"], row["size"]) for row in activity] == [("MERGE", 4), ("SPLIT", 9)]
    assert [(row["current_size"], row["avg_price"]) for row in held] == [(5.0, 0.5)] * 2
