"""The venue's CLOB: what a trader sends, what he hears, and what the chain says of it."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from services.common.polymarket.parse.streams import UserOrder, read_user_frames
from services.venue.bank import Bank
from services.venue.node.client import Node
from tests.venue_chain import BUY, SELL
from tests.venue_process import Venue, venue_process
from tests.venue_trader import CENT, SHARE, USDC, Trader, id_of, listening, login_headers

# Places in the list of markets: a coarse grid without fees, one with them, a fine grid with them.
PLAIN, WITH_FEES, FINE = 0, 1, 2


@pytest.fixture(scope="module")
def venue():
    with venue_process("--seed", "3") as running:
        yield running


@pytest.fixture
async def web(venue: Venue):
    async with httpx.AsyncClient(base_url=venue.url, timeout=15) as client:
        yield client


@pytest.fixture
async def trader(web):
    return await Trader.join(web)


async def market(web: httpx.AsyncClient, place: int = PLAIN) -> dict[str, Any]:
    return (await web.get("/admin/markets")).json()["markets"][place]


async def book(web: httpx.AsyncClient, token: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(price, size) in micros, the best first."""
    found = (await web.get("/clob/book", params={"token_id": token})).json()
    return tuple(
        [(round(float(one["price"]) * USDC), round(float(one["size"]) * SHARE)) for one in reversed(found[side])]
        for side in ("bids", "asks")
    )


async def lines(web: httpx.AsyncClient, *kinds: str) -> list[dict[str, Any]]:
    found = (await web.get("/admin/journal", params={"after": 0})).json()["lines"]
    return [line for line in found if line["kind"] in kinds]


async def on_chain(venue: Venue, tx_hash: str) -> dict[str, dict[str, Any]]:
    """The `OrderFilled` logs of a transaction by order hash: maker, side, token, what was given, what was got, the fee."""
    receipt = await venue.node("eth_getTransactionReceipt", tx_hash)
    topic = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee"
    found = {}
    for log in receipt["logs"]:
        if log["topics"][0] == topic:
            words = [int(log["data"][2 + at : 66 + at], 16) for at in range(0, 320, 64)]
            wallet = "0x" + log["topics"][2][-40:]
            found[log["topics"][1]] = {"wallet": wallet, **dict(zip(FILLED, words, strict=True))}
    return found


FILLED = ("side", "token", "given", "got", "fee")


async def test_a_key_is_given_to_whoever_signs_for_the_wallet_and_always_the_same(web, trader):
    again = await web.get("/clob/auth/derive-api-key", headers=login_headers(trader.account))
    other = await web.post("/clob/auth/api-key", headers=login_headers(trader.account, nonce=1))
    never = await web.get("/clob/auth/derive-api-key", headers=login_headers(trader.account, nonce=2))
    stale = await web.post("/clob/auth/api-key", headers=login_headers(trader.account, at=int(time.time()) - 3_600))
    forged = login_headers(trader.account) | {"POLY_ADDRESS": "0x" + "77" * 20}

    assert again.json()["apiKey"] == trader.credentials.key
    assert other.json()["apiKey"] != trader.credentials.key
    assert set((await trader.ask("/auth/api-keys"))["apiKeys"]) == {trader.credentials.key, other.json()["apiKey"]}
    assert never.status_code == 400
    assert (stale.status_code, stale.json()["error"]) == (401, "Invalid L1 Request headers")
    assert (await web.post("/clob/auth/api-key", headers=forged)).status_code == 401


@pytest.mark.parametrize(
    "header", ["POLY_SIGNATURE", "POLY_PASSPHRASE", "POLY_API_KEY", "POLY_TIMESTAMP", "POLY_ADDRESS"]
)
async def test_every_header_of_a_request_counts(web, trader, header):
    token = (await market(web))["tokens"][0]
    body = trader.order(token, BUY, 10 * SHARE, 50 * CENT)
    request = web.build_request("POST", "/clob/order", content=body)
    good = await trader.send("GET", "/data/orders")
    request.headers.update({name: value for name, value in good.request.headers.items() if name.startswith("poly")})
    request.headers[header] = "1" + request.headers[header][1:]
    answer = await web.send(request)

    assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorized/Invalid api key")
    assert (await lines(web, "order_refused"))[-1]["error"] == "Unauthorized/Invalid api key"


async def test_a_purchase_takes_several_makers_in_one_transaction_as_the_chain_says(web, venue, trader):
    token = (await market(web, WITH_FEES))["tokens"][0]
    _, asks = await book(web, token)
    limit = asks[2][0]
    spent = (sum(price * size for price, size in asks[:2]) // SHARE + 20 * USDC) // CENT * CENT
    await web.post("/admin/fund", json={"address": trader.address, "usdc_micros": 2 * spent})
    before = await trader.cash_micros()
    shares = spent * SHARE // limit // 100 * 100
    body = trader.order(token, BUY, shares, limit, makerAmount=str(spent))
    signed = json.loads(body)["order"]
    assert int(signed["makerAmount"]) == spent

    # The amount was changed behind the signature, so that this one is forged.
    assert (await trader.post(body)).json()["error"] == "invalid signature"
    placed = await trader.place(token, BUY, *_affordable(spent, limit), "FAK")
    (trade,) = await trader.settled(placed["orderID"])
    logs = await on_chain(venue, trade["transaction_hash"])
    mine, fills = logs[placed["orderID"]], [log for one, log in logs.items() if one != placed["orderID"]]

    assert placed["status"] == "matched"
    assert "transactionsHashes" not in placed
    assert placed["tradeIDs"] == [trade["id"]]
    assert len(trade["maker_orders"]) == len(fills) >= 3
    assert {"SELL", "BUY"} == {one["side"] for one in trade["maker_orders"]}
    assert (mine["given"], mine["got"]) == (_micros(placed["makingAmount"]), _micros(placed["takingAmount"]))
    assert mine["fee"] > 0
    assert all(log["fee"] == 0 for log in fills)
    assert before - await trader.cash_micros() == mine["given"] + mine["fee"]
    assert await trader.shares_micros(token) == mine["got"]


def _affordable(spent: int, limit: int) -> tuple[int, int]:
    """Shares of four decimals whose cost at the limit is a whole number of cents."""
    shares = spent * SHARE // limit // SHARE * SHARE
    return shares, limit


def _micros(text: str) -> int:
    return round(float(text) * USDC)


async def test_the_journal_tells_of_every_fill_what_the_chain_does(web, venue, trader):
    token = (await market(web, FINE))["tokens"][1]
    _, asks = await book(web, token)
    bought = await trader.place(token, BUY, 600 * SHARE, asks[2][0])
    await trader.settled(bought["orderID"])
    bids, _ = await book(web, token)
    sold = await trader.place(token, SELL, await trader.shares_micros(token) // CENT * CENT, bids[2][0])
    trades = await trader.settled(bought["orderID"]) + await trader.settled(sold["orderID"])

    noted = await lines(web, "wallet_fill")
    for trade in trades:
        logs = await on_chain(venue, trade["transaction_hash"])
        fills = [line for line in noted if line["trade_id"] == trade["id"]]
        assert [line["order_hash"] for line in fills] == list(logs)
        for line in fills:
            log = logs[line["order_hash"]]
            amounts = [line["usdc_micros"], line["size_micros"]]
            assert (line["wallet"], int(line["token"]), line["fee_micros"]) == (log["wallet"], log["token"], log["fee"])
            assert [log["given"], log["got"]] == (amounts if line["side"] == "BUY" else amounts[::-1])
    assert [line["status"] for line in await lines(web, "match") if line["trade_id"] == trades[0]["id"]] == ["MATCHED"]


async def test_the_same_order_again_is_refused_and_fills_nothing(web, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    body = trader.order(token, BUY, 10 * SHARE, asks[0][0])
    first, again = await trader.post(body), await trader.post(body)
    await trader.settled(id_of(body))
    received = [line for line in await lines(web, "order_received") if line["hash"] == id_of(body)]

    assert first.json()["orderID"] == id_of(body)
    assert (again.status_code, again.json()["error"]) == (400, f"order {id_of(body)} is invalid. Duplicated.")
    assert [(line["attempt"], line["outcome"]) for line in received] == [(1, "accepted"), (2, "refused")]
    assert received[0]["raw"] == received[1]["raw"]
    assert await trader.shares_micros(token) == 10 * SHARE


async def test_a_killed_order_is_known_by_its_id_ever_after(web, trader):
    token = (await market(web))["tokens"][0]
    bids, asks = await book(web, token)
    far = bids[-1][0]
    none = trader.order(token, BUY, 100 * SHARE, far)
    whole = trader.order(token, BUY, sum(size for _, size in asks) + SHARE, asks[-1][0], "FOK")
    await web.post("/admin/fund", json={"address": trader.address, "usdc_micros": 1_000_000 * USDC})
    answers = [(await trader.post(body)).json()["error"] for body in (none, whole, none, whole)]

    assert answers[0].startswith("no orders found to match with FAK order.")
    assert answers[1] == "order couldn't be fully filled. FOK orders are fully filled or killed."
    assert all(answer.endswith("is invalid. Duplicated.") for answer in answers[2:])
    assert (await trader.ask("/data/trades"))["data"] == []


async def test_nobody_spends_what_he_lacks_or_has_promised(web, trader):
    token, other = (await market(web))["tokens"]
    bids, asks = await book(web, token)
    status, text = await trader.refusal(token, BUY, 5_000 * SHARE, asks[0][0])
    assert (status, text.split(" -> ")[0]) == (400, "not enough balance / allowance: the balance is not enough")
    assert (await trader.refusal(token, SELL, 10 * SHARE, bids[0][0]))[1].endswith("balance: 0, order amount: 10000000")

    resting = await trader.place(token, BUY, 90_000 * SHARE, 1 * CENT, "GTC")
    assert (
        (await trader.refusal(other, BUY, 11_000 * SHARE, 1 * CENT, "GTC"))[1].split(": ")[0].startswith("not enough")
    )
    await trader.cancel("/order", {"orderID": resting["orderID"]})
    assert (await trader.place(other, BUY, 11_000 * SHARE, 1 * CENT, "GTC"))["status"] == "live"


@pytest.mark.parametrize(
    ("order", "changes", "text"),
    [
        ((BUY, 10 * SHARE, 505_000, "GTC"), {}, "breaks minimum tick size rule: 0.01"),
        ((BUY, 4 * SHARE, 50 * CENT, "GTC"), {}, "Size (4) lower than the minimum: 5"),
        ((BUY, 10 * SHARE, 5 * CENT, "FAK"), {}, "invalid amount for a marketable BUY order ($0.5), min size: $1"),
        ((BUY, 7_010_000, 50 * CENT, "FAK"), {}, "supports a max accuracy of 2 decimals, taker amount a max of 4"),
        ((BUY, 10 * SHARE, 99 * CENT, "GTC"), {"postOnly": True}, "invalid post-only order: order crosses book"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTD"), {"expiration": "1"}, "invalid expiration"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"expiration": "1"}, "invalid expiration"),
        ((BUY, 10 * SHARE, 50 * CENT, "IOC"), {}, "Invalid order payload"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"makerAmount": "4999999"}, "invalid signature"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"signatureType": 1}, "invalid signature"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"signature": "0x" + "00" * 65}, "invalid signature"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"side": "HOLD"}, "Invalid order payload"),
        ((BUY, 10 * SHARE, 50 * CENT, "GTC"), {"owner": "me"}, "the order owner has to be the owner of the API KEY"),
        (
            (BUY, 10 * SHARE, 50 * CENT, "GTC"),
            {"signer": "0x" + "77" * 20},
            "the order signer address has to be the address of the API KEY",
        ),
    ],
)
async def test_what_is_wrong_with_an_order_is_said_in_the_venues_words(web, trader, order, changes, text):
    token = (await market(web))["tokens"][0]
    status, error = await trader.refusal(token, *order, **changes)

    assert status == 400
    assert text in error
    assert (await lines(web, "order_received", "order_refused"))[-1]["error"] == error


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/order", b"{", 400),
        ("POST", "/order", b"[]", 400),
        ("POST", "/orders", b"{}", 400),
        ("POST", "/orders", b"[" + b",".join([b"{}"] * 16) + b"]", 400),
        ("DELETE", "/order", b'{"orderID":"12"}', 400),
        ("DELETE", "/order", b"[]", 400),
        ("DELETE", "/orders", b"[1]", 400),
        ("DELETE", "/cancel-market-orders", b"[]", 400),
    ],
)
async def test_a_body_of_another_shape_is_refused(trader, method, path, body, status):
    assert (await trader.send(method, path, body)).status_code == status


async def test_queries_of_another_shape_are_refused(web, trader):
    for path, params in (
        ("/data/trades", {"after": "noon"}),
        ("/data/trades", {"next_cursor": "!"}),
        ("/balance-allowance", {"asset_type": "CONDITIONAL", "token_id": "1"}),
        ("/balance-allowance", {"asset_type": "GOLD"}),
    ):
        assert (await trader.send("GET", path, params=params)).status_code == 400
    assert (await web.get("/clob/book", params={"token_id": "x"})).status_code == 400
    assert (await web.get("/clob/book", params={"token_id": "1"})).json() == {
        "error": "No orderbook exists for the requested token id"
    }
    assert (await web.post("/clob/books", json=[{"token_id": "1"}] * 501)).status_code == 400


async def test_a_resting_order_is_listed_matched_as_a_maker_and_gone(web, trader):
    token = (await market(web))["tokens"][0]
    bids, _ = await book(web, token)
    price = bids[0][0] + CENT
    resting = await trader.place(token, BUY, 20 * SHARE, price, "GTC")
    order = resting["orderID"]
    assert (resting["status"], resting["makingAmount"], resting["takingAmount"]) == ("live", "", "")
    assert (await book(web, token))[0][0] == (price, 20 * SHARE)
    assert [one["id"] for one in (await trader.ask("/data/orders"))["data"]] == [order]

    other = await Trader.join(web)
    await other.settled((await other.place(token, BUY, 30 * SHARE, price + 5 * CENT))["orderID"])
    sold = await other.place(token, SELL, 12 * SHARE, price)
    assert (await trader.ask(f"/data/order/{order}"))["size_matched"] == "12"
    assert await other.ask(f"/data/order/{order}") is None
    await other.place(token, SELL, 8 * SHARE, price)
    trades = await trader.settled(order)

    assert {trade["trader_side"] for trade in trades} == {"MAKER"}
    assert {trade["side"] for trade in trades} == {"SELL"}
    assert sorted(part["matched_amount"] for trade in trades for part in trade["maker_orders"]) == ["12", "8"]
    assert {trade["owner"] for trade in trades} == {trader.credentials.key}
    assert await trader.ask(f"/data/order/{order}") is None
    assert (await trader.ask("/data/orders"))["data"] == []
    assert await trader.shares_micros(token) == 20 * SHARE
    assert [one["trader_side"] for one in await other.trades(sold["orderID"])] == ["TAKER"]


async def test_cancelling_frees_what_rests_and_says_what_it_could_not(web, trader):
    token, other = (await market(web))["tokens"]
    orders = [(await trader.place(one, BUY, 10 * SHARE, 2 * CENT, "GTC"))["orderID"] for one in (token, other, token)]
    stranger = await Trader.join(web)
    unknown = "0x" + "12" * 32

    assert (await stranger.cancel("/order", {"orderID": orders[0]}))["not_canceled"] == {orders[0]: "Order not found"}
    done = await trader.cancel("/orders", [orders[0], unknown])
    assert done == {"canceled": [orders[0]], "not_canceled": {unknown: "Order not found"}}
    again = await trader.cancel("/order", {"orderID": orders[0]})
    assert again["not_canceled"] == {orders[0]: "already canceled or matched"}
    assert (await trader.cancel("/cancel-market-orders", {"asset_id": other}))["canceled"] == [orders[1]]
    assert (await trader.cancel("/cancel-all"))["canceled"] == [orders[2]]


async def test_orders_come_in_batches_and_each_leg_speaks_for_itself(web, trader):
    token = (await market(web))["tokens"][0]
    bodies = [trader.order(token, BUY, 10 * SHARE, price, "GTC") for price in (CENT, 5_000, 2 * CENT)]
    legs = (await trader.post(b"[" + b",".join(bodies) + b"]", "/orders")).json()

    assert [leg["orderID"] for leg in legs] == [id_of(bodies[0]), "", id_of(bodies[2])]
    assert "breaks minimum tick size rule" in legs[1]["errorMsg"]


async def test_a_sweep_of_more_makers_than_one_transaction_takes_is_several(web, venue, trader):
    token, other = (await market(web, 5))["tokens"]
    bids, _ = await book(web, token)
    price = bids[0][0] + 1_000
    maker = await Trader.join(web)
    bodies = [maker.order(token, BUY, 5 * SHARE, price, "GTC") for _ in range(40)]
    for start in range(0, 40, 10):
        await maker.post(b"[" + b",".join(bodies[start : start + 10]) + b"]", "/orders")
    async with Node(venue.node_url) as node:
        condition = (await market(web, 5))["condition_id"]
        await Bank(node).split(trader.address, condition, 300 * SHARE)
    await trader.ask("/balance-allowance/update", asset_type="CONDITIONAL", token_id=token)
    sold = await trader.place(token, SELL, 200 * SHARE, price)
    trades = await trader.settled(sold["orderID"])

    assert sorted(trade["bucket_index"] for trade in trades) == [0, 1]
    assert sorted(len(trade["maker_orders"]) for trade in trades) == [8, 32]
    assert len({trade["transaction_hash"] for trade in trades}) == 2
    assert {trade["id"] for trade in trades} == set(sold["tradeIDs"])
    made = [part["order_id"] for trade in reversed(trades) for part in trade["maker_orders"]]
    assert made == [id_of(body) for body in bodies]
    assert (await maker.shares_micros(token), await trader.shares_micros(token)) == (200 * SHARE, 100 * SHARE)
    assert await trader.shares_micros(other) == 300 * SHARE


async def test_a_match_that_reverts_is_undone(web, venue, trader):
    token = (await market(web, 3))["tokens"][0]
    bids, asks = await book(web, token)
    price = (bids[0][0] + asks[0][0]) // 2 // CENT * CENT
    maker = await Trader.join(web, 10)
    async with Node(venue.node_url) as node:
        bank = Bank(node)
        await bank.split(maker.address, (await market(web, 3))["condition_id"], 10 * SHARE)
        await maker.ask("/balance-allowance/update", asset_type="CONDITIONAL", token_id=token)
        offered = await maker.place(token, SELL, 10 * SHARE, price, "GTC")
        await bank.transfer(maker.address, "0x" + "99" * 20, int(token), 10 * SHARE)
    before = await trader.cash_micros()
    url = venue.socket_url + "/ws/user"
    async with listening(url, {"auth": _auth(trader), "type": "user"}) as heard:
        bought = await trader.place(token, BUY, 10 * SHARE, price)
        frames = await heard.until(lambda frame: frame.get("status") == "FAILED")
    (trade,) = await trader.settled(bought["orderID"], "FAILED")
    told = (await web.get("/admin/orders", params={"hash": bought["orderID"]})).json()

    assert bought["status"] == "matched"
    assert [frame["status"] for frame in frames if frame["event_type"] == "trade"] == ["MATCHED", "FAILED"]
    assert (told["attempts"], told["order"]["status"], told["order"]["matched_micros"]) == (1, "CANCELED", 0)
    assert told["trades"][0]["status"] == "FAILED"
    assert trade["transaction_hash"]
    assert await trader.cash_micros() == before
    await maker.ask("/balance-allowance/update", asset_type="CONDITIONAL", token_id=token)
    assert await trader.shares_micros(token) == await maker.shares_micros(token) == 0
    assert await maker.ask(f"/data/order/{offered['orderID']}") is None
    (line,) = [one for one in await lines(web, "failed") if one["trade_id"] == trade["id"]]
    assert line["reason"]


def _auth(trader: Trader) -> dict[str, str]:
    key = trader.credentials
    return {"apiKey": key.key, "secret": key.secret, "passphrase": key.passphrase}


async def test_an_owner_hears_of_his_orders_and_of_each_status_of_his_trades(web, venue, trader):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    stranger = await Trader.join(web)
    url = venue.socket_url + "/ws/user"
    async with (
        listening(url, {"auth": _auth(trader), "type": "user", "markets": []}) as heard,
        listening(url, {"auth": _auth(stranger), "type": "user"}) as other,
    ):
        bought = await trader.place(token, BUY, 10 * SHARE, asks[0][0])
        frames = await heard.until(lambda frame: frame.get("status") == "CONFIRMED")
        rested = await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
        await trader.cancel("/cancel-all")
        frames += await heard.until(lambda frame: frame.get("type") == "CANCELLATION")
        await other.socket.send("PING")
        assert await other.next() == "PONG"

    orders = [(f["type"], f["id"], f["status"]) for f in frames if f["event_type"] == "order"]
    trades = [(f["id"], f["status"]) for f in frames if f["event_type"] == "trade"]
    assert orders == [
        ("PLACEMENT", bought["orderID"], "MATCHED"),
        ("PLACEMENT", rested["orderID"], "LIVE"),
        ("CANCELLATION", rested["orderID"], "CANCELED"),
    ]
    assert trades == [(bought["tradeIDs"][0], status) for status in ("MATCHED", "MINED", "CONFIRMED")]
    parsed = [event for frame in frames for event in read_user_frames(json.dumps(frame))]
    assert [one.order_hash for one in parsed if isinstance(one, UserOrder)] == [order for _, order, _ in orders]


async def test_a_stranger_to_the_user_channel_is_shown_out(venue, trader):
    auth = _auth(trader) | {"secret": "guessed"}
    with pytest.raises(Exception, match="1000"):
        async with listening(venue.socket_url + "/ws/user", {"auth": auth, "type": "user"}):
            pass


class TestFaults:
    """An answer that comes late, wrong or never, and what is true all the same."""

    @pytest.fixture(autouse=True)
    async def no_faults_after(self, web):
        yield
        await web.delete("/admin/faults")

    async def strike(self, web: httpx.AsyncClient, **fault: Any) -> None:
        answer = await web.post("/admin/faults", json={"endpoint": "clob.post_order"} | fault)
        assert answer.status_code == 200, answer.text

    async def test_an_answer_dropped_after_its_effect_leaves_an_order_that_can_be_found(self, web, trader):
        token = (await market(web))["tokens"][0]
        _, asks = await book(web, token)
        body = trader.order(token, BUY, 10 * SHARE, asks[0][0])
        await self.strike(web, kind="drop_after")
        with pytest.raises(httpx.TransportError):
            await trader.post(body)
        (trade,) = await trader.settled(id_of(body))
        again = await trader.post(body)
        told = (await web.get("/admin/orders", params={"hash": id_of(body)})).json()

        assert trade["taker_order_id"] == id_of(body)
        assert again.json()["error"].endswith("Duplicated.")
        assert (told["attempts"], told["order"]["matched_micros"]) == (2, 10 * SHARE)
        (fault,) = [one for one in await lines(web, "fault") if one["fault"] == "drop_after"]
        assert (fault["endpoint"], fault["path"]) == ("clob.post_order", "/clob/order")

    async def test_a_request_dropped_before_its_effect_leaves_nothing(self, web, trader):
        token = (await market(web))["tokens"][0]
        _, asks = await book(web, token)
        body = trader.order(token, BUY, 10 * SHARE, asks[0][0])
        await self.strike(web, kind="drop_before", times=2)
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                await trader.post(body)
        assert (await web.get("/admin/orders", params={"hash": id_of(body)})).json()["attempts"] == 0
        assert (await trader.post(body)).json()["status"] == "matched"

    @pytest.mark.parametrize(("kind", "attempts"), [("error_before", 0), ("error_after", 1)])
    async def test_an_error_says_nothing_of_what_was_done(self, web, trader, kind, attempts):
        token = (await market(web))["tokens"][0]
        body = trader.order(token, BUY, 10 * SHARE, CENT, "GTC")
        await self.strike(web, kind=kind, status=503)

        assert (await trader.post(body)).status_code == 503
        assert (await web.get("/admin/orders", params={"hash": id_of(body)})).json()["attempts"] == attempts

    async def test_a_late_answer_comes_whole_and_only_where_it_was_asked_for(self, web, trader):
        token = (await market(web))["tokens"][0]
        await self.strike(web, kind="delay", ms=400, endpoint="clob.order", times=1)
        placed = await trader.place(token, BUY, 10 * SHARE, CENT, "GTC")
        began = time.monotonic()
        assert (await trader.ask(f"/data/order/{placed['orderID']}"))["id"] == placed["orderID"]
        assert time.monotonic() - began >= 0.4

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "explode"},
            {"kind": "delay", "endpoint": "clob.nothing"},
            {"kind": "delay", "ms": -1},
            {"kind": "error_after", "status": 200},
            {"kind": "delay", "endpoint": "", "path": "order"},
        ],
    )
    async def test_a_fault_that_makes_no_sense_is_refused(self, web, fault):
        answer = await web.post("/admin/faults", json={"endpoint": "clob.post_order"} | fault)
        assert answer.status_code == 400
        assert "expected" in answer.json()["error"]


async def test_two_who_want_the_same_shares_do_not_both_get_them(web):
    token = (await market(web, 4))["tokens"][1]
    bids, asks = await book(web, token)
    price = (bids[0][0] + asks[0][0]) // 2 // CENT * CENT
    maker = await Trader.join(web)
    buyers = [await Trader.join(web) for _ in range(4)]
    await maker.settled((await maker.place(token, BUY, 20 * SHARE, asks[0][0]))["orderID"])
    await maker.place(token, SELL, 20 * SHARE, price, "GTC")
    answers = await asyncio.gather(*(one.post(one.order(token, BUY, 20 * SHARE, price)) for one in buyers))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
