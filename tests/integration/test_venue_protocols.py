"""Neg-risk and protocol-v2 markets from the order to the chain: every kind of match, and what a wallet does with its shares."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.venue.bank import Bank
from services.venue.conditions import Condition, splitting
from services.venue.contracts import NEG_RISK, POSITIONS
from services.venue.node import addresses
from services.venue.node.client import Node
from tests.venue_chain import BUY, SELL
from tests.venue_process import Venue
from tests.venue_trader import CENT, SHARE, USDC, Signer, Trader
from tests.venue_views import ORDER_FILLED

pytestmark = pytest.mark.xdist_group("venue protocols")

# Places in the list of markets.
REDS, BLUES, GREENS, COMET = 6, 7, 8, 9
KINDS = [pytest.param(REDS, NEG_RISK, id="neg-risk"), pytest.param(COMET, POSITIONS, id="protocol v2")]


@pytest.fixture
async def node(venue: Venue) -> AsyncIterator[Node]:
    client = Node(venue.node_url)
    yield client
    await client.close()


async def market(web: httpx.AsyncClient, place: int) -> dict[str, Any]:
    return (await web.get("/admin/markets")).json()["markets"][place]


async def filled_at(node: Node, tx_hash: str) -> list[str]:
    """Where the fills of a transaction were logged."""
    receipt = await node.call("eth_getTransactionReceipt", tx_hash)
    return [log["address"] for log in receipt["logs"] if log["topics"][0] == ORDER_FILLED]


@pytest.mark.parametrize(("place", "contract"), KINDS)
async def test_sets_are_minted_traded_and_merged(venue, web, node, place, contract):
    one, two = [Signer(await Trader.join(web), contract) for _ in range(2)]
    yes, no = (await market(web, place))["tokens"]
    bank = Bank(node)

    # MINT: two purchases that add up to a dollar.
    await one.place(yes, BUY, 10 * SHARE, 40 * CENT)
    minted = await two.place(no, BUY, 10 * SHARE, 60 * CENT)
    (trade,) = await two.trader.settled(minted["orderID"])
    assert await bank.token_balance(one.trader.address, int(yes)) == 10 * SHARE
    assert await bank.token_balance(two.trader.address, int(no)) == 10 * SHARE
    assert [at.lower() for at in await filled_at(node, trade["transaction_hash"])] == [contract.exchange.lower()] * 2

    # COMPLEMENTARY: one sells to the other what he has.
    await one.place(yes, SELL, 5 * SHARE, 50 * CENT)
    bought = await two.place(yes, BUY, 5 * SHARE, 50 * CENT)
    await two.trader.settled(bought["orderID"])
    assert await bank.token_balance(two.trader.address, int(yes)) == 5 * SHARE

    # MERGE: two sales that add up to a dollar.
    await one.place(yes, SELL, 5 * SHARE, 55 * CENT)
    sold = await two.place(no, SELL, 5 * SHARE, 45 * CENT)
    await two.trader.settled(sold["orderID"])
    assert await bank.token_balance(one.trader.address, int(yes)) == 0
    assert await bank.token_balance(two.trader.address, int(no)) == 5 * SHARE
    # 4 paid, 2.5 and 2.75 got; 6 and 2.5 paid, 2.25 got.
    assert await bank.collateral_balance(one.trader.address) == 1_001_250_000
    assert await bank.collateral_balance(two.trader.address) == 993_750_000


@pytest.mark.parametrize(("place", "contract"), KINDS)
async def test_an_order_signed_for_another_exchange_is_refused(web, place, contract):
    trader = await Trader.join(web)
    yes, _ = (await market(web, place))["tokens"]

    text = "order_version_mismatch" if contract is POSITIONS else "invalid signature"

    assert await trader.refusal(yes, BUY, 10 * SHARE, 40 * CENT, "GTC") == (400, text)


@pytest.mark.parametrize(("place", "contract"), KINDS)
async def test_a_wallet_splits_and_sells_what_it_split(web, node, place, contract):
    seller, buyer = [Signer(await Trader.join(web), contract) for _ in range(2)]
    listed = await market(web, place)
    bank = Bank(node)
    tokens = int(listed["tokens"][0]), int(listed["tokens"][1])
    condition = Condition(listed["condition_id"], b"", tokens, contract)
    await bank.send([splitting(seller.trader.address, condition, 20 * USDC)])
    await seller.trader.ask("/balance-allowance/update", asset_type="COLLATERAL")

    await seller.place(listed["tokens"][1], SELL, 20 * SHARE, 30 * CENT)
    bought = await buyer.place(listed["tokens"][1], BUY, 20 * SHARE, 30 * CENT, "FOK")
    await buyer.trader.settled(bought["orderID"])

    assert await bank.token_balance(buyer.trader.address, int(listed["tokens"][1])) == 20 * SHARE
    assert await bank.collateral_balance(seller.trader.address) == 986 * USDC


async def test_the_balance_of_a_token_names_the_exchanges_that_may_move_it(web):
    trader = await Trader.join(web)
    cash = await trader.ask("/balance-allowance", asset_type="COLLATERAL")
    spenders = {addresses.EXCHANGE, addresses.NEG_RISK_EXCHANGE, addresses.EXCHANGE_V3}

    assert spenders <= set(cash["allowances"])
    for place, spender in ((REDS, addresses.NEG_RISK_EXCHANGE), (COMET, addresses.EXCHANGE_V3)):
        yes, _ = (await market(web, place))["tokens"]
        kind = "CONDITIONAL-V2" if place == COMET else "CONDITIONAL"
        held = await trader.ask("/balance-allowance", asset_type=kind, token_id=yes)
        assert int(held["allowances"][spender]) > 0


async def resolve(web: httpx.AsyncClient, place: int, **how: Any) -> httpx.Response:
    condition = (await market(web, place))["condition_id"]
    return await web.post("/admin/resolve", json={"condition_id": condition, **how})


async def test_a_market_that_cannot_pay_so_goes_on_trading(web):
    trader = Signer(await Trader.join(web), NEG_RISK)
    even = await resolve(web, BLUES, payouts=[1, 1])
    yes, _ = (await market(web, BLUES))["tokens"]

    assert (even.status_code, "1:0 or 0:1" in even.text) == (400, True)
    assert (await trader.place(yes, BUY, 10 * SHARE, 10 * CENT))["status"] == "live"


async def test_one_answer_of_an_event_wins_and_a_second_is_refused(web):
    first, second = await resolve(web, REDS, outcome=0), await resolve(web, BLUES, outcome=0)
    third = await resolve(web, BLUES, outcome=1)

    assert (first.status_code, third.status_code) == (200, 200)
    assert (second.status_code, "MarketAlreadyDetermined" in second.text) == (400, True)


async def test_a_market_of_protocol_v2_pays_both_sides_half(web, node):
    trader = await Trader.join(web)
    listed, bank = await market(web, COMET), Bank(node)
    await bank.split(trader.address, listed["condition_id"], 20 * USDC)
    resolved = await resolve(web, COMET, payouts=[1, 1])
    await bank.redeem(trader.address, listed["condition_id"])

    assert resolved.status_code == 200, resolved.text
    assert await bank.collateral_balance(trader.address) == 1_000 * USDC
    assert await bank.token_balance(trader.address, int(listed["tokens"][0])) == 0
