"""The official client, in both its forms, acts for a plain key on the chain: an account is set up, sets are made, merged and redeemed, and
every transaction is signed and paid for by the key itself."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from polymarket._internal.actions.relayer.calls import erc20_approval_call, erc20_transfer_call
from polymarket.types import EvmAddress

from services.venue.accounts import Kind
from services.venue.node import addresses
from tests.patience import PATIENT_S
from tests.venue_asked import FORMS, Asked, asked
from tests.venue_owner import MONEY, an_owner
from tests.venue_process import Venue
from tests.venue_trader import USDC
from tests.venue_web import rows

pytestmark = pytest.mark.xdist_group("swift venue")

CASH, TOKENS = EvmAddress(addresses.COLLATERAL), EvmAddress(addresses.CONDITIONAL_TOKENS)
APPROVALS = 17
# Places in the list of markets; each is resolved once.
REDS, BLUES = 6, 7


@pytest.fixture(scope="module")
def venue(swift_venue: Venue) -> Venue:
    return swift_venue


async def market_of(web: httpx.AsyncClient, kind: str, form: str) -> str:
    """The condition of a market that nobody else resolves."""
    if kind == "neg-risk":
        listed = (await web.get("/admin/markets")).json()["markets"]
        return listed[REDS if form == "sync" else BLUES]["condition_id"]
    wanted = {"question": f"Is {kind} redeemed by the {form} client?", "version": "v2" if kind == "v2" else "v1"}
    return (await web.post("/admin/markets", json=wanted)).json()["condition_id"]


async def spent_by(venue: Venue, address: str) -> tuple[int, int]:
    """How many transactions it sent, and what is left of its gas money."""
    count = await venue.node("eth_getTransactionCount", address, "latest")
    return int(count, 16), int(await venue.node("eth_getBalance", address, "latest"), 16)


async def has_cash(ask: Asked, micros: int) -> bool:
    """Whether the CLOB comes to say so: it follows the chain, and looks at a wallet no more than once in a second."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            if (await ask("get_balance_allowance", asset_type="COLLATERAL")).balance == micros:
                return True
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("form", FORMS)
async def test_a_plain_key_pays_for_its_own_set_up(venue, form):
    owner = an_owner(venue, Kind.EOA, approved=False)
    before = await spent_by(venue, owner.wallet)
    async with asked(owner, form) as ask:
        lacking = await ask("get_trading_approvals_state")
        await ask("setup_trading_approvals")
        complete = await ask("get_trading_approvals_state")
        after = await spent_by(venue, owner.wallet)
        await ask("setup_trading_approvals")
        money = await ask("get_balance_allowance", asset_type="COLLATERAL")

    assert len(lacking.missing.erc20) + len(lacking.missing.erc1155) == APPROVALS
    assert complete.is_fully_approved
    assert (before[0], after[0]) == (0, APPROVALS)
    assert after[1] < before[1]
    # What is approved already is not approved again.
    assert await spent_by(venue, owner.wallet) == after
    assert set(money.allowances.values()) == {2**256 - 1}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["ordinary", "neg-risk", "v2"])
async def test_a_plain_key_splits_merges_and_redeems_by_transactions_of_its_own(venue, web, kind, form):
    condition = await market_of(web, kind, form)
    owner = an_owner(venue, Kind.EOA)
    async with asked(owner, form) as ask:
        split = await ask.done("split_position", condition_id=condition, amount=20 * USDC)
        part = await ask.done("merge_positions", condition_id=condition, amount=5 * USDC)
        batch = await ask.done("merge_multiple_positions", positions=[{"condition_id": condition, "amount": 3 * USDC}])
        held = await ask("list_positions", user=owner.wallet, condition_id=condition)
        split_off = await has_cash(ask, MONEY - 12 * USDC)
        # One answer of an event is yes.
        winner = int(kind == "neg-risk" and form == "async")
        resolved = await web.post("/admin/resolve", json={"condition_id": condition, "outcome": winner})
        redeemed = await ask.done("redeem_positions", condition_id=condition)
        paid = await has_cash(ask, MONEY)
        activity = await ask("list_activity", user=owner.wallet, condition_id=condition)
    sent = [await venue.node("eth_getTransactionByHash", one) for one in (split, part, batch, redeemed)]

    assert resolved.status_code == 200, resolved.text
    assert {one["from"] for one in sent} == {owner.wallet.lower()}
    assert split_off
    assert paid
    assert [(one.current_size, one.mergeable) for one in held] == [(12, True)] * 2
    assert [str(one.type) for one in activity] == ["REDEEM", "MERGE", "MERGE", "SPLIT"]
    every = await rows(web, "/data/activity", user=owner.wallet, market=condition)
    assert sorted((row["type"], row["outcomeIndex"], row["size"]) for row in every) == [
        ("MERGE", 999, 3),
        ("MERGE", 999, 5),
        ("REDEEM", 0, 0 if winner else 12),
        ("REDEEM", 1, 12 if winner else 0),
        ("SPLIT", 999, 20),
    ]


@pytest.mark.parametrize("form", FORMS)
async def test_a_plain_key_approves_sends_and_calls_one_after_the_other(venue, web, form):
    owner, friend = an_owner(venue, Kind.EOA, approved=False), an_owner(venue, Kind.EOA).wallet
    spender = EvmAddress(addresses.EXCHANGE)
    calls: list[Any] = [
        erc20_approval_call(token_address=CASH, spender=spender, amount=7),
        erc20_transfer_call(token_address=CASH, recipient=EvmAddress(friend), amount=2 * USDC),
    ]
    async with asked(owner, form) as ask:
        await ask.done("approve_erc20", token_address=CASH, spender_address=spender, amount=5)
        await ask.done("approve_erc1155_for_all", token_address=TOKENS, operator_address=spender, approved=True)
        await ask.done("transfer_erc20", token_address=CASH, recipient_address=friend, amount=USDC)
        await ask.done("execute_transaction", calls=calls)
        sent = await has_cash(ask, MONEY - 3 * USDC)
        money = await ask("get_balance_allowance", asset_type="COLLATERAL")
        state = await ask("get_trading_approvals_state")

    assert sent
    assert money.allowances[addresses.EXCHANGE] == 7
    assert addresses.EXCHANGE not in {one.operator for one in state.missing.erc1155 if one.token_address == TOKENS}
    assert (await spent_by(venue, owner.wallet))[0] == 5


async def test_a_key_without_gas_money_is_told_so(venue):
    owner = an_owner(venue, Kind.EOA, approved=False)
    await venue.node("evm_setBalance", owner.wallet, "0x0")
    async with asked(owner, "async") as ask:
        started = time.monotonic()
        with pytest.raises(Exception, match="insufficient funds"):
            await ask("approve_erc20", token_address=CASH, spender_address=addresses.EXCHANGE, amount=5)

    assert time.monotonic() - started < 30


@pytest.mark.parametrize("form", FORMS)
async def test_an_order_that_was_not_approved_is_approved_on_the_way(venue, web, form):
    owner = an_owner(venue, Kind.EOA, approved=False)
    token = (await web.get("/admin/markets")).json()["markets"][0]["tokens"][0]
    async with asked(owner, form) as ask:
        rested = await ask("place_limit_order", token_id=token, price="0.02", size="10", side="BUY")
        bought = await ask("place_market_order", token_id=token, side="BUY", amount="10")
        await ask("wait_for_order_fill_settlement", bought)
        sold = await ask("place_market_order", token_id=token, side="SELL", shares="5")
        cancelled = await ask("cancel_all")

    assert (rested.status, bought.status, sold.status) == ("live", "matched", "matched")
    assert cancelled.canceled == (rested.order_id,)
    # Money and shares, each allowed when it was first wanted.
    assert (await spent_by(venue, owner.wallet))[0] == 2


@pytest.mark.parametrize("form", FORMS)
async def test_what_was_split_can_be_sold_without_asking_for_a_new_look(venue, web, form):
    owner = an_owner(venue, Kind.EOA)
    market = (await web.get("/admin/markets")).json()["markets"][0]
    async with asked(owner, form) as ask:
        await ask.done("split_position", condition_id=market["condition_id"], amount=20 * USDC)
        await asyncio.sleep(1.1)
        sold = await ask("place_market_order", token_id=market["tokens"][1], side="SELL", shares="20")

    assert sold.status == "matched"
