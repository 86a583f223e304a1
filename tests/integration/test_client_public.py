"""The official client's public half, unmodified, reads everything that the venue serves: a script for its sync and its async form."""

import inspect
import io
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

import httpx
import pytest
from polymarket import AsyncPublicClient, PublicClient
from polymarket.errors import RequestRejectedError
from polymarket.models.clob.requests import PriceRequest

from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.sdk import sdk_environment
from tests.venue_asked import FORMS, Asked
from tests.venue_process import Venue
from tests.venue_web import mined, trade, traders

pytestmark = pytest.mark.xdist_group("watched venue")


# What takes one of a few words.
FILTERED_BY_WORDS = {
    "order": "volume",
    "recurrence": "daily",
    "resolution_status": "active",
    "tag_match": "any",
    "uma_resolution_status": "resolved",
    "version": "v2",
}
LONG_AGO, FAR_OFF = datetime(2001, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)


@pytest.fixture
def venue(watched_venue: Venue):
    return watched_venue


@pytest.fixture(params=FORMS)
async def ask(request: pytest.FixtureRequest, venue: Venue):
    endpoints = replace(
        PRODUCTION,
        data_api_url=venue.url + "/data",
        gamma_url=venue.url + "/gamma",
        clob_url=venue.url + "/clob",
        rpc_url=venue.node_url,
    )
    environment = sdk_environment(endpoints)
    if request.param == "sync":
        client = PublicClient(environment=environment)
        yield Asked(client)
        client.close()
    else:
        asynchronous = AsyncPublicClient(environment=environment)
        yield Asked(asynchronous)
        await asynchronous.close()


@pytest.fixture
async def leader(web: httpx.AsyncClient) -> str:
    return (await traders(web))["leader-1"]


@pytest.fixture
async def fill(web: httpx.AsyncClient) -> dict[str, Any]:
    return await mined(web, await trade(web, market=2, side="BUY"))


async def test_activity_trades_positions_and_values_are_those_of_the_leader(ask, leader, fill):
    condition = fill["condition_id"]
    activity, trades = await ask("list_activity", user=leader), await ask("list_trades", user=leader, taker_only=False)
    narrow = await ask("list_activity", user=leader, condition_id=condition, activity_types=["TRADE"], side="BUY")
    positions = await ask("list_positions", user=leader, sort_by="TOKENS", page_size=2)
    others = await ask("list_positions", condition_id=condition)
    value = await ask("get_portfolio_value", user=leader)
    part = await ask("get_portfolio_value", user=leader, condition_ids=[condition])
    everything = await ask("list_activity", user=leader, full_history=True)

    assert fill["tx_hash"] in {one.transaction_hash for one in trades}
    assert [one.transaction_hash for one in trades] == [one.transaction_hash for one in activity]
    assert {one.condition_id for one in narrow} == {condition}
    assert len(everything) == len(activity)
    assert leader.lower() in {one.wallet.lower() for one in others}
    assert 0 < part.value <= value.value
    assert value.value == pytest.approx(sum(one.current_value for one in positions), abs=Decimal("0.001"))


@pytest.mark.parametrize("status", ["OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED"])
async def test_positions_of_every_status_can_be_read(ask, web, status):
    everyone = (await traders(web)).values()
    found = [one for user in everyone for one in await ask("list_positions", user=user, status=status)]

    allowed = {"OPEN": {"OPEN", "REDEEMABLE"}, "MERGEABLE": {"OPEN"}, "CLOSED": {"CLOSED"}}
    assert {str(one.status) for one in found} <= allowed.get(status, {"REDEEMABLE"})
    assert found or status not in ("OPEN", "MERGEABLE")


async def test_an_event_narrows_what_is_read(ask, leader, fill):
    (market,) = await ask("list_markets", condition_ids=[fill["condition_id"]], closed=False)
    event = int(market.events[0].id)
    trades = await ask("list_trades", user=leader, event_id=event, taker_only=False)
    volume = await ask("get_event_live_volume", event_ids=event)

    assert {one.condition_id for one in trades} == {fill["condition_id"]}
    assert {one.condition_id for one in await ask("list_positions", user=leader, event_id=event)} == {
        market.condition_id
    }
    assert volume.taker_volume_total == sum(one.taker_volume for one in volume.markets) > 0


async def test_what_is_said_of_a_market(ask, web, leader, fill):
    condition, token = fill["condition_id"], fill["token"]
    held = await ask("list_market_holders", condition_ids=condition, min_balance=0)
    gains = await ask("list_market_holders", condition_ids=condition, include_pnl=True)
    (open_interest,) = await ask("get_open_interests", condition_ids=condition)
    (whole,) = await ask("get_open_interests")
    history = await ask("list_price_history", asset_id=token, interval="1d", bucket_seconds=60)
    now = datetime.now(UTC)
    latest = await ask("list_price_history", asset_id=token, as_of=now)
    (reference,) = await ask("get_token_references", asset_ids=token)
    both = await ask("get_token_references", condition_ids=condition)
    (resolution,) = await ask("get_resolutions", condition_ids=condition)
    again = await ask("get_resolutions", question_id=resolution.question_id)

    assert leader.lower() in {one.wallet.lower() for side in held for one in side.holders}
    assert all(one.total_pnl is not None for side in gains for one in side.holders)
    assert 0 < open_interest.value <= whole.value
    assert history
    assert history[-1].price == latest[0].price
    assert (reference.condition_id, str(reference.module), reference.resolved) == (condition, "v1_ctf", False)
    assert {one.opposite_asset_id for one in both} == {one.asset_id for one in both}
    assert (str(resolution.status), resolution.payouts) == ("posed", None)
    assert [one.condition_id for one in again] == [condition]


async def test_what_is_said_of_people(ask, leader, fill):
    stats = await ask("get_user_stats", user=leader)
    nobody = await ask("get_user_stats", user="0x" + "d1" * 20)
    trades = await ask("list_trades", user=leader, taker_only=False)
    volume = await ask("get_user_volume", user=leader, full_history=True)
    series = await ask("get_user_pnl", user=leader, interval="max", fidelity="1h")
    board = await ask("list_trader_leaderboard", window="all", sort_by="VOLUME")
    standing = await ask("get_trader_leaderboard_standing", user=leader, window="all")
    winners = await ask("list_biggest_winners", window="all")
    with zipfile.ZipFile(io.BytesIO(await ask("download_accounting_snapshot", user=leader))) as snapshot:
        tables = snapshot.namelist()

    assert stats.traded_market_count == len({one.condition_id for one in trades}) > 0
    assert nobody is None
    assert series.points[-1].trade_count == volume.trade_count == len(trades)
    assert series.points[-1].volume_usdc == volume.volume_usdc
    assert [one.rank for one in board] == list(range(1, len(board) + 1))
    assert [one.volume for one in board] == sorted((one.volume for one in board), reverse=True)
    assert standing.volume == volume.volume_usdc
    assert all(one.pnl > 0 for one in winners)
    assert tables == ["positions.csv", "equity.csv"]


async def test_what_the_venue_never_has_is_empty(ask, leader):
    assert await ask("list_combo_activity", user=leader) == []
    assert await ask("list_combo_positions", user=leader) == []
    assert await ask("list_builder_leaderboard") == []
    assert tuple(await ask("get_builder_volumes")) == ()


async def test_approvals_are_those_of_the_chain(ask, leader):
    stranger = "0x" + "d1" * 20
    mine, his = [await ask("get_trading_approvals_state", wallet=one) for one in (leader, stranger)]

    assert mine != his


async def test_what_is_refused_is_said_in_the_venues_words(ask):
    with pytest.raises(RequestRejectedError) as refused:
        await ask("list_activity", user="nobody")
    assert (refused.value.status, "invalid user" in str(refused.value)) == (400, True)


async def test_markets_events_tags_and_series_can_be_browsed(ask):
    markets = await ask("list_markets", closed=False, page_size=2)
    first = markets[0]
    events = await ask("list_events", page_size=2, order="volume")
    tags = await ask("list_tags")
    series = await ask("list_series")

    assert (await ask("get_market", id=first.id)).condition_id == first.condition_id
    assert (await ask("get_market", slug=first.slug, include_tag=True)).tags
    assert {one.condition_id for event in events for one in event.markets} >= {one.condition_id for one in markets}
    assert (await ask("get_event", id=events[0].id)).slug == events[0].slug
    assert (await ask("get_event", slug=events[0].slug)).id == events[0].id
    for told in (await ask("get_market_tags", id=first.id), await ask("get_event_tags", id=events[0].id)):
        assert set() < {one.id for one in told} <= {one.id for one in tags}
    assert (await ask("get_tag", slug=tags[1].slug)).id == (await ask("get_tag", id=tags[1].id)).id == tags[1].id
    related = [str(one.related_tag_id) for one in await ask("get_related_tags", id=tags[1].id)]
    assert related == [one.id for one in await ask("get_related_tag_resources", id=tags[1].id)] != []
    assert (await ask("get_series", id=series[0].id)).slug == series[0].slug


@pytest.mark.parametrize(
    ("wish", "narrow", "some"),
    [
        ({"version": "v1"}, lambda one: str(one.version) == "v1", True),
        ({"version": "v2"}, lambda one: str(one.version) == "v2", True),
        ({}, lambda one: str(one.version) == "v1", True),
        ({"version": ("v1", "v2")}, lambda _: True, True),
        ({"tag_id": 21, "related_tags": True}, lambda one: "bitcoin" in one.slug, True),
        ({"end_date_min": LONG_AGO, "end_date_max": FAR_OFF}, lambda one: str(one.version) == "v1", True),
        ({"end_date_max": LONG_AGO}, lambda _: False, False),
        ({"volume_num_min": 10**9}, lambda _: False, False),
        ({"slug": ["none"]}, lambda _: False, False),
        ({"question_ids": ["0x" + "12" * 32]}, lambda _: False, False),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
async def test_markets_can_be_narrowed_in_every_way(ask, wish, narrow, some):
    found = await ask("list_markets", **wish)
    every = await ask("list_markets", closed=False, version=("v1", "v2"))

    assert {one.id for one in found} == {one.id for one in every if narrow(one)}
    assert bool(found) == some


@pytest.mark.parametrize("name", ["list_markets", "list_events"])
async def test_every_filter_that_the_client_can_send_is_understood(ask, name):
    """All at once, each with a value of its kind: what was not understood would be refused."""
    wishes = {one.name: _some(one) for one in inspect.signature(getattr(PublicClient, name)).parameters.values()}
    del wishes["self"], wishes["page_size"]

    assert len(wishes) > 30
    assert await ask(name, **wishes) == []


def _some(parameter: inspect.Parameter) -> Any:
    if parameter.name in FILTERED_BY_WORDS:
        return FILTERED_BY_WORDS[parameter.name]
    kinds = {bool: True, datetime: LONG_AGO, date: LONG_AGO.date(), int: 1, float: 1.0, str: "one"}
    named = (parameter.annotation, *get_args(parameter.annotation))
    return next((value for kind, value in kinds.items() if kind in named), None)


async def test_a_thread_of_comments_is_read_from_any_end(ask, web, leader):
    (event, *_) = await ask("list_events", title_search="cup")
    said = {"user": leader, "entity_type": "Event", "entity_id": event.id}
    first = (await web.post("/admin/gamma/comment", json={**said, "body": "Who?"})).json()["id"]
    answer = (await web.post("/admin/gamma/comment", json={**said, "body": "They.", "parent_id": first})).json()["id"]
    thread = await ask("get_comment_thread", id=first)
    on_event = await ask("list_comments", parent_entity_id=event.id, parent_entity_type="Event")
    by_leader = await ask("list_comments_by_user_address", address=leader)

    assert [(one.id, one.body) for one in thread] == [(first, "Who?"), (answer, "They.")]
    assert {first, answer} <= {one.id for one in on_event} & {one.id for one in by_leader}


async def test_people_sports_comments_and_search(ask, leader):
    profile = await ask("get_public_profile", address=leader)
    nobody = await ask("get_public_profile", address="0x" + "d1" * 20)
    found = await ask("search", q="bitcoin", search_tags=True, search_profiles=True)
    (event,) = await ask("list_events", title_search="bitcoin")

    assert (profile.name, nobody) == ("leader-1", None)
    assert found[0].events[0].id == event.id
    assert await ask("get_sports")
    assert (await ask("get_sports_market_types")).market_types
    assert len(await ask("list_teams", league=["local"])) == 2
    assert await ask("list_comments", parent_entity_id=event.id, parent_entity_type="Event") == []
    assert await ask("list_comments_by_user_address", address="0x" + "d1" * 20) == []


async def test_books_prices_and_what_an_order_would_cost(ask, fill):
    (market,) = await ask("list_markets", condition_ids=[fill["condition_id"]], closed=False)
    yes, no = market.outcomes.yes.token_id, market.outcomes.no.token_id
    book, books = await ask("get_order_book", token_id=yes), await ask("get_order_books", token_ids=[yes, no])
    buy, sell = await ask("get_price", token_id=yes, side="BUY"), await ask("get_price", token_id=yes, side="SELL")
    prices = await ask("get_prices", requests=[PriceRequest(token_id=yes, side="BUY")])
    middle, spread = await ask("get_midpoint", token_id=yes), await ask("get_spread", token_id=yes)
    last = await ask("get_last_trade_price", token_id=fill["token"])
    cost = await ask("estimate_market_price", token_id=yes, side="BUY", amount=10)

    assert {one.asset_id for one in books} == {yes, no}
    assert buy == max(one.price for one in book.bids)
    assert sell == min(one.price for one in book.asks)
    assert prices[yes]["BUY"] == buy
    assert (middle, spread) == ((buy + sell) / 2, sell - buy)
    assert (await ask("get_midpoints", token_ids=[yes]))[yes] == middle
    assert (await ask("get_spreads", token_ids=[yes]))[yes] == spread
    assert last.price > 0
    assert cost == sell
    assert fill["token"] in {one.asset_id for one in await ask("get_last_trade_prices", token_ids=[fill["token"]])}
