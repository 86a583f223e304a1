"""`py-clob-client-v2`, unmodified but for its host, through everything that it can do with a plain wallet."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from py_clob_client_v2 import ClobClient
from py_clob_client_v2.clob_types import (
    BalanceAllowanceParams,
    BookParams,
    BuilderTradeParams,
    DropNotificationParams,
    MarketOrderArgs,
    OpenOrderParams,
    OrderArgs,
    OrderMarketCancelParams,
    OrderPayload,
    OrderScoringParams,
    OrdersScoringParams,
    PartialCreateOrderOptions,
    PostOrdersV2Args,
    PricesHistoryParams,
    TradeParams,
)
from py_clob_client_v2.exceptions import PolyApiException

from tests.patience import PATIENT_S
from tests.venue_process import Venue
from tests.venue_trader import USDC, a_wallet
from tests.venue_views import FINE

pytestmark = [pytest.mark.xdist_group("client clob v2")]

CODE = "0x" + "12" * 32
UNKNOWN = "0x" + "ef" * 32
TODAY = "2026-11-20"


@pytest.fixture(scope="module")
def client(venue: Venue) -> Iterator[ClobClient]:
    """Of a wallet with 5,000 dollars, logged in."""
    account = a_wallet()
    with httpx.Client(base_url=venue.url, timeout=PATIENT_S) as web:
        web.post("/admin/fund", json={"address": account.address, "usdc_micros": 5_000 * USDC}).raise_for_status()
        web.post("/admin/builders", json={"code": CODE}).raise_for_status()
    opened = ClobClient(venue.url + "/clob", 137, key=account.key.hex())
    opened.set_api_creds(opened.create_or_derive_api_key())
    return opened


@pytest.fixture(scope="module")
def listed(client: ClobClient) -> list[dict[str, Any]]:
    return client.get_markets()["data"]


@pytest.fixture(scope="module")
def plain(listed: list[dict[str, Any]]) -> dict[str, Any]:
    """A market on a grid of cents, without fees."""
    return listed[0]


@pytest.fixture(scope="module")
def yes(plain: dict[str, Any]) -> str:
    return plain["tokens"][0]["token_id"]


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(PolyApiException) as caught:
        call()
    return caught.value.status_code, caught.value.error_msg["error"]


def best(client: ClobClient, token: str) -> tuple[float, float]:
    book = client.get_order_book(token)
    return float(book["bids"][-1]["price"]), float(book["asks"][-1]["price"])


def far_below(client: ClobClient, token: str) -> float:
    return round(best(client, token)[0] - 0.1, 2)


def test_it_knows_the_venue_and_logs_in(client):
    creds = client.creds

    assert client.get_ok() == "OK"
    assert abs(client.get_server_time() - time.time()) < PATIENT_S
    assert client.get_version() == 2
    assert client.derive_api_key() == client.create_or_derive_api_key() == creds
    assert refused(client.create_api_key) == (400, "Could not create api key")
    assert refused(lambda: client.derive_api_key(7)) == (400, "Could not derive api key!")
    assert client.get_api_keys() == {"apiKeys": [creds.api_key]}
    assert client.get_closed_only_mode() == {"closed_only": False}
    client.use_server_time = True
    assert client.get_api_keys() == {"apiKeys": [creds.api_key]}
    client.use_server_time = False


def test_an_order_of_version_one_is_told_from_those_of_today(client, yes):
    order = OrderArgs(token_id=yes, price=0.5, size=10, side="BUY")
    old = client.create_order(order, PartialCreateOrderOptions(version=1))
    legs = client.post_orders([PostOrdersV2Args(old), PostOrdersV2Args(client.create_order(order))])
    client.cancel_all()

    assert refused(lambda: client.post_order(old)) == (400, "order_version_mismatch")
    assert [(leg["orderID"] != "", leg["errorMsg"]) for leg in legs] == [(False, "order_version_mismatch"), (True, "")]


def test_it_reads_every_list_of_markets(client, listed, plain):
    simple, sampled = client.get_simplified_markets(), client.get_sampling_markets()
    both = client.get_sampling_simplified_markets()
    info = client.get_clob_market_info(plain["condition_id"])

    assert len(listed) == client.get_markets()["count"] >= 6
    assert {one["limit"] for one in (client.get_markets(), simple, sampled, both)} == {1_000}
    assert [one["condition_id"] for one in simple["data"]] == [one["condition_id"] for one in listed]
    assert {one["condition_id"] for one in sampled["data"]} == {one["condition_id"] for one in both["data"]}
    assert client.get_market(plain["condition_id"]) == plain
    assert [one["t"] for one in info["t"]] == [one["token_id"] for one in plain["tokens"]]
    assert refused(lambda: client.get_market(UNKNOWN)) == (404, "market not found")


def test_it_reads_books_and_prices_one_by_one_and_in_lists(client, plain, listed, yes):
    no, fine = plain["tokens"][1]["token_id"], listed[FINE]["tokens"][0]["token_id"]
    book, bid, ask = client.get_order_book(yes), *best(client, yes)

    assert len(client.get_order_books([BookParams(yes), BookParams(no)])) == 2
    assert client.get_order_book_hash(dict(book)) == book["hash"]
    assert (client.get_tick_size(yes), client.get_tick_size(fine)) == ("0.01", "0.001")
    assert (client.get_neg_risk(yes), client.get_fee_rate_bps(yes), client.get_fee_rate_bps(fine)) == (False, 0, 1000)
    assert client.get_fee_exponent(fine) == 1
    assert float(client.get_midpoint(yes)["mid"]) == pytest.approx((bid + ask) / 2)
    assert client.get_midpoints([BookParams(yes)]) == {yes: client.get_midpoint(yes)["mid"]}
    assert (float(client.get_price(yes, "BUY")["price"]), float(client.get_price(yes, "SELL")["price"])) == (bid, ask)
    assert float(client.get_prices([BookParams(yes, "BUY")])[yes]["BUY"]) == bid
    assert float(client.get_spread(yes)["spread"]) == pytest.approx(ask - bid)
    assert list(client.get_spreads([BookParams(yes)])) == [yes]
    assert client.calculate_market_price(yes, "BUY", 50) >= ask


def test_an_order_rests_is_found_and_is_gone(client, plain, yes):
    price = far_below(client, yes)
    order = client.create_order(OrderArgs(token_id=yes, price=price, size=10, side="BUY"))
    posted = client.post_order(order)
    named = OpenOrderParams(id=posted["orderID"], market=plain["condition_id"], asset_id=yes)

    assert (posted["success"], posted["status"]) == (True, "live")
    assert refused(lambda: client.post_order(order)) == (400, f"order {posted['orderID']} is invalid. Duplicated.")
    assert client.get_order(posted["orderID"])["status"] == "LIVE"
    assert [one["id"] for one in client.get_open_orders(named)] == [posted["orderID"]]
    assert posted["orderID"] in [one["id"] for one in client.get_open_orders(only_first_page=True)]
    assert client.get_pre_migration_orders() == []
    assert client.is_order_scoring(OrderScoringParams(posted["orderID"])) == {"scoring": False}
    assert client.are_orders_scoring(OrdersScoringParams([posted["orderID"]])) == {posted["orderID"]: False}
    assert client.cancel_order(OrderPayload(posted["orderID"]))["canceled"] == [posted["orderID"]]
    assert client.get_order(posted["orderID"]) is client.get_order(UNKNOWN) is None
    assert refused(lambda: client.cancel_order(OrderPayload("abc"))) == (400, "Invalid orderID")


def test_orders_of_every_kind_do_what_their_kind_says(client, yes):
    price, (_, ask) = far_below(client, yes), best(client, yes)
    now = int(time.time())

    def post(price: float, size: float = 10, /, **options: Any) -> Any:
        args = OrderArgs(token_id=yes, price=price, size=size, side="BUY", expiration=options.pop("expiration", 0))
        return client.create_and_post_order(args, **options)

    assert post(price, order_type="GTD", expiration=now + 400)["status"] == "live"
    assert refused(lambda: post(price, order_type="GTD", expiration=now + 10)) == (400, "invalid expiration")
    assert post(price, post_only=True)["status"] == "live"
    assert refused(lambda: post(ask, post_only=True))[1] == "invalid post-only order: order crosses book"
    bought, deferred = post(ask, 20), post(ask, 20, defer_exec=True)
    assert {bought["status"], deferred["status"]} == {"matched"}
    assert (bought["takingAmount"], len(bought["tradeIDs"])) == ("20", 1)
    assert refused(lambda: post(0.05, 50, order_type="FAK"))[1].startswith("no orders found to match with FAK order.")
    # The client would not have sent these decimals by its own market orders.
    assert "max accuracy of 2 decimals" in refused(lambda: post(ask, 10.33, order_type="FAK"))[1]


def test_market_orders_buy_by_dollars_and_sell_by_shares(client, listed, yes):
    fine = listed[FINE]["tokens"][0]["token_id"]

    def market(token: str, amount: float, side: str, kind: str = "FOK", /, **more: Any) -> Any:
        args = MarketOrderArgs(token_id=token, amount=amount, side=side, order_type=kind, **more)
        return client.create_and_post_market_order(args, order_type=kind)

    bought, limited = market(yes, 10, "BUY"), market(yes, 10, "BUY", "FAK", price=0.9)
    sold, part = market(yes, 10, "SELL"), market(yes, 5, "SELL", "FAK")
    charged = market(fine, 10, "BUY", user_usdc_balance=10)
    built = market(fine, 10, "BUY", user_usdc_balance=5_000, builder_code=CODE)
    trades = client.get_builder_trades(BuilderTradeParams(CODE))

    assert float(bought["makingAmount"]) <= 10 < float(bought["takingAmount"])
    assert {one["status"] for one in (bought, limited, sold, part, charged, built)} == {"matched"}
    assert (sold["makingAmount"], part["makingAmount"]) == ("10", "5")
    assert float(charged["makingAmount"]) < 10
    assert [one["builderCode"] for one in trades["trades"]] == [CODE]
    assert trades["trades"][0]["id"] == built["tradeIDs"][0]


def test_a_batch_speaks_leg_by_leg_and_cancels_in_every_form(client, plain, yes):
    price = far_below(client, yes)
    orders = [
        client.create_order(OrderArgs(token_id=yes, price=round(price - step / 100, 2), size=size, side="BUY"))
        for step, size in ((1, 10), (2, 1), (3, 10), (4, 10), (5, 10))
    ]
    first, small, *others = client.post_orders([PostOrdersV2Args(one) for one in orders])
    many = [PostOrdersV2Args(orders[0])] * 16

    assert (small["orderID"], small["makingAmount"], small["takingAmount"]) == ("", "", "")
    assert "lower than the minimum: 5" in small["errorMsg"]
    assert refused(lambda: client.post_orders(many)) == (400, "Too many orders in payload: 16, max allowed: 15")
    done = client.cancel_orders([first["orderID"], UNKNOWN])
    assert done == {"canceled": [first["orderID"]], "not_canceled": {UNKNOWN: "Order not found"}}
    gone = client.cancel_market_orders(OrderMarketCancelParams(market=plain["condition_id"], asset_id=yes))["canceled"]
    assert {one["orderID"] for one in others} <= set(gone)
    assert client.cancel_all() == {"canceled": [], "not_canceled": {}}


def test_it_reads_its_trades_money_and_what_prices_were(client, plain, yes):
    now = int(time.time())
    filters = {"asset_id": yes, "market": plain["condition_id"], "after": now - 600, "before": now + 600}
    client.create_and_post_market_order(MarketOrderArgs(token_id=yes, amount=5, side="BUY"))
    trades = client.get_trades(TradeParams(**filters, maker_address=client.signer.address()))
    money = client.get_balance_allowance(BalanceAllowanceParams(asset_type="COLLATERAL"))
    shares = client.get_balance_allowance(BalanceAllowanceParams(asset_type="CONDITIONAL", token_id=yes))
    day = client.get_prices_history(PricesHistoryParams(market=yes, interval="1d", fidelity=1))["history"]
    span = client.get_prices_history(PricesHistoryParams(market=yes, start_ts=now - 3600, end_ts=now))["history"]
    activity = client.get_market_trades_events(plain["condition_id"])

    others = ({"after": now + 600}, {"before": now - 600}, {"asset_id": "1"}, {"market": UNKNOWN}, {"id": "none"})

    assert trades
    assert [client.get_trades(TradeParams(**(filters | other))) for other in others] == [[]] * len(others)
    assert client.get_trades(TradeParams(**filters, maker_address=UNKNOWN[:42])) == []
    assert [one["id"] for one in client.get_trades(TradeParams(id=trades[0]["id"]))] == [trades[0]["id"]]
    assert client.get_trades_paginated()["trades"]
    assert int(money["balance"]) < 5_000 * USDC
    assert int(shares["balance"]) > 0
    assert client.update_balance_allowance(BalanceAllowanceParams(asset_type="COLLATERAL")) == ""
    assert len(day) >= 2
    assert len(span) >= 2
    assert all(0 < one["p"] < 1 for one in day)
    assert trades[0]["transaction_hash"] in [one["transaction_hash"] for one in activity]
    assert client.get_last_trade_price(yes)["side"] in ("BUY", "SELL")
    assert [one["token_id"] for one in client.get_last_trades_prices([BookParams(yes)])] == [yes]


def test_it_hears_of_its_fills_beats_its_heart_and_reads_its_rewards(client, plain, listed, yes):
    client.create_and_post_market_order(MarketOrderArgs(token_id=yes, amount=5, side="BUY"))
    client.create_and_post_order(OrderArgs(token_id=yes, price=far_below(client, yes), size=10, side="BUY"))
    client.cancel_all()
    first = client.post_heartbeat()["heartbeat_id"]
    second = client.post_heartbeat(first)["heartbeat_id"]
    with pytest.raises(PolyApiException) as caught:
        client.post_heartbeat(first)
    told = client.get_notifications()
    dropped = client.drop_notifications(DropNotificationParams([str(told[0]["id"])]))
    rewarded = listed[FINE]["condition_id"]

    assert caught.value.error_msg == {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": second}
    assert {one["type"] for one in told} >= {1, 2}
    assert dropped == "OK"
    assert told[0]["id"] not in [one["id"] for one in client.get_notifications()]
    assert rewarded in [one["condition_id"] for one in client.get_current_rewards()]
    assert len(client.get_raw_rewards_for_market(rewarded)) == 1
    assert client.get_raw_rewards_for_market(plain["condition_id"]) == []
    assert client.get_earnings_for_user_for_day(TODAY) == []
    assert client.get_total_earnings_for_user_for_day(TODAY) == []
    assert client.get_user_earnings_and_markets_config(TODAY) == []
    assert client.get_reward_percentages() == {}


def test_it_makes_and_ends_keys_of_every_kind(client):
    builder, readonly = client.create_builder_api_key(), client.create_readonly_api_key()["apiKey"]

    assert [one["key"] for one in client.get_builder_api_keys()] == [builder["key"]]
    assert client.revoke_builder_api_key() == "OK"
    assert client.get_builder_api_keys()[0]["revokedAt"]
    assert client.get_readonly_api_keys() == [readonly]
    assert client.delete_readonly_api_key(readonly) == "OK"
    assert client.delete_api_key() == "OK"
    assert refused(client.get_api_keys) == (401, "Unauthorized/Invalid api key")
    client.set_api_creds(client.create_api_key())
    assert client.get_open_orders() == []
