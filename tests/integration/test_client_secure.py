"""The official client's secure half, unmodified, through everything that it can do with an account at the CLOB: one script for both its forms."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from polymarket.auth import BuilderApiKey
from polymarket.errors import OrderHeartbeatMismatchError, RequestRejectedError

from services.venue.accounts import Kind
from tests.venue_asked import FORMS, Asked, asked
from tests.venue_owner import Owner, an_owner
from tests.venue_process import Venue
from tests.venue_views import FINE, PLAIN

pytestmark = pytest.mark.xdist_group("swift venue")

CODE = "0x" + "34" * 32
TODAY = "2026-11-20"
UNKNOWN = "0x" + "ef" * 32


@pytest.fixture(scope="module")
def venue(swift_venue: Venue) -> Venue:
    return swift_venue


@pytest.fixture
def owner(venue: Venue) -> Owner:
    return an_owner(venue, Kind.EOA)


@pytest.fixture(params=FORMS)
async def ask(request: pytest.FixtureRequest, owner: Owner) -> AsyncIterator[Asked]:
    async with asked(owner, request.param) as opened:
        yield opened


@pytest.fixture
async def market(web: httpx.AsyncClient) -> dict[str, Any]:
    return (await web.get("/admin/markets")).json()["markets"][PLAIN]


async def test_orders_are_made_posted_looked_up_and_cancelled_in_every_form(ask, market):
    token, condition = market["tokens"][0], market["condition_id"]
    bid: dict[str, Any] = {"token_id": token, "side": "BUY", "size": "10"}
    signed = [await ask("create_limit_order", **bid, price=price) for price in ("0.02", "0.03", "0.04", "0.05")]
    first = await ask("post_order", signed[0])
    with pytest.raises(RequestRejectedError, match="Duplicated"):
        await ask("post_order", signed[0])
    second, third, fourth = await ask("post_orders", signed[1:])
    good = await ask("place_limit_order", **bid, price="0.06", expiration=int(time.time()) + 400)
    quiet = await ask("place_limit_order", **bid, price="0.07", post_only=True)
    every = [one.order_id for one in (first, second, third, fourth, good, quiet)]
    found = await ask("get_order", order_id=first.order_id)
    listed = await ask("list_open_orders", market=condition)
    narrow = await ask("list_open_orders", token_id=token, id=second.order_id)
    scoring = await ask("get_order_scoring", order_id=first.order_id), await ask("get_orders_scoring", order_ids=every)
    one = await ask("cancel_order", order_id=first.order_id)
    two = await ask("cancel_orders", order_ids=[second.order_id, UNKNOWN])
    of_market = await ask("cancel_market_orders", market=condition, token_id=token)

    assert {answer.status for answer in (first, second, third, fourth, good, quiet)} == {"live"}
    assert (found.id, found.status, found.original_size) == (first.order_id, "LIVE", 10)
    assert {order.id for order in listed} == set(every)
    assert [order.id for order in narrow] == [second.order_id]
    assert scoring == (False, dict.fromkeys(every, False))
    assert one.canceled == (first.order_id,)
    assert (two.canceled, dict(two.not_canceled)) == ((second.order_id,), {UNKNOWN: "Order not found"})
    assert set(of_market.canceled) == set(every[2:])
    assert (await ask("cancel_all")).canceled == ()


async def test_market_orders_trade_settle_and_are_found_in_every_list(ask, web, owner, market):
    await web.post("/admin/builders", json={"code": CODE})
    token, condition = market["tokens"][0], market["condition_id"]
    signed = await ask("create_market_order", token_id=token, side="BUY", amount="10", order_type="FAK")
    bought = await ask("post_order", signed)
    (tx_hash,) = await ask("wait_for_order_fill_settlement", bought)
    capped = await ask("place_market_order", token_id=token, side="BUY", amount="5", max_price="0.9")
    sold = await ask("place_market_order", token_id=token, side="SELL", shares="5", order_type="FOK")
    built = await ask("place_market_order", token_id=token, side="BUY", amount="5", builder_code=CODE)
    for answer in (capped, sold, built):
        await ask("wait_for_order_fill_settlement", answer)
    trades = await ask("list_account_trades", market=condition)
    (first,) = await ask("list_account_trades", id=bought.trade_ids[0])
    of_builder = await ask("list_builder_trades", builder_code=CODE)
    fees = await ask("get_builder_fee_rates", CODE)
    held = await ask("get_balance_allowance", asset_type="CONDITIONAL", token_id=token)
    activity = await ask("list_activity")
    positions = await ask("list_positions")
    value = await ask("get_portfolio_value")

    assert {answer.status for answer in (bought, capped, sold, built)} == {"matched"}
    assert {one.id for one in trades} == {one for answer in (bought, capped, sold, built) for one in answer.trade_ids}
    assert (first.transaction_hash, first.trader_side) == (tx_hash, "TAKER")
    assert built.trade_ids[0] in {one.id for one in of_builder}
    assert fees is not None
    shares = bought.taking_amount + capped.taking_amount + built.taking_amount - 5
    assert held.balance == round(shares * 10**6)
    assert [str(one.type) for one in activity] == ["TRADE"] * 4
    assert [one.current_size for one in positions] == [shares]
    assert value.value > 0


async def test_an_owner_is_told_of_fills_beats_its_heart_and_reads_its_rewards(ask, web, market):
    fine = (await web.get("/admin/markets")).json()["markets"][FINE]["condition_id"]
    bought = await ask("place_market_order", token_id=market["tokens"][0], side="BUY", amount="5")
    await ask("wait_for_order_fill_settlement", bought)
    told = await ask("get_notifications")
    await ask("drop_notifications", ids=[str(told[0].id)])
    first = await ask("send_order_heartbeat")
    second = await ask("send_order_heartbeat", heartbeat_id=first.heartbeat_id)
    with pytest.raises(OrderHeartbeatMismatchError) as missed:
        await ask("send_order_heartbeat", heartbeat_id=first.heartbeat_id)
    current = await ask("list_current_rewards")

    assert told
    assert told[0].id not in [one.id for one in await ask("get_notifications")]
    assert missed.value.heartbeat_id == second.heartbeat_id
    assert fine in {one.condition_id for one in current}
    assert len(await ask("list_market_rewards", condition_id=fine)) == 1
    assert fine in {one.condition_id for one in await ask("list_reward_markets")}
    assert await ask("list_user_earnings_for_day", date=TODAY) == []
    assert await ask("list_user_earnings_and_markets_config", date=TODAY) == []
    assert tuple(await ask("get_total_earnings_for_user_for_day", date=TODAY)) == ()
    assert tuple(await ask("get_current_rebates", date=TODAY, maker_address="0x" + "d1" * 20)) == ()
    assert await ask("get_reward_percentages") is not None
    assert await ask("get_closed_only_mode") is False


@pytest.mark.parametrize("form", FORMS)
async def test_keys_are_made_listed_and_ended(owner, form):
    async with asked(owner, form) as ask:
        mine = ask.client.credentials.key
        listed = await ask("fetch_api_keys")
        made = await ask("create_builder_api_key")
        builders = await ask("fetch_builder_api_keys")
        public = await ask("end_authentication")
        closing = public.close()
        if asyncio.iscoroutine(closing):
            await closing
    key = BuilderApiKey(key=made.key, secret=made.secret, passphrase=made.passphrase)
    async with asked(owner, form, api_key=key) as ask:
        await ask("revoke_builder_api_key")
        ended = await ask("fetch_builder_api_keys")
        await ask("delete_api_key")
        with pytest.raises(RequestRejectedError, match="api key"):
            await ask("fetch_api_keys")

    assert listed == (mine,)
    assert [one.key for one in builders] == [made.key]
    assert ended[0].revoked_at is not None
