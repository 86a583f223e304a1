"""What is odd about the real venue or its clients, each by its switch: places that may only close, answers of another shape, floats."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from py_clob_client_v2 import ClobClient
from py_clob_client_v2.clob_types import MarketOrderArgs, OrderArgs
from py_clob_client_v2.exceptions import PolyApiException

from services.cli.venue_log import read
from services.venue.accounts import Kind
from services.venue.bank import Bank
from services.venue.node.client import Node
from tests.contract.venue_scenes import CASH, over_the_network
from tests.venue_chain import BUY, SELL
from tests.venue_owner import an_owner
from tests.venue_process import Venue
from tests.venue_trader import CENT, SHARE, USDC, Trader
from tests.venue_views import market

pytestmark = pytest.mark.xdist_group("swift venue")

TEN = 10 * SHARE
STRANGER = "0x" + "5a" * 20


@pytest.fixture(scope="module")
def venue(swift_venue: Venue) -> Venue:
    return swift_venue


@pytest.fixture
async def close_only(web: httpx.AsyncClient) -> AsyncIterator[None]:
    """Everybody is at a place from which one may only close; afterwards nobody is."""
    assert (await web.post("/admin/geoblock", json={"close_only": True})).status_code == 200
    yield
    await web.post("/admin/geoblock", json={"close_only": False})


async def test_from_some_places_one_may_only_close(web, trader: Trader, close_only):
    token = (await market(web))["tokens"][0]
    bought = await trader.refusal(token, BUY, TEN, 99 * CENT)
    sold = await trader.refusal(token, SELL, TEN, CENT)
    cancelled = await trader.cancel("/cancel-all")
    wrong = await web.post("/admin/geoblock", json={"close_only": 1})

    assert (bought[0], bought[1].startswith("Trading restricted in your region")) == (403, True)
    # A sale passes, and is judged by what its wallet has.
    assert (sold[0], sold[1].startswith("not enough balance / allowance")) == (400, True)
    assert cancelled == {"canceled": [], "not_canceled": {}}
    assert wrong.json() == {"error": "close_only: expected true or false"}


async def test_a_balance_can_tell_one_allowance_for_all(web, venue: Venue):
    assert (await web.post("/admin/clob", json={"allowances": "singular"})).json()["allowances"] == "singular"
    try:
        async with over_the_network(venue) as scene:
            wallet = await scene.clob.wallet()
            spent = await (await Trader.join(web)).ask("/balance-allowance", asset_type="COLLATERAL")
    finally:
        await web.post("/admin/clob", json={"allowances": "plural"})

    assert list(spent) == ["balance", "allowance"]
    assert (wallet.balance_micros, wallet.allowances) == (CASH, {})
    assert wallet.allowance_micros == int(spent["allowance"]) > CASH


async def test_a_heart_beats_without_an_id_too(web, trader: Trader):
    first = (await trader.send("POST", "/v1/heartbeats", b'{"heartbeat_id":""}')).json()["heartbeat_id"]
    plain = await trader.send("POST", "/heartbeats")
    next_one = await trader.send("POST", "/v1/heartbeats", b'{"heartbeat_id":"%s"}' % first.encode())

    assert (plain.status_code, plain.json()) == (200, {"status": "ok"})
    assert next_one.status_code == 200
    assert (await web.post("/clob/heartbeats")).status_code == 401


async def test_a_price_of_29_cents_loses_a_tick_on_its_way_through_floats(web, venue: Venue, trader: Trader):
    listed = (await web.post("/admin/markets", json={"question": "Is 0.29 really 0.29?"})).json()
    async with Node(venue.node_url) as node:
        await Bank(node).split(trader.address, listed["condition_id"], 200 * USDC)
    await trader.ask("/balance-allowance/update", asset_type="COLLATERAL")
    await trader.place(listed["tokens"][0], SELL, 200 * SHARE, 29 * CENT, "GTC")
    client = ClobClient(venue.url + "/clob", 137, key=an_owner(venue, Kind.EOA).key.key.hex())
    client.set_api_creds(client.create_or_derive_api_key())

    def buy(price: float) -> MarketOrderArgs:
        return MarketOrderArgs(token_id=listed["tokens"][0], amount=10, side="BUY", price=price, order_type="FOK")

    lost, kept = client.create_market_order(buy(0.29)), client.create_market_order(buy(0.29 + 1e-9))
    with pytest.raises(PolyApiException, match="FOK orders are fully filled or killed"):
        client.post_order(lost, "FOK")
    bought = client.post_order(kept, "FOK")
    sized = client.create_order(OrderArgs(token_id=listed["tokens"][0], price=0.3, size=8.2, side="BUY"))

    assert [int(one.makerAmount) * 100 // int(one.takerAmount) for one in (lost, kept)] == [28, 29]
    assert bought["status"] == "matched"
    assert sized.takerAmount == "8190000"


@pytest.mark.parametrize(
    ("name", "turned", "back"),
    [
        ("data", {"lag_ms": 5, "recompute_ms": 7, "retired": True}, {"lag_ms": 0, "recompute_ms": 0, "retired": False}),
        ("clob", {"matched_lag_ms": 5}, {"matched_lag_ms": 0}),
        ("geoblock", {"blocked": True}, {"blocked": False}),
        ("restrict", {"address": STRANGER, "standing": "banned"}, {"address": STRANGER, "standing": "open"}),
        ("sockets", {"channel": "rtds", "silent_ms": 300_000}, {"channel": "rtds", "silent_ms": 360_000}),
        ("limits", {"mode": "warn"}, {"mode": "off"}),
        ("clock", {"off_ms": 5}, {"off_ms": 0}),
    ],
)
async def test_every_switch_that_is_turned_leaves_one_line(web, name, turned, back):
    before, told = await _lines(web, 0), list[int]()
    for said in (turned, turned | {list(turned)[-1]: "nonsense"}, back):
        told.append((await web.post(f"/admin/{name}", json=said)).status_code)
    found = [one for one in await _lines(web, before[-1]["seq"]) if one["kind"] == "switched"]

    assert told == [200, 400, 200]
    assert [one["name"] for one in found] == [name, name]
    assert turned.items() <= found[0]["values"].items()
    assert back.items() <= found[1]["values"].items()
    assert read(found, [STRANGER]) == read([], [STRANGER])


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("data", "cache_ms, lag_ms, recompute_ms, refuse, retired"),
        ("data/credit", "kind, usdc_micros, user"),
        ("geoblock", "blocked, close_only, country, region"),
        ("restrict", "address, standing"),
        ("sockets", "channel, queued, silent_ms"),
        ("limits", "mode, signer, tier"),
        ("clock", "advance_ms, off_ms, speed"),
        ("refusals", "after, status, text, times, wallet"),
        ("fund", "address, approve, usdc_micros"),
        ("tick", "condition_id, tick_micros"),
        ("builders", "code, maker_bps, taker_bps"),
        ("sweep", "condition_id, market, orders, outcome, shares_micros, side, trader"),
        ("script", "delay_s, name, speed"),
    ],
)
async def test_a_command_is_refused_by_the_name_that_it_should_not_have(web, path, names):
    answer = await web.post(f"/admin/{path}", json={"nmae": 1})

    assert (answer.status_code, answer.json()) == (400, {"error": f"nmae: expected one of {names}"})


async def _lines(web: httpx.AsyncClient, after: int) -> list[dict[str, Any]]:
    return (await web.get("/admin/journal", params={"after": after})).json()["lines"]
