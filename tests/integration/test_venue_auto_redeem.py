"""The auto-redeemer: with a market's resolution the winners' tokens vanish and their cash arrives, and nobody has asked for it (venue.md 6.4)."""

from typing import Any

import pytest

from services.venue.bank import Bank, Funding
from services.venue.conditions import Condition, splitting
from services.venue.contracts import NEG_RISK, POSITIONS, STANDARD
from services.venue.node.client import Node
from tests.venue_chain import BUY, SELL
from tests.venue_process import Venue
from tests.venue_trader import CENT, SHARE, USDC, Signer, Trader
from tests.venue_views import book, lines, market
from tests.venue_web import rows

pytestmark = pytest.mark.xdist_group("swift venue")


@pytest.fixture(scope="module")
def venue(swift_venue: Venue) -> Venue:
    return swift_venue


async def resolved(web: Any, condition: str, **how: Any) -> dict[str, Any]:
    answer = await web.post("/admin/resolve", json={"condition_id": condition, "outcome": 0, **how})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def a_market(web: Any, path: str, said: dict[str, Any]) -> dict[str, Any]:
    """A market that nobody quotes; the second of an event."""
    asked = {"question" if path == "markets" else "title": "Are winners paid by themselves?"} | said
    answer = await web.post("/admin/" + path, json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json() if path == "markets" else answer.json()["markets"][1]


@pytest.mark.parametrize(
    ("path", "said", "contract"),
    [
        pytest.param("markets", {}, STANDARD, id="ordinary"),
        pytest.param("events", {"answers": ["Red", "Blue", "Green"]}, NEG_RISK, id="neg-risk"),
        pytest.param("markets", {"version": "v2"}, POSITIONS, id="v2"),
    ],
)
async def test_a_winners_balance_vanishes_by_itself_and_his_cash_arrives(web, venue, trader, path, said, contract):
    condition = await a_market(web, path, said)
    yes, no = condition["tokens"]
    set_of = Condition(condition["condition_id"], b"", (int(yes), int(no)), contract)
    async with Node(venue.node_url) as node:
        bank, other = Bank(node), await Trader.join(web)
        await bank.send([splitting(other.address, set_of, 30 * USDC)])
        await other.ask("/balance-allowance/update", asset_type="COLLATERAL")
        await Signer(other, contract).place(yes, SELL, 20 * SHARE, 60 * CENT)
        bought = await Signer(trader, contract).place(yes, BUY, 20 * SHARE, 60 * CENT, "FAK")
        await trader.settled(bought["orderID"])
        told = await resolved(web, condition["condition_id"], auto_redeem=True)
        held = [await bank.token_balance(one.address, int(token)) for one in (trader, other) for token in (yes, no)]
        cash = [await bank.collateral_balance(one.address) for one in (trader, other)]
    activity = (await rows(web, "/data/v2/activity", user=trader.address, type="REDEEM"))["data"]
    old = await rows(web, "/data/activity", user=trader.address, type="REDEEM")
    positions = (await rows(web, "/data/v2/positions", user=trader.address))["data"]

    assert set(told["redeemed"]) == {trader.address.lower(), other.address.lower()}
    assert held == [0, 0, 0, 0]
    # 12 paid and 20 got; 30 split, 12 got, and 10 of the 30 yes were left.
    assert cash == [1_008 * USDC, 992 * USDC]
    kind = "CONDITIONAL-V2" if contract is POSITIONS else "CONDITIONAL"
    assert (await trader.ask("/balance-allowance", asset_type=kind, token_id=yes))["balance"] == "0"
    assert await trader.cash_micros() == 1_008 * USDC
    assert [(row["outcome_index"], row["size"], row["usdc_size"]) for row in activity] == [(0, 20.0, 20.0)]
    # Of protocol V2 what is redeemed has a row, of the others every outcome.
    others = {} if contract is POSITIONS else {1: 0}
    assert {row["outcomeIndex"]: row["size"] for row in old} == {0: 20} | others
    assert positions == []
    (line,) = [one for one in await lines(web, "auto_redeemed") if one["condition_id"] == condition["condition_id"]]
    assert set(line["wallets"]) == set(told["redeemed"])


async def test_nothing_is_redeemed_for_those_who_have_not_approved_it_nor_where_nobody_says_so(web, venue: Venue):
    kept, plain = [
        (await web.post("/admin/markets", json={"question": f"Is it kept {which}?"})).json() for which in ("a", "b")
    ]
    wary = "0x" + "6b" * 20
    async with Node(venue.node_url) as node:
        bank = Bank(node)
        for one in (kept, plain):
            await web.post("/admin/fund", json={"address": wary, "usdc_micros": 10 * USDC, "approve": False})
            await bank.fund_many([Funding(wary, USDC)])
            await bank.split(wary, one["condition_id"], 5 * USDC)
        first = await resolved(web, kept["condition_id"], auto_redeem=True)
        second = await resolved(web, plain["condition_id"])
        held = [await bank.token_balance(wary, int(one["tokens"][0])) for one in (kept, plain)]

    assert (first["redeemed"], second["redeemed"]) == ([], [])
    assert held == [5 * SHARE] * 2


@pytest.mark.parametrize("value", ["yes", 1, None])
async def test_whether_to_redeem_is_said_by_true_or_false(web, value):
    condition = (await market(web))["condition_id"]
    answer = await web.post("/admin/resolve", json={"condition_id": condition, "auto_redeem": value})

    assert (answer.status_code, answer.json()["error"]) == (400, "auto_redeem: expected true or false")
    bids, _ = await book(web, (await market(web))["tokens"][0])
    assert bids
