"""The venue's Gamma: every filter narrows or is refused, pages are whole, and what is not there is said to be absent."""

import json
from typing import Any

import httpx
import pytest

from tests.venue_process import Venue
from tests.venue_web import mined, rows, trade, traders

pytestmark = pytest.mark.xdist_group("watched venue")

BOTH = {"version": "v1,v2"}
LONG_AGO, FAR_OFF = "2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"


@pytest.fixture
def venue(watched_venue: Venue):
    return watched_venue


@pytest.fixture
async def everything(web: httpx.AsyncClient):
    return (await rows(web, "/gamma/markets/keyset", limit=100, **BOTH))["markets"]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (f"end_date_min={FAR_OFF}", lambda row: False),
        (f"end_date_max={FAR_OFF}", lambda row: True),
        (f"end_date_max={LONG_AGO}", lambda row: False),
        ("volume_num_min=0.000001", lambda row: row["volumeNum"] > 0),
        ("volume_num_min=1000000000", lambda row: False),
        ("liquidity_num_max=1000000000000", lambda row: True),
        ("uma_resolution_status=resolved", lambda row: False),
        ("position_ids=1", lambda row: False),
        ("clob_token_ids=1", lambda row: False),
        ("question_ids=0x12", lambda row: False),
        ("request_ids=0x12", lambda row: False),
        ("rfq_enabled=true", lambda row: False),
        ("tag_id=21", lambda row: "bitcoin" in row["slug"]),
        ("tag_id=1,21&tag_match=all", lambda row: "bitcoin" in row["slug"]),
        ("active=true&archived=false", lambda row: True),
        ("active=false", lambda row: not row["active"]),
        ("archived=true", lambda row: False),
        ("resolution_status=active", lambda row: row["version"] == "v2"),
    ],
)
async def test_a_filter_of_markets_narrows_what_is_listed(web, everything, query, kept):
    found = (await web.get(f"/gamma/markets/keyset?limit=100&version=v1,v2&{query}")).json()["markets"]

    assert [row["id"] for row in found] == [row["id"] for row in everything if kept(row)]


async def test_a_market_is_found_by_each_of_its_names(web, everything):
    row, other = [one for one in everything if json.loads(one["clobTokenIds"])][1:3]
    tokens = json.loads(row["clobTokenIds"])
    names = {
        "id": row["id"],
        "slug": row["slug"],
        "condition_ids": row["conditionId"],
        "question_ids": row["questionID"],
    }
    for asked in (names | {"clob_token_ids": tokens[1]}).items():
        found = await rows(web, "/gamma/markets", **dict([asked]))
        assert [one["id"] for one in found] == [row["id"]], asked
    two = await web.get("/gamma/markets", params=[("condition_ids", one["conditionId"]) for one in (other, row)])

    assert [one["id"] for one in two.json()] == [row["id"], other["id"]]


@pytest.mark.parametrize("kind", ["markets", "events"])
async def test_lists_are_of_the_first_protocol_unless_they_are_asked_for_another(web, kind):
    async def listed(**asked: str) -> list[dict[str, Any]]:
        return (await rows(web, f"/gamma/{kind}/keyset", limit=100, **asked))[kind]

    found = [await listed(), await listed(version="v2"), await listed(**BOTH)]
    second = found[1][0]

    assert [{one["version"] for one in some} for some in found] == [{"v1"}, {"v2"}, {"v1", "v2"}]
    # What has a name is found by it alone.
    assert [one["id"] for one in await listed(id=second["id"])] == [second["id"]]
    assert [one["id"] for one in await listed(slug=second["slug"])] == [second["id"]]
    assert await listed(slug=second["slug"], version="v1") == []


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "version=v9",
        "closed=perhaps",
        "end_date_min=soon",
        "volume_num_min=lots",
        "limit=²",
        "order=colour",
        "uma_resolution_status=guessed",
        "tag_id=1&tag_match=some",
        "after_cursor=e30",
    ],
)
async def test_a_filter_that_gamma_does_not_understand_is_refused(web, query):
    answer = await web.get(f"/gamma/markets/keyset?{query}")

    assert (answer.status_code, answer.json()["type"]) == (422, "validation error")


async def test_markets_are_listed_in_the_order_that_is_asked_for(web, everything):
    by_volume = (await rows(web, "/gamma/markets/keyset", limit=100, order="volume_num", **BOTH))["markets"]
    rising = (await rows(web, "/gamma/markets/keyset", limit=100, order="id", ascending="true", **BOTH))["markets"]

    assert [row["volumeNum"] for row in by_volume] == sorted((row["volumeNum"] for row in everything), reverse=True)
    assert [row["id"] for row in rising] == sorted((row["id"] for row in everything), key=int)


@pytest.mark.parametrize("kind", ["markets", "events"])
async def test_pages_of_gamma_hold_everything_once_and_a_limit_is_clamped(web, kind):
    everything = (await rows(web, f"/gamma/{kind}/keyset", limit=100_000, **BOTH))[kind]
    paged, cursor = [], {}
    while True:
        page = await rows(web, f"/gamma/{kind}/keyset", limit=2, **BOTH, **cursor)
        paged += page[kind]
        if "next_cursor" not in page:
            break
        cursor = {"after_cursor": page["next_cursor"]}
    elsewhere = await web.get(f"/gamma/{kind}/keyset", params={"limit": 2, "version": "v1", **cursor})
    old = await web.get(f"/gamma/{kind}", params={"limit": 2, "offset": 2, **BOTH})

    assert len(everything) > 4
    assert [row["id"] for row in paged] == [row["id"] for row in everything]
    assert elsewhere.status_code == 422
    assert [row["id"] for row in old.json()] == [row["id"] for row in everything[2:4]]
    assert [old.headers[name] for name in ("deprecation", "sunset", "warning")] == [
        "true",
        "Fri, 01 May 2026 00:00:00 GMT",
        f'299 - "Offset pagination is deprecated, use /{kind}/keyset"',
    ]


async def test_listings_of_gamma_may_be_kept_for_five_minutes(web):
    for path in ("/gamma/markets/keyset", "/gamma/events/keyset", "/gamma/markets", "/gamma/events"):
        assert (await web.get(path)).headers["cache-control"] == "public, max-age=300"


async def test_a_market_says_the_same_inside_its_event_and_alone(web, everything):
    row = everything[2]
    (head,) = row["events"]
    event = await rows(web, f"/gamma/events/{head['id']}")
    (inside,) = [one for one in event["markets"] if one["id"] == row["id"]]
    moving = {"updatedAt", "events"}

    assert {key: value for key, value in inside.items() if key not in moving} == {
        key: value for key, value in row.items() if key not in moving
    }
    assert row["questionID"].startswith("0x")
    assert len(json.loads(row["outcomePrices"])) == len(json.loads(row["clobTokenIds"])) == 2
    assert (await rows(web, f"/gamma/markets/slug/{row['slug']}"))["id"] == row["id"]
    assert (await rows(web, f"/gamma/events/slug/{event['slug']}"))["id"] == event["id"]


async def test_events_are_found_by_title_tag_series_and_search(web):
    every = (await rows(web, "/gamma/events/keyset", limit=100))["events"]
    titled = (await rows(web, "/gamma/events/keyset", title_search="BITCOIN"))["events"]
    tagged = (await rows(web, "/gamma/events/keyset", tag_slug="crypto"))["events"]
    serial = (await rows(web, "/gamma/events/keyset", recurrence="daily"))["events"]
    rest = (await rows(web, "/gamma/events/keyset", limit=100, exclude_tag_id="21"))["events"]
    found = await rows(web, "/gamma/public-search", q="bitcoin today", search_profiles="true")
    people = await rows(web, "/gamma/public-search", q="leader", search_profiles="true", limit_per_type=2)

    ids = [[one["id"] for one in events] for events in (titled, tagged, serial, found["events"])]
    assert ids == [ids[0]] * 4
    assert len(ids[0]) == 1
    assert len(rest) == len(every) - 1
    assert [one["name"] for one in people["profiles"]] == ["leader-1", "leader-2"]
    assert people["pagination"]["hasMore"]
    assert (await web.get("/gamma/public-search")).status_code == 422


async def test_comments_come_with_their_answers_and_their_authors(web):
    leader = (await traders(web))["leader-1"]
    (event, *_) = await rows(web, "/gamma/events", limit=1)
    said = {"user": leader, "entity_type": "Event", "entity_id": event["id"]}
    first = (await web.post("/admin/gamma/comment", json={**said, "body": "It will."})).json()["id"]
    await web.post("/admin/gamma/comment", json={**said, "body": "It will not.", "parent_id": first})
    asked = {"parent_entity_type": "Event", "parent_entity_id": event["id"]}
    page = (await rows(web, "/gamma/comments/keyset", **asked))["comments"]
    head = await rows(web, "/gamma/comments/keyset", limit=1, **asked)
    tail = await rows(web, "/gamma/comments/keyset", limit=1, after_cursor=head["next_cursor"], **asked)

    assert [one["body"] for one in page] == ["It will.", "It will not."]
    assert [head["comments"], tail["comments"]] == [page[:1], page[1:]]
    assert await rows(web, "/gamma/comments", limit=1, offset=1, **asked) == page[:1]
    assert (await rows(web, "/gamma/comments", **asked))[0]["body"] == "It will not."
    assert [one["id"] for one in await rows(web, f"/gamma/comments/{first}")] == [one["id"] for one in page]
    by_leader = await rows(web, f"/gamma/comments/user_address/{leader}")
    assert [one["body"] for one in by_leader if str(one["parentEntityID"]) == event["id"]] == [
        "It will not.",
        "It will.",
    ]
    assert (await web.post("/admin/gamma/comment", json={"body": "?"})).status_code == 400


async def test_what_gamma_does_not_have_is_absent(web):
    for path in (
        "/markets/1",
        "/events/slug/none",
        "/tags/9",
        "/series/9",
        "/public-profile?address=0x" + "d1" * 20,
        "/x",
    ):
        answer = await web.get("/gamma" + path)
        assert (answer.status_code, answer.json()["type"]) == (404, "not found error"), path
    assert (await web.post("/gamma/markets")).status_code == 405


async def test_a_trade_moves_the_volume_of_its_market(web, everything):
    fill = await mined(web, await trade(web, market=3, side="BUY"))
    (row,) = (await rows(web, "/gamma/markets/keyset", condition_ids=fill["condition_id"]))["markets"]
    (before,) = [one for one in everything if one["id"] == row["id"]]

    assert row["volumeNum"] == pytest.approx(before["volumeNum"] + fill["usdc_micros"] / 1_000_000)
    assert float(row["volume"]) == row["volumeNum"]
    assert row["liquidityNum"] > 0


async def test_what_the_oracle_proposes_shows_and_the_market_stays_active(web):
    listed = (await web.post("/admin/markets", json={"question": "Will it be proposed?", "delay_ms": 3_000})).json()
    condition = listed["condition_id"]
    await web.post("/admin/market", json={"condition_id": condition, "game_in_ms": 3_600_000})
    (quiet,) = await rows(web, "/gamma/markets", condition_ids=condition)
    for stage in ("proposed", "disputed"):
        await web.post("/admin/market", json={"condition_id": condition, "uma": stage})
        (row,) = await rows(web, "/gamma/markets", condition_ids=condition, uma_resolution_status=stage)
        (resolution,) = (await rows(web, "/data/v2/resolutions", condition=condition))["data"]

        assert (row["umaResolutionStatus"], row["active"], row["closed"]) == (stage, True, False)
        assert resolution["status"] == stage
    assert (quiet["umaResolutionStatus"], quiet["secondsDelay"]) == ("", 3)
    assert quiet["gameStartTime"].endswith("+00")


async def test_answers_of_one_question_are_markets_of_one_event(web):
    (event,) = (await rows(web, "/gamma/events/keyset", title_search="cup"))["events"]
    titles = [one["groupItemTitle"] for one in event["markets"]]
    alone = await rows(web, f"/gamma/markets/{event['markets'][1]['id']}")

    assert (event["negRisk"], len(set(titles))) == (True, len(titles)) == (True, 3)
    assert {one["negRiskMarketID"] for one in event["markets"]} == {event["negRiskMarketID"]}
    assert alone["events"][0]["id"] == event["id"]
    assert len({one["questionID"] for one in event["markets"]}) == 3


async def test_a_market_of_the_second_protocol_has_position_ids(web):
    (market,) = (await rows(web, "/gamma/markets/keyset", version="v2"))["markets"]
    named = market["positionIds"][1]
    of_position = (await rows(web, "/gamma/markets/keyset", position_ids=named))["markets"]
    of_token = (await rows(web, "/gamma/markets/keyset", clob_token_ids=named))["markets"]

    assert (len(market["positionIds"]), json.loads(market["clobTokenIds"])) == (2, [])
    assert ([one["id"] for one in of_position], of_token) == ([market["id"]], [])
    assert market["resolutionStatus"] == "active"
