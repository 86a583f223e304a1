"""The official client's public half, unmodified, reads everything that the venue serves: a script for its sync and its async form."""

import asyncio
import inspect
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from polymarket import AsyncPublicClient, PublicClient
from polymarket.errors import RequestRejectedError

from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.sdk import sdk_environment
from tests.venue_process import Venue
from tests.venue_web import mined, trade, traders

pytestmark = pytest.mark.xdist_group("watched venue")


@pytest.fixture
def venue(watched_venue: Venue):
    return watched_venue


class Asked:
    """One client, asked by name: pages are read to their end."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def __call__(self, name: str, **wish: Any) -> Any:
        method = getattr(self._client, name)
        if inspect.iscoroutinefunction(method):
            return await method(**wish)
        answer = await asyncio.to_thread(lambda: method(**wish))
        if hasattr(answer, "iter_items"):
            return await self._whole(answer)
        return answer

    async def _whole(self, pages: Any) -> list[Any]:
        items = pages.iter_items()
        if hasattr(items, "__aiter__"):
            return [item async for item in items]
        return await asyncio.to_thread(lambda: list(items))


@pytest.fixture(params=["sync", "async"])
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
    state = await ask("get_trading_approvals_state", wallet=leader)

    assert state is not None


async def test_what_is_refused_is_said_in_the_venues_words(ask):
    with pytest.raises(RequestRejectedError) as refused:
        await ask("list_activity", user="nobody")
    assert (refused.value.status, "invalid user" in str(refused.value)) == (400, True)
