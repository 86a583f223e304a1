"""Both official clients trade neg-risk markets and those of protocol v2 from wallets of every kind: sets are minted between two buyers, change
hands, and are merged between two sellers, and the chain's balances are what the prices say."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from polymarket import SecureClient
from py_clob_client_v2.clob_types import AssetType, BalanceAllowanceParams, OrderArgs

from services.venue.accounts import Kind
from services.venue.bank import Bank
from services.venue.node.client import Node
from tests.patience import PATIENT_S
from tests.venue_owner import MONEY, Owner, an_owner
from tests.venue_process import Venue
from tests.venue_trader import SHARE

pytestmark = pytest.mark.xdist_group("swift venue")

# Places in the list of markets that nobody else trades or resolves.
GREENS, COMET = 8, 9
KINDS = list(Kind)
CENT = 10_000


@pytest.fixture(scope="module")
def venue(swift_venue: Venue) -> Venue:
    return swift_venue


@dataclass(frozen=True)
class Party:
    """One wallet with a way of placing limit orders: (token, side, price, shares) to the answer's status and trades."""

    owner: Owner
    place: Callable[[str, str, float, int], tuple[str, list[str]]]
    shares: Callable[[str], int]


def by_polymarket_client(owner: Owner, opened: list[SecureClient], *, v2: bool) -> Party:
    client = owner.open()
    opened.append(client)
    kind = "CONDITIONAL-V2" if v2 else "CONDITIONAL"

    def place(token: str, side: str, price: float, shares: int) -> tuple[str, list[str]]:
        answer = client.place_limit_order(asset_id=token, price=str(price), size=str(shares), side=side)
        assert answer.ok, answer
        return answer.status, [str(one) for one in answer.trade_ids]

    return Party(owner, place, lambda token: client.get_balance_allowance(asset_type=kind, asset_id=token).balance)


def by_clob_client(owner: Owner, _: list[SecureClient], *, v2: bool) -> Party:
    client = owner.clob()
    kind = "CONDITIONAL-V2" if v2 else AssetType.CONDITIONAL

    def place(token: str, side: str, price: float, shares: int) -> tuple[str, list[str]]:
        named: dict[str, Any] = {"token_id": None, "position_id": token} if v2 else {"token_id": token}
        answer = client.create_and_post_order(OrderArgs(**named, price=price, size=shares, side=side))
        return answer["status"], answer.get("tradeIDs", [])

    def shares(token: str) -> int:
        asked = BalanceAllowanceParams(asset_type=kind, token_id=token)
        return int(client.get_balance_allowance(asked)["balance"])

    return Party(owner, place, shares)


CLIENTS = {"polymarket-client": by_polymarket_client, "py-clob-client-v2": by_clob_client}


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("place", [GREENS, COMET], ids=["neg-risk", "protocol v2"])
async def test_wallets_of_every_kind_mint_trade_and_merge(venue, web, place, name):
    yes, no = (await web.get("/admin/markets")).json()["markets"][place]["tokens"]
    opened: list[SecureClient] = []
    plain, proxy, safe, deposit = [CLIENTS[name](an_owner(venue, kind), opened, v2=place == COMET) for kind in KINDS]
    try:
        # MINT: two purchases that add up to a dollar, of a plain key and of a proxy.
        rested = plain.place(yes, "BUY", 0.40, 10)
        minted = proxy.place(no, "BUY", 0.60, 10)
        await mined(web, minted)
        # COMPLEMENTARY: a Safe and a deposit wallet buy what these have.
        plain.place(yes, "SELL", 0.50, 10)
        await mined(web, safe.place(yes, "BUY", 0.50, 10))
        proxy.place(no, "SELL", 0.50, 10)
        await mined(web, deposit.place(no, "BUY", 0.50, 10))
        held = safe.shares(yes), deposit.shares(no), plain.shares(yes), proxy.shares(no)
        # MERGE: two sales that add up to a dollar, and a part is left to each.
        safe.place(yes, "SELL", 0.55, 8)
        await mined(web, deposit.place(no, "SELL", 0.45, 8))
    finally:
        for client in opened:
            client.close()

    assert (rested[0], minted[0]) == ("live", "matched")
    assert held == (10 * SHARE, 10 * SHARE, 0, 0)
    async with Node(venue.node_url) as node:
        bank = Bank(node)
        cash = [await bank.collateral_balance(one.owner.wallet) for one in (plain, proxy, safe, deposit)]
        left = [await bank.token_balance(one.owner.wallet, int(token)) for one, token in ((safe, yes), (deposit, no))]
    # 4 for 5; 6 for 5; 5 for 4.4; 5 for 3.6.
    assert [one - MONEY for one in cash] == [100 * CENT, -100 * CENT, -60 * CENT, -140 * CENT]
    assert left == [2 * SHARE, 2 * SHARE]


async def mined(web: httpx.AsyncClient, placed: tuple[str, list[str]]) -> None:
    """Waits until every trade of an order is on the chain."""
    status, trades = placed
    assert status == "matched"
    assert trades
    async with asyncio.timeout(PATIENT_S):
        while True:
            lines = (await web.get("/admin/journal", params={"after": 0})).json()["lines"]
            settled = {line["trade_id"] for line in lines if line["kind"] == "settled"}
            if set(trades) <= settled:
                return
            await asyncio.sleep(0.05)
