"""How matches of the venue settle: what its journal, its answers and the chain say of the same fills."""

import asyncio

from services.venue.bank import Bank
from services.venue.node.client import Node
from tests.patience import PATIENT_S
from tests.venue_chain import BUY, SELL
from tests.venue_trader import CENT, SHARE, USDC, Trader, id_of, listening
from tests.venue_views import FINE, WITH_FEES, book, lines, market, on_chain


async def test_a_purchase_takes_several_makers_in_one_transaction_as_the_chain_says(web, venue, trader):
    token = (await market(web, WITH_FEES))["tokens"][0]
    _, asks = await book(web, token)
    shares = (asks[0][1] + asks[1][1]) // SHARE * SHARE + 20 * SHARE
    await web.post("/admin/fund", json={"address": trader.address, "usdc_micros": shares})
    before = await trader.cash_micros()
    placed = await trader.place(token, BUY, shares, asks[2][0])
    (trade,) = await trader.settled(placed["orderID"])
    logs = await on_chain(venue, trade["transaction_hash"])
    mine = logs.pop(placed["orderID"])

    assert placed["status"] == "matched"
    assert "transactionsHashes" not in placed
    assert placed["tradeIDs"] == [trade["id"]]
    assert [one["order_id"] for one in trade["maker_orders"]] == list(logs)
    assert len(logs) >= 3
    assert (mine["given"], mine["got"]) == (_micros(placed["makingAmount"]), _micros(placed["takingAmount"]))
    assert mine["fee"] > 0
    assert not any(log["fee"] for log in logs.values())
    assert before - await trader.cash_micros() == mine["given"] + mine["fee"]
    assert await trader.shares_micros(token) == mine["got"]


async def test_a_purchase_is_matched_with_purchases_of_the_other_outcome(web, venue, trader):
    market_4 = await market(web, 4)
    token, other = market_4["tokens"]
    bids, asks = await book(web, token)
    price = (bids[0][0] + asks[0][0]) // 2 // CENT * CENT
    maker = await Trader.join(web)
    resting = await maker.place(other, BUY, 20 * SHARE, USDC - price, "GTC")
    bought = await trader.place(token, BUY, 20 * SHARE, price)
    (minted,) = await trader.settled(bought["orderID"])
    back = await maker.place(other, SELL, 10 * SHARE, USDC - price, "GTC")
    sold = await trader.place(token, SELL, 10 * SHARE, price)
    (merged,) = await trader.settled(sold["orderID"])

    assert [one["order_id"] for one in minted["maker_orders"]] == [resting["orderID"]]
    assert (minted["maker_orders"][0]["side"], minted["maker_orders"][0]["asset_id"]) == ("BUY", other)
    assert [one["order_id"] for one in merged["maker_orders"]] == [back["orderID"]]
    assert (await trader.shares_micros(token), await maker.shares_micros(other)) == (10 * SHARE, 10 * SHARE)
    async with Node(venue.node_url) as node:
        bank = Bank(node)
        for one, outcome in ((trader, token), (maker, other)):
            assert await bank.token_balance(one.address, int(outcome)) == 10 * SHARE
            assert await bank.collateral_balance(one.address) == await one.cash_micros()


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
    async with listening(venue.socket_url + "/ws/user", trader.channel) as heard:
        bought = await trader.place(token, BUY, 10 * SHARE, price)
        frames = await heard.until(lambda frame: frame.get("status") == "FAILED")
    (trade,) = await trader.settled(bought["orderID"], "FAILED")
    told = (await web.get("/admin/orders", params={"hash": bought["orderID"]})).json()

    assert bought["status"] == "matched"
    assert [frame["status"] for frame in frames if frame["event_type"] == "trade"] == ["MATCHED", "RETRYING", "FAILED"]
    assert (told["attempts"], told["order"]["status"], told["order"]["matched_micros"]) == (1, "CANCELED", 0)
    assert told["trades"][0]["status"] == "FAILED"
    assert trade["transaction_hash"]
    assert await trader.cash_micros() == before
    await maker.ask("/balance-allowance/update", asset_type="CONDITIONAL", token_id=token)
    assert await trader.shares_micros(token) == await maker.shares_micros(token) == 0
    assert await maker.ask(f"/data/order/{offered['orderID']}") is None
    (line,) = [one for one in await lines(web, "failed") if one["trade_id"] == trade["id"]]
    assert line["reason"]


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


async def a_fault(web, **fault):
    answer = await web.post("/admin/faults", json=fault)
    assert answer.status_code == 200, answer.text


async def test_a_commit_that_is_retried_is_mined_in_the_end(web, venue, trader):
    token = (await market(web))["tokens"][0]
    await a_fault(web, kind="commit_retry", ms=20, tries=2, times=1)
    _, asks = await book(web, token)
    async with listening(venue.socket_url + "/ws/user", trader.channel) as heard:
        bought = await trader.place(token, BUY, 10 * SHARE, asks[0][0])
        frames = await heard.until(lambda frame: frame.get("status") == "CONFIRMED")
    told = [frame["status"] for frame in frames if frame["event_type"] == "trade"]

    assert (bought["status"], "transactionsHashes" in bought) == ("matched", False)
    assert told == ["MATCHED", "RETRYING", "RETRYING", "MINED", "CONFIRMED"]
    assert await trader.shares_micros(token) == 10 * SHARE


async def test_a_commit_that_fails_gives_everyone_his_own_back_and_the_rest_goes_on_resting(web, venue, trader):
    token, other = (await market(web, 4))["tokens"]
    bids, asks = await book(web, token)
    price = (bids[0][0] + asks[0][0]) // 2 // CENT * CENT
    maker = await Trader.join(web)
    resting = await maker.place(other, BUY, 20 * SHARE, USDC - price, "GTC")
    before = await trader.cash_micros(), await maker.cash_micros()
    await a_fault(web, kind="commit_fail", ms=20, tries=1, times=1)
    async with listening(venue.socket_url + "/ws/user", maker.channel) as heard:
        bought = await trader.place(token, BUY, 10 * SHARE, price)
        frames = await heard.until(lambda frame: frame["event_type"] == "order" and frame["size_matched"] == "0")
    (trade,) = await trader.settled(bought["orderID"], "FAILED")
    told = (await web.get("/admin/orders", params={"hash": bought["orderID"]})).json()["order"]
    rows = (await web.get("/data/trades", params={"user": trader.address})).json()
    again = await trader.place(token, BUY, 20 * SHARE, price)
    (settled,) = await trader.settled(again["orderID"])

    assert [one["status"] for one in frames if one["event_type"] == "trade"] == ["MATCHED", "RETRYING", "FAILED"]
    assert trade["transaction_hash"] == ""
    assert (told["status"], told["matched_micros"]) == ("CANCELED", 0)
    assert rows == []
    assert [one["order_id"] for one in settled["maker_orders"]] == [resting["orderID"]]
    assert await trader.shares_micros(token) == await maker.shares_micros(other) == 20 * SHARE
    spent = before[0] + before[1] - await trader.cash_micros() - await maker.cash_micros()
    assert spent == 20 * USDC


async def test_a_reorganisation_takes_fills_back_and_brings_them_again_but_not_the_word_of_the_exchange(
    web, venue, trader
):
    token = (await market(web))["tokens"][0]
    _, asks = await book(web, token)
    bought = await trader.place(token, BUY, 10 * SHARE, asks[0][0])
    (trade,) = await trader.settled(bought["orderID"])
    (fill,) = [one for one in await lines(web, "wallet_fill") if one["order_hash"] == bought["orderID"]]
    depth = int(await venue.node("eth_blockNumber"), 16) - fill["block"] + 3
    await venue.node("evm_reorg", depth, {"fate": "later", "transactions": [trade["transaction_hash"]]})
    told = await until_told(web, bought["orderID"], 3)
    (again,) = await trader.settled(bought["orderID"])

    assert [one["kind"] for one in told] == ["wallet_fill", "wallet_fill_undone", "wallet_fill"]
    assert (again["status"], again["transaction_hash"]) == ("CONFIRMED", trade["transaction_hash"])
    assert await trader.shares_micros(token) == 10 * SHARE
    assert (await on_chain(venue, trade["transaction_hash"]))[bought["orderID"]]["got"] == 10 * SHARE
    shown = (await web.get("/data/trades", params={"user": trader.address})).json()
    assert [row["transactionHash"] for row in shown] == [trade["transaction_hash"]]


async def until_told(web, order_hash, count):
    async with asyncio.timeout(PATIENT_S):
        while True:
            found = await lines(web, "wallet_fill", "wallet_fill_undone")
            told = [one for one in found if one["order_hash"] == order_hash]
            if len(told) >= count:
                return told
            await asyncio.sleep(0.05)
