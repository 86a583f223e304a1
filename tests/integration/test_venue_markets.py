"""Markets made while the venue runs: of every kind, from their first moment, when not everybody knows of them, to their trades."""

import asyncio
import itertools
import json
from typing import Any

import pytest

from services.common.polymarket.parse.activity import read_rows
from services.venue.contracts import NEG_RISK, POSITIONS, STANDARD
from tests.patience import PATIENT_S
from tests.venue_chain import BUY, SELL
from tests.venue_trader import CENT, SHARE, Signer, Trader
from tests.venue_web import exact, rows

pytestmark = pytest.mark.xdist_group("venue markets")

TEN = 10 * SHARE
HOUR_MS = 3_600_000
NOT_READY = (400, {"error": "the market is not yet ready to process new orders"})
KINDS = [
    pytest.param("markets", {}, STANDARD, id="standard"),
    pytest.param("events", {"answers": ["Red", "Blue", "Green"]}, NEG_RISK, id="neg-risk"),
    pytest.param("markets", {"version": "v2"}, POSITIONS, id="protocol v2"),
]
_names = itertools.count(1)


async def made(web, path: str, **said: Any) -> dict[str, Any]:
    """A market that nobody quotes; the second of an event."""
    name = f"Which one passes markets test {next(_names)}?"
    answer = await web.post("/admin/" + path, json=said | {"question" if path == "markets" else "title": name})
    assert answer.status_code == 200, answer.text
    return answer.json() if path == "markets" else answer.json()["markets"][1]


async def two_of(web, contract) -> tuple[Signer, Signer]:
    one, two = [Signer(await Trader.join(web), contract) for _ in range(2)]
    return one, two


async def at_gamma(web, market: dict[str, Any], **filters: Any) -> dict[str, Any]:
    (found,) = await rows(web, "/gamma/markets", condition_ids=market["condition_id"], **filters)
    return found


async def shown(web, wallet: str, count: int) -> list[dict[str, Any]]:
    """A wallet's rows of `/v2/activity`, the newest first, once there are so many."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            found = (await rows(web, "/data/v2/activity", user=wallet))["data"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def grown(web, market: dict[str, Any], **said: Any) -> dict[str, Any]:
    answer = await web.post("/admin/market", json={"condition_id": market["condition_id"], **said})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(("path", "said", "contract"), KINDS)
async def test_markets_of_every_kind_are_made_and_traded_while_the_venue_runs(web, path, said, contract):
    market = await made(web, path, **said)
    yes, no = market["tokens"]
    one, two = await two_of(web, contract)
    short = await rows(web, f"/clob/clob-markets/{market['condition_id']}")
    listed = await at_gamma(web, market)
    ids = listed["positionIds"] if contract is POSITIONS else json.loads(listed["clobTokenIds"])

    await one.place(yes, BUY, TEN, 40 * CENT)
    minted = await two.place(no, BUY, TEN, 60 * CENT)
    await two.trader.settled(minted["orderID"])
    await one.place(yes, SELL, TEN, 55 * CENT)
    merged = await two.place(no, SELL, TEN, 45 * CENT)
    await two.trader.settled(merged["orderID"])

    assert ids == [yes, no] == [one["t"] for one in short["t"]]
    assert (short["v"], short.get("nr", False)) == (market["version"], contract is NEG_RISK)
    assert [await who.trader.cash_micros() for who in (one, two)] == [1_001_500_000, 998_500_000]


async def test_a_makers_row_of_shares_that_were_minted_or_merged_is_of_the_other_outcome(web):
    yes, no = (await made(web, "markets"))["tokens"]
    one, two = await two_of(web, STANDARD)
    for side, first, second in ((BUY, 40, 60), (SELL, 55, 45)):
        await one.place(yes, side, TEN, first * CENT)
        matched = await two.place(no, side, TEN, second * CENT)
        await two.trader.settled(matched["orderID"])
    makers, takers = [await shown(web, who.trader.address.lower(), 2) for who in (one, two)]

    assert [(row["side"], row["token_id"], row["price"]) for row in makers] == [("SELL", yes, 0.55), ("BUY", yes, 0.4)]
    assert [(row["side"], row["token_id"], row["price"]) for row in takers] == [("SELL", no, 0.45), ("BUY", no, 0.6)]
    assert [row["transaction_hash"] for row in makers] == [row["transaction_hash"] for row in takers]


async def test_a_purchase_over_several_prices_is_a_row_whose_price_is_on_no_grid(web):
    yes, no = (await made(web, "markets"))["tokens"]
    one, two = await two_of(web, STANDARD)
    for price in (60, 59, 59):
        await one.place(no, BUY, TEN, price * CENT)
    bought = await two.trader.place(yes, BUY, 30 * SHARE, 41 * CENT)
    await two.trader.settled(bought["orderID"])
    (row,) = await shown(web, two.trader.address.lower(), 1)

    # A market order spends its dollars: 12.30 of them, at 0.40, 0.41 and 0.41.
    assert (row["size"], row["usdc_size"], row["price"]) == (30.0, 12.2, 0.4066666667)


@pytest.mark.parametrize("said", [{}, {"version": "v2"}], ids=["standard", "protocol v2"])
async def test_a_market_that_was_just_made_is_known_to_the_clob_and_gamma_later(web, said):
    market = await made(web, "markets", hydrate_ms=HOUR_MS, **said)
    yes, _ = market["tokens"]
    signer = Signer(await Trader.join(web), POSITIONS if said else STANDARD)
    clob = [f"/clob/clob-markets/{market['condition_id']}", f"/clob/markets/{market['condition_id']}"]
    clob += [f"/clob/book?token_id={yes}", f"/clob/markets-by-token/{yes}"]

    early, listed = [(await web.get(path)).status_code for path in clob], await at_gamma(web, market)
    full = (await rows(web, "/clob/markets"))["data"]
    refused = await signer.post(yes, BUY, TEN, CENT)
    by_token = "position_ids" if said else "clob_token_ids"
    found = await rows(web, "/gamma/markets", **{by_token: yes})
    await grown(web, market, hydrated=True)

    assert (early, found) == ([404] * 4, [])
    assert (listed["clobTokenIds"], listed.get("positionIds", []), listed["acceptingOrders"]) == ("[]", [], False)
    assert [one["token_id"] for one in full[-1]["tokens"]] == ["", ""]
    assert (refused.status_code, refused.json()) == NOT_READY
    assert [(await web.get(path)).status_code for path in clob] == [200] * 4
    assert (await at_gamma(web, market))["acceptingOrders"] is True
    assert (await signer.place(yes, BUY, TEN, CENT))["status"] == "live"


async def test_a_market_is_hydrated_and_labelled_when_its_time_has_come(web):
    market = await made(web, "markets", hydrate_ms=50, label_ms=100)
    async with asyncio.timeout(PATIENT_S):
        while True:
            state = await grown(web, market)
            if state["hydrated"] and state["labelled"]:
                break
            await asyncio.sleep(0.02)

    assert (market["hydrated"], market["labelled"]) == (False, False)
    assert (await web.get(f"/clob/clob-markets/{market['condition_id']}")).status_code == 200


async def test_rows_of_a_market_without_labels_are_of_outcome_999_and_of_no_event(web):
    market = await made(web, "markets", label_ms=HOUR_MS)
    yes, no = market["tokens"]
    one, two = await two_of(web, STANDARD)
    wallet = two.trader.address.lower()
    await one.place(no, BUY, TEN, 50 * CENT)
    await two.place(yes, BUY, TEN, 50 * CENT)
    (second,) = await shown(web, wallet, 1)
    (first,) = await rows(web, "/data/activity", user=wallet)
    (trade,) = await rows(web, "/data/trades", user=wallet)
    (parsed,) = read_rows("activity", await exact(web, "/data/activity", user=wallet))
    await grown(web, market, labelled=True)
    (labelled,) = await shown(web, wallet, 1)

    for row in (first, trade):
        assert (row["outcomeIndex"], row["eventSlug"], row["outcome"], row["asset"]) == (999, "", "", yes)
    assert (second["outcome_index"], second["event_slug"], second["token_id"]) == (999, "", yes)
    assert (parsed.outcome_index, parsed.token_id) == (None, yes)
    assert (labelled["outcome_index"], labelled["outcome"], labelled["event_slug"]) == (0, "Yes", market["slug"])


async def test_an_augmented_event_keeps_placeholders_for_answers_that_come_later(web):
    said = {"title": "Who leads the choir?", "answers": ["Ada", "Bob"], "placeholders": 1, "other": True}
    markets = (await web.post("/admin/events", json=said)).json()["markets"]
    kept, other = markets[2:]
    signer = Signer(await Trader.join(web), NEG_RISK)
    (event,) = [one for one in await rows(web, "/gamma/events", limit=100) if one["title"] == said["title"]]
    early = await signer.post(kept["tokens"][0], BUY, TEN, CENT)
    half = {"condition_id": kept["condition_id"], "name": "Eve", "delay_ms": -1}
    refused = await web.post("/admin/market", json=half)
    untouched = await at_gamma(web, kept)
    book = await web.get("/clob/book", params={"token_id": kept["tokens"][0]})
    named = await web.post("/admin/market", json={"condition_id": kept["condition_id"], "name": "Cleo"})
    again = await web.post("/admin/market", json={"condition_id": kept["condition_id"], "name": "Dora"})
    late = await signer.place(kept["tokens"][0], BUY, TEN, CENT)
    row = await at_gamma(web, kept)

    assert (event["negRisk"], event["negRiskAugmented"]) == (True, True)
    # One field that is wrong, and nothing of the rest is done.
    assert (refused.status_code, refused.json()["error"].split(":")[0]) == (400, "delay_ms")
    assert (untouched["groupItemTitle"], untouched["active"], untouched["acceptingOrders"]) == (
        "Answer 1",
        False,
        False,
    )
    states = [
        (one["groupItemTitle"], one["active"], one["acceptingOrders"], one["negRiskOther"]) for one in event["markets"]
    ]
    assert states == [
        ("Ada", True, True, False),
        ("Bob", True, True, False),
        ("Answer 1", False, False, False),
        ("Other", True, True, True),
    ]
    assert ((early.status_code, early.json()), book.status_code) == (NOT_READY, 404)
    assert (named.status_code, again.status_code, late["status"]) == (200, 400, "live")
    assert (row["groupItemTitle"], row["question"], row["active"]) == ("Cleo", "Who leads the choir: Cleo?", True)
    assert (await signer.place(other["tokens"][0], BUY, TEN, CENT))["status"] == "live"


async def test_some_markets_of_the_first_protocol_name_positions_that_nobody_trades(web):
    listed = (await rows(web, "/gamma/markets/keyset", version="v1", limit=100))["markets"]
    both = [one for one in listed if one.get("positionIds")]
    tokens = {token for one in listed for token in json.loads(one["clobTokenIds"])}

    assert 0 < len(both) < len(listed)
    for one in both:
        assert len(one["positionIds"]) == 2
        assert not tokens & set(one["positionIds"])
        assert (await web.get("/clob/book", params={"token_id": one["positionIds"][0]})).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("events", {"title": "", "answers": ["a", "b"]}, "title"),
        ("events", {"title": "Which?", "answers": "a"}, "answers"),
        ("events", {"title": "Which?", "answers": ["a"]}, "answers"),
        ("events", {"title": "Which?", "answers": ["a", "a"]}, "answers"),
        ("events", {"title": "Which?", "answers": ["a", "b"], "placeholders": -1}, "placeholders"),
        ("events", {"title": "Which?", "answers": ["a", "b"], "other": "yes"}, "other"),
        ("events", {"title": "Which?", "answers": ["a", "b"], "version": "v2"}, "version"),
        ("events", {"title": "Which?", "answers": ["a", "b"], "hydrate_ms": -1}, "hydrate_ms"),
        ("markets", {"question": "Which?", "label_ms": "soon"}, "label_ms"),
        ("markets", {"question": "Which?", "version": "v3"}, "version"),
    ],
)
async def test_a_listing_that_makes_no_sense_is_refused_by_the_name_of_its_field(web, path, body, named):
    answer = await web.post("/admin/" + path, json=body)

    assert (answer.status_code, answer.json()["error"].partition(":")[0]) == (400, named)
