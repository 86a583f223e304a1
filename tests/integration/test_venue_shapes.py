"""Every recorded answer of the real venue against this one's own: the same keys of the same types, but for what is written here.

Sockets and the chain have their comparisons beside their other tests; here is everything that is asked for over HTTP.
"""

from pathlib import Path
from typing import Any

import httpx
import pytest

from services.venue.bank import Bank
from services.venue.node.client import Node
from tests import recordings
from tests.venue_chain import BUY
from tests.venue_process import Venue
from tests.venue_shapes import differences
from tests.venue_trader import CENT, SHARE, Trader, listening
from tests.venue_web import mined, rows, trade, traders

pytestmark = pytest.mark.xdist_group("watched venue")

# Of every recording: the test that holds this venue's own answers against it, or why there is nothing to hold.
HELD: dict[str, str] = {
    "chain_eth_subscribe": "test_subscription_frames_have_the_recorded_shapes",
    "clob_book_open_trimmed": "test_books_and_prices_have_the_recorded_shape",
    "clob_market_resolved": "test_a_resolved_market_has_the_recorded_shape_at_gamma_and_at_the_clob",
    "clob_markets_info_example": "test_books_and_prices_have_the_recorded_shape",
    "clob_misc_open": "test_books_and_prices_have_the_recorded_shape",
    "gamma_event_btc_15m_resolved": "test_a_resolved_market_has_the_recorded_shape_at_gamma_and_at_the_clob",
    "data_pagination_errors": "test_refused_queries_say_what_the_real_api_says",
    "data_v1_activity_by_type": "test_every_kind_of_activity_has_the_recorded_shape",
    "data_v1_closed_positions": "test_a_position_that_was_sold_has_the_recorded_shape",
    "data_v1_positions": "test_what_is_read_of_a_trader_has_the_recorded_shape",
    "data_v1_trades": "test_what_is_read_of_a_trader_has_the_recorded_shape",
    "data_v2_activity": "test_what_is_read_of_a_trader_has_the_recorded_shape",
    "data_v2_positions_closed": "test_a_position_that_was_sold_has_the_recorded_shape",
    "data_v2_positions_open": "test_what_is_read_of_a_trader_has_the_recorded_shape",
    "data_v2_status": "test_what_is_read_of_a_trader_has_the_recorded_shape",
    "data_v2_trades_all": "test_what_is_read_of_a_trader_has_the_recorded_shape",
    "data_v2_trades_taker_only": "test_what_is_read_of_a_trader_has_the_recorded_shape",
    "clob_market_ws": "test_frames_have_the_recorded_fields_in_the_recorded_order",
    "rtds_activity_trades": "test_a_trade_is_told_by_rtds_the_data_api_and_the_chain_alike",
    "asyncapi_user_channel_examples": "test_an_order_and_its_trades_have_the_documented_shape",
    "post_order_openapi": "test_an_order_and_its_trades_have_the_documented_shape",
}
NOT_HELD = {
    "chain_orderfilled_samples": "what somebody read in logs, whose own shape is that of a subscription's frames",
    "match_orders_decoded": "what the operator sends, and no answer; its selector and its orders' hashes are held by golden tests",
    "detection_race": "times that somebody measured, and no payload",
    "requests": "what a client sends; the answers to it are a stub's",
}

DATA, CLOB = "polymarket/pb_data_api/{}.json", "polymarket/pb_clob/{}.json"
LATER = "a field that is newer than the recording"
CRYPTO = "a field of the markets on a coin's price that the recording is of"
STRANGER = "0x" + "5a" * 20

# By recording: where this venue's answer differs, and why it may.
ALLOWED: dict[str, dict[str, str]] = {
    "data_v2_status": {"-data.ingestion.lagging[]": "the one cursor here is never behind another"},
    "data_v2_positions_open": {"+data[].first_entry_at": LATER},
    "data_v2_positions_closed": {
        "+data[].first_entry_at": LATER,
        "~pagination.next_cursor: str is NoneType here": "there is one page here, and more there",
    },
    "gamma_event_btc_15m_resolved": {
        "-$schema": "names a document of the real one",
        "-startTime": CRYPTO,
        "-eventMetadata": CRYPTO,
        "-seriesSlug": "the market that is resolved here does not come again",
        "-markets[].eventStartTime": CRYPTO,
        "-markets[].cryptoMarketConfigId": CRYPTO,
        "-markets[].cryptoMarketConfig": CRYPTO,
        "+icon": "the recording's market has none",
        "+image": "the recording's market has none",
        "+markets[].icon": "the recording's market has none",
        "+markets[].image": "the recording's market has none",
        "+liquidity": "the recording's book is gone",
        "+liquidityClob": "the recording's book is gone",
        "+competitive": "the recording's book is gone",
        "+markets[].liquidity": "the recording's book is gone",
        "+markets[].liquidityNum": "the recording's book is gone",
        "+markets[].liquidityClob": "the recording's book is gone",
        "+markets[].secondsDelay": "left out there where it is zero",
        "+markets[].positionIds": "some markets of the first protocol have them, the recording's has none",
        "+series": "dropped by the transcriber",
        "+tags": "dropped by the transcriber",
    },
}


@pytest.fixture
def venue(watched_venue: Venue):
    return watched_venue


def unexpected(recording: str, recorded: Any, mine: Any) -> list[str]:
    return [one for one in differences(recorded, mine) if one not in ALLOWED.get(recording, {})]


@pytest.mark.parametrize(
    ("recording", "path"),
    [
        ("data_v1_trades", "/data/trades?user={leader}&takerOnly=false"),
        ("data_v1_positions", "/data/positions?user={leader}"),
        ("data_v2_activity", "/data/v2/activity?user={leader}&limit=1"),
        ("data_v2_trades_all", "/data/v2/trades?user={leader}&limit=1&taker_only=false"),
        ("data_v2_trades_taker_only", "/data/v2/trades?user={leader}&limit=1"),
        ("data_v2_positions_open", "/data/v2/positions?user={leader}&limit=1"),
        ("data_v2_status", "/data/v2/status"),
    ],
)
async def test_what_is_read_of_a_trader_has_the_recorded_shape(web, recording, path):
    recorded = recordings.load(DATA.format(recording))["response"]
    leader = (await traders(web))["leader-1"]
    mine = (await web.get(path.format(leader=leader))).json()

    assert mine
    assert unexpected(recording, recorded, mine) == []


@pytest.mark.parametrize(
    ("recording", "path"),
    [
        ("data_v1_closed_positions", "/data/closed-positions?user={leader}"),
        ("data_v2_positions_closed", "/data/v2/positions?user={leader}&status=CLOSED"),
    ],
)
async def test_a_position_that_was_sold_has_the_recorded_shape(web, recording, path):
    recorded = recordings.load(DATA.format(recording))["response"]
    bought = await mined(web, await trade(web, "leader-2", market=1, outcome=1, side="BUY"))
    await mined(
        web, await trade(web, "leader-2", market=1, outcome=1, side="SELL", shares_micros=0, fraction_bps=10_000)
    )
    leader = (await traders(web))["leader-2"]
    mine = (await web.get(path.format(leader=leader))).json()

    found = mine if isinstance(mine, list) else mine["data"]
    assert bought["token"] in {row.get("asset", row.get("token_id")) for row in found}
    assert unexpected(recording, recorded, mine) == []


async def test_every_kind_of_activity_has_the_recorded_shape(web, venue):
    recorded = recordings.load(DATA.format("data_v1_activity_by_type"))["response"]
    closed = await _resolved(web, venue)
    everyone = await traders(web)
    async with Node(venue.node_url) as node:
        open_market = (await rows(web, "/gamma/markets", limit=1))[0]["conditionId"]
        await Bank(node).merge(everyone["maker-1"], open_market, 1_000_000)
    for kind in ("REWARD", "MAKER_REBATE", "TAKER_REBATE"):
        await web.post("/admin/data/credit", json={"user": STRANGER, "kind": kind, "usdc_micros": 140_590_100})
    compared = set()
    for kind, sample in recorded.items():
        for user in (*everyone.values(), STRANGER):
            found = await rows(web, "/data/activity", user=user, type=kind, limit=1)
            if found:
                assert unexpected(kind, sample["rows"][0], found[0]) == [], kind
                assert list(found[0]) == list(sample["rows"][0]), kind
                compared.add(kind)

    assert closed["closed"]
    assert compared == set(recorded)


async def test_a_resolved_market_has_the_recorded_shape_at_gamma_and_at_the_clob(web, venue):
    recorded = recordings.load(CLOB.format("gamma_event_btc_15m_resolved"))["response"]
    market = await _resolved(web, venue)
    event = await rows(web, f"/gamma/events/{market['events'][0]['id']}")
    of_clob = await rows(web, f"/clob/markets/{market['conditionId']}")

    assert unexpected("gamma_event_btc_15m_resolved", recorded, event) == []
    resolved = recordings.load(CLOB.format("clob_market_resolved"))["response"]
    assert unexpected("clob_market_resolved", resolved, of_clob) == []
    assert list(of_clob) == list(resolved)


async def test_a_market_with_fees_has_the_recorded_fields_of_them(web):
    recorded = recordings.load(CLOB.format("gamma_event_btc_15m_resolved"))["response"]["markets"][0]
    (market,) = [one for one in await rows(web, "/gamma/markets", tag_id="21") if one["feesEnabled"]]

    assert market["feeType"] == recorded["feeType"]
    assert list(differences(recorded["feeSchedule"], market["feeSchedule"])) == []
    assert market["makerRebatesFeeShareBps"] == recorded["makerRebatesFeeShareBps"]


async def test_books_and_prices_have_the_recorded_shape(web):
    recorded = recordings.load(CLOB.format("clob_misc_open"))["response"]
    book = recordings.load(CLOB.format("clob_book_open_trimmed"))["response"]
    info = recordings.load(CLOB.format("clob_markets_info_example"))["response"]
    fill = await mined(web, await trade(web, market=2, side="BUY"))
    token = fill["token"]
    for asked, expected in recorded.items():
        path, _, query = asked.removeprefix("GET ").partition("?")
        answer = await web.get(f"/clob{path}?token_id={token}&{query}")
        assert list(differences(expected, answer.json())) == [], asked

    assert list(differences(book, await rows(web, "/clob/book", token_id=token))) == []
    mine = await rows(web, f"/clob/clob-markets/{fill['condition_id']}")
    assert unexpected("clob_markets_info_example", info, mine) == []
    assert list(mine) == list(info)


async def _resolved(web: httpx.AsyncClient, venue: Venue) -> dict[str, Any]:
    """A market of its own with fees, over, whose payouts a stranger has fetched."""
    said = {"question": "Is everything over?", "fee_rate": "0.07"}
    closed = await rows(web, "/gamma/markets", closed="true", slug="is-everything-over")
    if not closed:
        condition = (await web.post("/admin/markets", json=said)).json()["condition_id"]
        async with Node(venue.node_url) as node:
            bank = Bank(node)
            await bank.fund(STRANGER, 10_000_000)
            await bank.split(STRANGER, condition, 3_000_000)
            await web.post("/admin/resolve", json={"condition_id": condition, "outcome": 0})
            await bank.redeem(STRANGER, condition)
        closed = await rows(web, "/gamma/markets", closed="true", slug="is-everything-over")
    return closed[0]


async def test_an_order_and_its_trades_have_the_documented_shape(web, venue):
    posted = recordings.load("polymarket/docs_examples/post_order_openapi.json")["200"]
    told = recordings.load("polymarket/docs_examples/asyncapi_user_channel_examples.json")
    market = (await web.get("/admin/markets")).json()["markets"][0]
    token, trader = market["tokens"][0], await Trader.join(web)
    slow = (await web.post("/admin/markets", json={"question": "Is it late?", "delay_ms": 300})).json()["tokens"]
    await (await Trader.join(web)).place(slow[0], BUY, 10 * SHARE, 40 * CENT, "GTC")
    async with listening(venue.socket_url + "/ws/user", trader.channel) as socket:
        rested = await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
        await trader.cancel("/order", {"orderID": rested["orderID"]})
        bought = await trader.place(token, BUY, 10 * SHARE, 99 * CENT)
        frames = await socket.until(lambda frame: frame.get("status") == "CONFIRMED")
    delayed = await trader.place(slow[1], BUY, 10 * SHARE, 60 * CENT, "GTC")

    orders = {frame["type"]: frame for frame in frames if frame["event_type"] == "order"}
    trades = {frame["status"]: frame for frame in frames if frame["event_type"] == "trade"}
    assert unexpected("live", posted["live"], rested) == []
    assert unexpected("delayed", posted["delayed"], delayed) == []
    # Matches are committed later: their transactions are told of by the trades, and never here.
    assert list(differences(posted["matched"], bought)) == ["-transactionsHashes"]
    for example, kind in (("order_placement", "PLACEMENT"), ("order_cancellation", "CANCELLATION")):
        differ = differences(told[example], orders[kind])
        # The trades of an order are null or a list, there as here.
        assert [one for one in differ if not one.startswith("~associate_trades: ")] == []
    assert list(differences(told["trade_matched"], trades["MATCHED"])) == []
    assert list(differences(told["trade_confirmed"], trades["CONFIRMED"])) == []


def test_every_recording_is_held_against_the_venue_or_says_why_not():
    folder = recordings.path("polymarket")
    written = "".join(one.read_text() for one in Path(__file__).parents[1].rglob("test_*.py"))

    assert {one.stem for one in folder.rglob("*.json")} == HELD.keys() | NOT_HELD.keys()
    assert [name for name in HELD.values() if f"def {name}(" not in written] == []
