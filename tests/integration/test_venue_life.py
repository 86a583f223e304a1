"""The life of the engine, of accounts and of markets: modes, delays, bans, grids, games, oracles, markets made on the way."""

import asyncio
import itertools
import time

import pytest
from polymarket.models.clob.notifications import MarketResolvedNotification

from services.venue.bank import Bank
from services.venue.conditions import Send
from services.venue.node import addresses, calldata
from services.venue.node.client import Node
from tests.patience import PATIENT_S
from tests.venue_chain import BUY, SELL
from tests.venue_trader import CENT, SHARE, USDC, Trader, listening
from tests.venue_views import lines

pytestmark = pytest.mark.xdist_group("venue life")

_names = itertools.count(1)
HALF = 50 * CENT


async def command(web, path, **body):
    answer = await web.post("/admin/" + path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def a_market(web, **changes):
    """A market that nobody quotes."""
    return await command(web, "markets", question=f"Will life test {next(_names)} pass?", **changes)


@pytest.fixture
async def maker(web):
    return await Trader.join(web)


async def looked_up(web, order_hash):
    return (await web.get("/admin/orders", params={"hash": order_hash})).json()["order"]


async def until_looked_up(web, order_hash, status):
    async with asyncio.timeout(PATIENT_S):
        while True:
            found = await looked_up(web, order_hash)
            if found["status"] == status:
                return found
            await asyncio.sleep(0.02)


async def test_a_market_made_on_the_way_is_traded_listed_and_announced_in_the_journal(web, trader, maker):
    made = await a_market(web, tick_micros=1_000, outcomes=["Up", "Down"])
    yes, no = made["tokens"]
    await maker.place(no, BUY, 10 * SHARE, HALF, "GTC")
    bought = await trader.place(yes, BUY, 10 * SHARE, HALF)
    await trader.settled(bought["orderID"])
    found = (await web.get("/gamma/markets", params={"condition_ids": made["condition_id"]})).json()

    assert await trader.shares_micros(yes) == await maker.shares_micros(no) == 10 * SHARE
    assert [one["question"] for one in found] == [made["question"]]
    assert made["condition_id"] in [line["condition_id"] for line in await lines(web, "market_listed")]


async def test_a_delayed_order_is_matched_when_its_wait_is_over(web, venue, trader, maker):
    made = await a_market(web, delay_ms=300)
    yes, no = made["tokens"]
    resting = await maker.place(no, BUY, 10 * SHARE, HALF, "GTC")
    async with listening(venue.socket_url + "/ws/user", trader.channel) as heard:
        placed = await trader.place(yes, BUY, 10 * SHARE, HALF)
        shown = await trader.ask(f"/data/order/{placed['orderID']}")
        frames = await heard.until(lambda frame: frame["event_type"] == "trade")
    told = [(one["type"], one["status"]) for one in frames if one["event_type"] == "order"]

    assert resting["status"] == "live"
    assert (placed["status"], placed["makingAmount"], placed.get("tradeIDs", [])) == ("delayed", "", [])
    assert shown["status"] == "DELAYED"
    assert told == [("PLACEMENT", "DELAYED"), ("UPDATE", "MATCHED")]
    assert (await looked_up(web, placed["orderID"]))["matched_micros"] == 10 * SHARE


async def test_a_delayed_order_whose_match_has_gone_comes_to_nothing_or_rests(web, trader, maker):
    made = await a_market(web, delay_ms=300)
    yes, no = made["tokens"]
    resting = await maker.place(no, BUY, 20 * SHARE, HALF, "GTC")
    killed = await trader.place(yes, BUY, 10 * SHARE, HALF)
    rests = await trader.place(yes, BUY, 10 * SHARE, HALF, "GTC")
    taken_back = await trader.place(yes, BUY, 10 * SHARE, HALF)
    assert (await trader.cancel("/order", {"orderID": taken_back["orderID"]}))["canceled"] == [taken_back["orderID"]]
    await maker.cancel("/order", {"orderID": resting["orderID"]})

    assert (await until_looked_up(web, killed["orderID"], "UNMATCHED"))["matched_micros"] == 0
    assert (await until_looked_up(web, rests["orderID"], "LIVE"))["matched_micros"] == 0
    assert (await looked_up(web, taken_back["orderID"]))["status"] == "CANCELED"
    assert (killed["status"], rests["status"]) == ("delayed", "delayed")
    assert (await web.get("/clob/book", params={"token_id": yes})).json()["bids"] == [{"price": "0.5", "size": "10"}]


async def test_after_a_restart_only_post_only_orders_pass_and_then_all(web, trader):
    yes = (await a_market(web))["tokens"][0]
    body = trader.order(yes, BUY, 10 * SHARE, HALF, "GTC")
    script = [{"after_ms": 0, "mode": "restarting"}, {"after_ms": 700, "mode": "post_only"}]
    await command(web, "mode", script=[*script, {"after_ms": 60_000, "mode": "normal"}])
    early, cancel = await trader.post(body), await trader.send("DELETE", "/cancel-all")
    batch = await trader.post(b"[" + body + b"]", "/orders")
    later = await after_restart(trader, body)
    resting = await trader.place(yes, BUY, 10 * SHARE, HALF, "GTC", postOnly=True)
    gone = await trader.cancel("/order", {"orderID": resting["orderID"]})
    await command(web, "mode", mode="normal")
    again = await trader.post(body)

    assert (early.status_code, cancel.status_code, batch.status_code) == (425, 425, 425)
    assert "restarting" in early.json()["error"]
    assert later.status_code == 503
    told = later.json()
    assert 50 <= told.pop("retry_after_seconds") <= 60
    assert told == {"error": "post-only mode: only post-only orders and cancels are allowed", "code": "post_only_mode"}
    assert later.headers["Retry-After"].isdigit()
    assert gone["canceled"] == [resting["orderID"]]
    assert again.json()["status"] == "live"


async def after_restart(trader, body):
    async with asyncio.timeout(PATIENT_S):
        while True:
            answer = await trader.post(body)
            if answer.status_code != 425:
                return answer
            await asyncio.sleep(0.05)


async def test_the_engine_takes_cancels_only_or_nothing_at_all(web, trader):
    yes = (await a_market(web))["tokens"][0]
    resting = await trader.place(yes, BUY, 10 * SHARE, HALF, "GTC")
    await command(web, "mode", mode="cancel_only")
    refused = await trader.refusal(yes, BUY, 10 * SHARE, HALF, "GTC")
    await command(web, "mode", mode="disabled")
    disabled = await trader.refusal(yes, BUY, 10 * SHARE, HALF, "GTC")
    stuck = await trader.send("DELETE", "/order", b'{"orderID":"' + resting["orderID"].encode() + b'"}')
    await command(web, "mode", mode="cancel_only")
    gone = await trader.cancel("/order", {"orderID": resting["orderID"]})
    await command(web, "mode", mode="normal")

    text = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
    off = "Trading is currently disabled. Check polymarket.com for updates"
    assert refused == (503, text)
    assert disabled == (503, off)
    assert (stuck.status_code, stuck.json()["error"]) == (503, off)
    assert gone["canceled"] == [resting["orderID"]]


async def test_a_restricted_account_hears_so_and_may_sell_what_it_holds(web, trader, maker):
    yes, no = (await a_market(web))["tokens"]
    await maker.place(no, BUY, 10 * SHARE, HALF, "GTC")
    await trader.settled((await trader.place(yes, BUY, 10 * SHARE, HALF))["orderID"])
    await command(web, "restrict", address=trader.address, standing="closed_only")
    bought = await trader.refusal(yes, BUY, 10 * SHARE, HALF, "GTC")
    sold = await trader.place(yes, SELL, 10 * SHARE, HALF, "GTC")
    flag = await trader.ask("/auth/ban-status/closed-only")
    await command(web, "restrict", address=trader.address, standing="banned")
    banned = await trader.refusal(yes, SELL, 10 * SHARE, HALF, "GTC")
    await command(web, "restrict", address=trader.address, standing="open")

    assert bought == (400, f"'{trader.address}' address in closed only mode")
    assert sold["status"] == "live"
    assert flag == {"closed_only": True}
    assert banned == (400, f"'{trader.address}' address banned")
    assert await trader.ask("/auth/ban-status/closed-only") == {"closed_only": False}


async def test_the_grid_gets_finer_when_the_price_nears_its_end(web, venue, maker, trader):
    made = await a_market(web, auto_tick=True)
    yes, no = made["tokens"]
    async with listening(venue.socket_url + "/ws/market", {"assets_ids": [yes], "type": "market"}) as heard:
        await maker.place(no, BUY, 10 * SHARE, 2 * CENT, "GTC")
        await maker.place(yes, BUY, 10 * SHARE, 96 * CENT, "GTC")
        frames = await heard.until(lambda frame: isinstance(frame, dict) and frame["event_type"] == "tick_size_change")
    finer = await trader.place(yes, BUY, 10 * SHARE, 965_000, "GTC")

    assert (frames[-1]["old_tick_size"], frames[-1]["new_tick_size"]) == ("0.01", "0.001")
    assert finer["status"] == "live"


async def test_a_resting_size_has_two_decimals_at_most(web, trader):
    yes = (await a_market(web))["tokens"][0]

    refused = await trader.refusal(yes, BUY, 10_123_400, HALF, "GTC")
    assert refused == (400, "Size 10.1234 has 4 decimal places. Maximum lot size is 2")


async def test_each_market_holds_money_for_itself_and_what_is_spent_elsewhere_ends_it(web, maker):
    poor = await Trader.join(web, 10)
    first, second = await a_market(web), await a_market(web)
    one = await poor.place(first["tokens"][0], BUY, 20 * SHARE, HALF, "GTC")
    two = await poor.place(second["tokens"][0], BUY, 20 * SHARE, HALF, "GTC")
    more = await poor.refusal(second["tokens"][0], BUY, 20 * SHARE, HALF, "GTC")
    await maker.place(first["tokens"][1], BUY, 20 * SHARE, HALF)

    assert more == (
        400,
        "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 10000000",
    )
    assert (await looked_up(web, one["orderID"]))["status"] == "MATCHED"
    assert (await looked_up(web, two["orderID"]))["status"] == "CANCELED"


async def test_money_that_left_on_the_chain_ends_the_orders_it_was_for(web, venue):
    leaver = await Trader.join(web, 10)
    yes = (await a_market(web))["tokens"][0]
    resting = await leaver.place(yes, BUY, 20 * SHARE, HALF, "GTC")
    async with listening(venue.socket_url + "/ws/user", leaver.channel) as heard:
        await approve(venue, leaver, 0)
        await leaver.ask("/balance-allowance/update", asset_type="COLLATERAL")
        (frame,) = await heard.until(lambda frame: frame["type"] == "CANCELLATION")
    refused = await leaver.refusal(yes, BUY, 20 * SHARE, HALF, "GTC")

    assert (frame["id"], frame["status"]) == (resting["orderID"], "CANCELED_NOT_ENOUGH_BALANCE")
    assert refused[0] == 400
    assert refused[1].startswith(
        "not enough balance / allowance: the allowance is not enough -> spender: 0xE111180000d2663C0091e4f400237545B87B996B, "
        "allowance: 0, sum of matched orders: 0, order amount (inc. fees): 10000000"
    )


async def approve(venue, owner, micros):
    """Lets the exchange take that much of the owner's money."""
    data = "0x095ea7b3" + "e111180000d2663c0091e4f400237545b87b996b".rjust(64, "0") + f"{micros:064x}"
    pusd = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
    await venue.node("eth_sendTransaction", {"from": owner.address, "to": pusd, "data": data})
    await venue.node("evm_mine")


async def test_what_a_kind_does_not_get_at_once_rests_is_forgotten_or_kills_it_all(web, trader, maker):
    yes, no = (await a_market(web))["tokens"]
    wish, answers = (yes, BUY, 30 * SHARE, HALF), {}
    for kind in ("FOK", "FAK", "GTC"):
        resting = await maker.place(no, BUY, 10 * SHARE, HALF, "GTC")
        answers[kind] = await trader.post(trader.order(*wish, kind))
        await maker.cancel("/order", {"orderID": resting["orderID"]})
    book = (await web.get("/clob/book", params={"token_id": yes})).json()

    assert answers["FOK"].status_code == 400
    assert [(answers[kind].json()["status"], answers[kind].json()["takingAmount"]) for kind in ("FAK", "GTC")] == [
        ("matched", "10"),
        ("matched", "10"),
    ]
    assert book["bids"] == [{"price": "0.5", "size": "20"}]


async def test_an_order_to_a_date_is_taken_a_minute_ahead_at_least_and_gone_a_minute_before(web, trader):
    yes, now = (await a_market(web))["tokens"][0], int(time.time())
    late = await trader.refusal(yes, BUY, 10 * SHARE, HALF, "GTD", expiration=str(now + 60))
    order = (await trader.place(yes, BUY, 10 * SHARE, HALF, "GTD", expiration=str(now + 150)))["orderID"]
    standing = []
    try:
        for off_ms, status in ((45_000, "LIVE"), (95_000, "CANCELED")):
            await command(web, "clock", off_ms=off_ms)
            standing.append(await until_looked_up(web, order, status))
    finally:
        await command(web, "clock", off_ms=0)

    assert late == (400, "invalid expiration")
    assert [one["status"] for one in standing] == ["LIVE", "CANCELED"]


async def test_whoever_traded_in_a_market_is_notified_of_its_end_as_the_official_client_reads_it(web, trader, maker):
    made = await a_market(web)
    yes, no = made["tokens"]
    await maker.place(no, BUY, 10 * SHARE, HALF, "GTC")
    bought = await trader.place(yes, BUY, 10 * SHARE, HALF)
    await trader.settled(bought["orderID"])
    stranger = await Trader.join(web)
    await command(web, "resolve", condition_id=made["condition_id"], outcome=1)
    told = [await who.ask("/notifications", signature_type="0") for who in (trader, maker, stranger)]
    (ended,) = [MarketResolvedNotification.parse_response(one) for one in told[0] if one["type"] == 4]

    assert [[one["type"] for one in his] for his in told] == [[2, 4], [2, 4], []]
    assert (ended.payload.condition_id, ended.payload.closed) == (made["condition_id"], True)
    assert [(one.asset_id, one.winner) for one in ended.payload.tokens] == [(yes, False), (no, True)]


async def test_a_wallet_that_has_paused_itself_is_found_out_by_its_next_match_and_heard_again_once_it_goes_on(
    web, venue, trader, maker
):
    yes, no = (await a_market(web))["tokens"]
    node = Node(venue.node_url)
    at_once = calldata.write(("setUserPauseBlockInterval", ("uint256",)), 0)
    await Bank(node).send([Send(addresses.ADMIN, addresses.EXCHANGE, at_once), to_exchange(maker, "pauseUser")])
    resting = (await maker.place(no, BUY, 20 * SHARE, HALF, "GTC"))["orderID"]
    taken = await trader.place(yes, BUY, 10 * SHARE, HALF)
    (failed,) = await trader.settled(taken["orderID"], "FAILED")
    await until_looked_up(web, resting, "CANCELED")
    paused = await maker.refusal(no, BUY, 10 * SHARE, HALF, "GTC")
    await Bank(node).send([to_exchange(maker, "unpauseUser")])
    await node.close()

    assert failed["status"] == "FAILED"
    assert paused == (400, "order canceled in the CTF exchange contract")
    assert (await maker.place(no, BUY, 10 * SHARE, HALF, "GTC"))["status"] == "live"


def to_exchange(owner, call):
    return Send(owner.address, addresses.EXCHANGE, calldata.write((call, ())))


async def test_a_game_that_starts_empties_its_book(web, trader):
    made = await a_market(web)
    resting = await trader.place(made["tokens"][0], BUY, 10 * SHARE, HALF, "GTC")
    await command(web, "market", condition_id=made["condition_id"], game_in_ms=0)
    await until_looked_up(web, resting["orderID"], "CANCELED")
    again = await trader.place(made["tokens"][0], BUY, 10 * SHARE, HALF, "GTC")

    assert again["status"] == "live"
    assert made["condition_id"] in [line["condition_id"] for line in await lines(web, "game_started")]


async def test_a_proposed_resolution_takes_the_book_away_and_a_withdrawn_one_gives_it_back(web, trader):
    made = await a_market(web)
    yes = made["tokens"][0]
    resting = await trader.place(yes, BUY, 10 * SHARE, HALF, "GTC")
    await command(web, "market", condition_id=made["condition_id"], uma="proposed")
    gone = await web.get("/clob/book", params={"token_id": yes})
    left = await web.post("/clob/books", json=[{"token_id": yes}])
    refused = await trader.refusal(yes, BUY, 10 * SHARE, HALF, "GTC")
    (row,) = (await web.get("/gamma/markets", params={"condition_ids": made["condition_id"]})).json()
    await command(web, "market", condition_id=made["condition_id"], uma="")

    assert (gone.status_code, left.json()) == (404, [])
    assert gone.json()["error"] == "No orderbook exists for the requested token id"
    assert refused == (400, "the market is not yet ready to process new orders")
    assert (await looked_up(web, resting["orderID"]))["status"] == "CANCELED"
    assert (row["active"], row["closed"]) == (True, False)
    assert (await web.get("/clob/book", params={"token_id": yes})).status_code == 200


async def test_a_market_that_is_resolved_half_and_half_pays_both_sides(web, venue, trader):
    made = await a_market(web)
    yes, no = made["tokens"]
    async with Node(venue.node_url) as node:
        bank = Bank(node)
        await bank.split(trader.address, made["condition_id"], 10 * SHARE)
        await trader.ask("/balance-allowance/update", asset_type="COLLATERAL")
        resting = await trader.place(no, BUY, 10 * SHARE, HALF, "GTC")
        async with listening(venue.socket_url + "/ws/user", trader.channel) as heard:
            await command(web, "resolve", condition_id=made["condition_id"], payouts=[1, 1])
            (frame,) = await heard.until(lambda frame: frame["type"] == "CANCELLATION")
        before = await bank.collateral_balance(trader.address)
        await bank.transfer(trader.address, "0x" + "99" * 20, int(yes), 10 * SHARE)
        await bank.redeem(trader.address, made["condition_id"])
        got = await bank.collateral_balance(trader.address) - before

    assert (frame["id"], frame["status"]) == (resting["orderID"], "CANCELED_MARKET_RESOLVED")
    assert got == 5 * USDC


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("mode", {"mode": "asleep"}),
        ("mode", {"mode": "normal", "script": []}),
        ("mode", {"script": [{"after_ms": -1, "mode": "normal"}]}),
        ("mode", {}),
        ("restrict", {"address": "nobody", "standing": "open"}),
        ("restrict", {"address": "0x" + "99" * 20, "standing": "suspicious"}),
        ("market", {"condition_id": "0x00", "uma": "proposed"}),
        ("geoblock", {"blocked": "yes"}),
        ("geoblock", {"country": "de"}),
        ("geoblock", {"planet": "earth"}),
        ("markets", {"question": ""}),
        ("markets", {"question": "Will it?", "tick_micros": 3}),
        ("markets", {"question": "Will it?", "fee_rate": "0.5"}),
        ("markets", {"question": "Will it?", "colour": "red"}),
    ],
)
async def test_commands_that_make_no_sense_are_refused(web, path, body):
    assert (await web.post("/admin/" + path, json=body)).status_code == 400
