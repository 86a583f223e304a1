"""Contract wallets at the venue: made and approved through the relayer, traded from by both official clients, settled on chain."""

import re
import time
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from eth_utils.address import to_checksum_address
from polymarket import SecureClient
from polymarket._internal.actions.relayer.calls import erc20_approval_call
from polymarket.auth import BuilderApiKey
from polymarket.errors import TransactionFailedError
from polymarket.types import EvmAddress
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    MarketOrderArgs,
    OrderArgs,
    OrderPayload,
    OrderType,
)

from services.venue.accounts import Kind
from services.venue.node import addresses
from tests.patience import PATIENT_S
from tests.venue_owner import MONEY, Owner, an_owner, relayer_key
from tests.venue_process import Venue
from tests.venue_trader import listening
from tests.venue_views import ORDER_FILLED, PLAIN
from tests.venue_wallets import a_creation, a_submission

WALLETS = [(Kind.PROXY, False), (Kind.SAFE, False), (Kind.DEPOSIT, False), (Kind.DEPOSIT, True)]
NAMES = ["proxy", "safe", "deposit", "old deposit"]
CASH = EvmAddress(addresses.COLLATERAL)
APPROVAL = [erc20_approval_call(token_address=CASH, spender=EvmAddress(addresses.EXCHANGE), amount=7)]

pytestmark = pytest.mark.xdist_group("swift venue")


@pytest.fixture(scope="module")
def venue(swift_venue: Venue) -> Venue:
    return swift_venue


@pytest.fixture(scope="module")
def token(venue: Venue) -> str:
    return httpx.get(venue.url + "/admin/markets", timeout=PATIENT_S).json()["markets"][PLAIN]["tokens"][0]


async def makers_of(venue: Venue, tx_hash: str) -> set[str]:
    """Who had a part in what a transaction filled."""
    receipt = await venue.node("eth_getTransactionReceipt", tx_hash)
    return {to_checksum_address(log["topics"][2][-40:]) for log in receipt["logs"] if log["topics"][0] == ORDER_FILLED}


def test_whoever_names_no_wallet_gets_todays_deposit_wallet(venue):
    owner = an_owner(venue, Kind.DEPOSIT, deployed=False)
    asked = {"address": owner.wallet, "type": "WALLET"}
    before = httpx.get(venue.url + "/relayer/deployed", params=asked, timeout=PATIENT_S).json()
    with owner.client(wallet=None) as client:
        made = client.wallet, client.wallet_type
    after = httpx.get(venue.url + "/relayer/deployed", params=asked, timeout=PATIENT_S).json()
    with owner.client(wallet=None) as client:
        again = client.wallet

    assert (before, after) == ({"deployed": False}, {"deployed": True})
    assert made == (owner.wallet, "DEPOSIT_WALLET")
    assert again == owner.wallet


@pytest.mark.parametrize(("kind", "old"), WALLETS, ids=NAMES)
async def test_an_account_is_set_up_without_gas(venue, kind, old):
    owner = an_owner(venue, kind, old=old, approved=False)
    async with owner.async_client() as client:
        before = await client.get_balance_allowance(asset_type="COLLATERAL")
        lacking = await client.get_trading_approvals_state()
        await client.setup_trading_approvals()
        complete = await client.get_trading_approvals_state()
        after = await client.get_balance_allowance(asset_type="COLLATERAL")
        spender = {"token_address": CASH, "spender_address": addresses.EXCHANGE}
        again = await (await client.approve_erc20(**spender, amount=5)).wait()
        exact = await client.get_balance_allowance(asset_type="COLLATERAL")

    assert before.balance == after.balance == MONEY
    assert set(before.allowances.values()) == {0}
    assert set(after.allowances.values()) == {2**256 - 1}
    assert (lacking.is_fully_approved, complete.is_fully_approved) == (False, True)
    assert exact.allowances[addresses.EXCHANGE] == 5
    assert again.transaction_hash


@pytest.mark.parametrize(("kind", "old"), [(Kind.EOA, False), *WALLETS], ids=["eoa", *NAMES])
async def test_a_wallet_trades_through_polymarket_client(venue, token, kind, old):
    owner = an_owner(venue, kind, old=old)
    with owner.client() as client:
        rested = client.place_limit_order(token_id=token, price="0.02", size="10", side="BUY")
        (listed,) = client.list_open_orders().first_page().items
        cancelled = client.cancel_order(order_id=rested.order_id)
        bought = client.place_market_order(token_id=token, side="BUY", amount="10")
        (tx_hash,) = client.wait_for_order_fill_settlement(bought)
        sold = client.place_market_order(token_id=token, side="SELL", shares="5", order_type="FOK")
        (sold_hash,) = client.wait_for_order_fill_settlement(sold)
        cash = client.get_balance_allowance(asset_type="COLLATERAL")
        held = client.get_balance_allowance(asset_type="CONDITIONAL", token_id=token)
        trades = client.list_account_trades().first_page().items
        activity = client.list_activity(user=owner.wallet).first_page().items

    assert (rested.status, bought.status, sold.status) == ("live", "matched", "matched")
    assert (listed.id, listed.maker_address) == (rested.order_id, owner.wallet)
    assert cancelled.canceled == (rested.order_id,)
    assert owner.wallet in await makers_of(venue, tx_hash)
    assert owner.wallet in await makers_of(venue, sold_hash)
    assert cash.balance == MONEY - round((bought.making_amount - sold.taking_amount) * 10**6)
    assert held.balance == round((bought.taking_amount - 5) * 10**6)
    assert {one.maker_address for one in trades} == {owner.wallet}
    assert {one.transaction_hash for one in activity} == {tx_hash, sold_hash}


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_wallet_trades_through_py_clob_client(venue, token, kind):
    owner = an_owner(venue, kind)
    client = owner.clob()
    resting = client.create_and_post_order(OrderArgs(token_id=token, price=0.02, size=10, side="BUY"))
    listed = client.get_open_orders()
    cancelled = client.cancel_order(OrderPayload(orderID=resting["orderID"]))
    bought = client.create_and_post_market_order(
        MarketOrderArgs(token_id=token, amount=10, side="BUY", price=0.99), order_type=OrderType.FAK
    )
    (trade,) = client.get_trades()
    money = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))

    assert [one["maker_address"] for one in listed] == [owner.wallet]
    assert cancelled["canceled"] == [resting["orderID"]]
    assert bought["status"] == "matched"
    assert (trade["id"], trade["maker_address"]) == (bought["tradeIDs"][0], owner.wallet)
    assert owner.wallet in await makers_of(venue, trade["transaction_hash"])
    assert int(money["balance"]) == MONEY - round(float(bought["makingAmount"]) * 10**6)


def a_market(venue: Venue, path: str, said: dict[str, Any]) -> str:
    """The condition of a market that nobody quotes; the second of an event."""
    asked = {"question" if path == "markets" else "title": "Are wallets paid without gas?"} | said
    made = httpx.post(venue.url + "/admin/" + path, json=asked, timeout=PATIENT_S).raise_for_status().json()
    return (made if path == "markets" else made["markets"][1])["condition_id"]


def cash_of(client: SecureClient, micros: int) -> int:
    """What the CLOB says a wallet has, once it is that, or after all patience: it looks at a wallet no more than once in a second."""
    deadline = time.monotonic() + PATIENT_S
    while (found := client.get_balance_allowance(asset_type="COLLATERAL").balance) != micros:
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    return found


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("markets", {}, id="ordinary"),
        pytest.param("events", {"answers": ["Red", "Blue", "Green"]}, id="neg-risk"),
        pytest.param("markets", {"version": "v2"}, id="v2"),
    ],
)
def test_a_wallet_is_paid_for_its_winners_without_gas(venue, path, said):
    condition = a_market(venue, path, said)
    owners = [an_owner(venue, kind, old=old, approved=False) for kind, old in WALLETS]
    with ExitStack() as stack:
        clients = [stack.enter_context(one.client()) for one in owners]
        sent = []
        for client in clients:
            client.setup_trading_approvals()
            split = client.split_position(condition_id=condition, amount=20 * 10**6).wait()
            merged = client.merge_positions(condition_id=condition, amount=5 * 10**6).wait()
            sent += [split.transaction_hash, merged.transaction_hash]
        before = [cash_of(one, MONEY - 15 * 10**6) for one in clients]
        # A market is resolved once, for all of them.
        resolved = httpx.post(
            venue.url + "/admin/resolve", json={"condition_id": condition, "outcome": 1}, timeout=PATIENT_S
        )
        sent += [one.redeem_positions(condition_id=condition).wait().transaction_hash for one in clients]
        after = [cash_of(one, MONEY) for one in clients]
    told = [
        httpx.get(venue.url + "/data/v2/activity", params={"user": one.wallet}, timeout=PATIENT_S).json()["data"]
        for one in owners
    ]

    assert resolved.status_code == 200, resolved.text
    assert len(set(sent)) == 3 * len(WALLETS)
    assert (before, after) == ([MONEY - 15 * 10**6] * len(WALLETS), [MONEY] * len(WALLETS))
    assert [[row["type"] for row in one] for one in told] == [["REDEEM", "MERGE", "SPLIT"]] * len(WALLETS)


async def test_the_channel_of_a_key_tells_of_every_wallet_of_its_owner(venue, token):
    owner = an_owner(venue, Kind.SAFE)
    client = owner.clob()
    auth = {
        "apiKey": client.creds.api_key,
        "secret": client.creds.api_secret,
        "passphrase": client.creds.api_passphrase,
    }
    async with listening(venue.socket_url + "/ws/user", {"type": "user", "auth": auth}) as socket:
        placed = client.create_and_post_order(OrderArgs(token_id=token, price=0.02, size=10, side="BUY"))
        heard = await socket.until(lambda frame: frame["event_type"] == "order")

    assert (heard[-1]["id"], heard[-1]["maker_address"]) == (placed["orderID"], owner.wallet)


def test_nobody_trades_for_a_deposit_wallet_that_is_not_there(venue, token):
    owner = an_owner(venue, Kind.DEPOSIT, deployed=False)
    with pytest.raises(Exception, match="invalid signature"):
        owner.clob().create_and_post_order(OrderArgs(token_id=token, price=0.02, size=10, side="BUY"))


def test_nobody_trades_for_anothers_wallet(venue, token):
    mine, other = an_owner(venue, Kind.PROXY), an_owner(venue, Kind.PROXY)
    thief = Owner(venue, mine.key, Kind.PROXY, other.wallet)
    with pytest.raises(Exception, match="invalid signature"):
        thief.clob().create_and_post_order(OrderArgs(token_id=token, price=0.02, size=10, side="BUY"))


def test_whoever_is_banned_is_banned_with_every_wallet(venue, token):
    owner = an_owner(venue, Kind.DEPOSIT)
    client, order = owner.clob(), OrderArgs(token_id=token, price=0.02, size=10, side="BUY")
    told = {"address": owner.key.address, "standing": "banned"}
    httpx.post(venue.url + "/admin/restrict", json=told, timeout=PATIENT_S).raise_for_status()

    assert client.get_closed_only_mode() == {"closed_only": True}
    with pytest.raises(Exception, match=f"'{owner.wallet}' address banned"):
        client.create_and_post_order(order)
    httpx.post(
        venue.url + "/admin/restrict", json=told | {"standing": "closed_only"}, timeout=PATIENT_S
    ).raise_for_status()
    with pytest.raises(Exception, match=f"'{owner.wallet}' address in closed only mode"):
        client.create_and_post_order(order)
    httpx.post(venue.url + "/admin/restrict", json=told | {"standing": "open"}, timeout=PATIENT_S).raise_for_status()
    assert client.create_and_post_order(order)["status"] == "live"


class Desk:
    """The relayer by bare requests."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        key = relayer_key(owner.venue, owner.key.address)
        self.headers = {"RELAYER_API_KEY": key.key, "RELAYER_API_KEY_ADDRESS": key.address}

    def submit(self, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        sent = self.headers if headers is None else headers
        answer = httpx.post(self.owner.venue.url + "/relayer/submit", json=body, headers=sent, timeout=PATIENT_S)
        return answer.status_code, answer.json()

    def confirmed(self, transaction_id: str) -> Any:
        """A transaction once it is final."""
        deadline = time.monotonic() + PATIENT_S
        while time.monotonic() < deadline:
            _, found = self.ask(f"/v1/account/transactions/{transaction_id}")
            if found["state"] in ("STATE_CONFIRMED", "STATE_FAILED"):
                return found
            time.sleep(0.05)
        raise AssertionError("not final")

    def ask(self, path: str, **params: str) -> tuple[int, Any]:
        answer = httpx.get(f"{self.owner.venue.url}/relayer{path}", params=params, timeout=PATIENT_S)
        return answer.status_code, answer.json()


def test_the_relayer_takes_no_order_from_strangers(venue):
    desk = Desk(an_owner(venue, Kind.SAFE))
    body = a_submission(desk.owner.key, Kind.SAFE, APPROVAL)
    for headers in ({}, desk.headers | {"RELAYER_API_KEY": "mine"}, desk.headers | {"RELAYER_API_KEY_ADDRESS": "x"}):
        assert desk.submit(body, headers)[0] == 401
    assert desk.submit(body)[0] == 200


@pytest.mark.parametrize("kind", [Kind.PROXY, Kind.SAFE, Kind.DEPOSIT])
def test_the_relayer_says_what_is_wrong_with_a_submission(venue, kind):
    desk = Desk(an_owner(venue, kind))
    key = desk.owner.key
    late = a_submission(key, kind, APPROVAL, nonce=3)

    assert desk.submit(late) == (400, {"error": "batch nonce 3 does not match on-chain nonce 0"})
    assert desk.submit(late | {"signature": "0x" + "11" * 65}) == (400, {"error": "invalid signature"})
    assert desk.submit(late | {"type": "GIFT"}) == (400, {"error": "invalid transaction type"})
    first, second = (desk.submit(a_submission(key, kind, APPROVAL)) for _ in range(2))
    assert first[0] == 200
    assert second[0] == 400
    assert re.search("wallet busy.*active action|batch nonce 0 does not match on-chain nonce 1", second[1]["error"])


@pytest.mark.parametrize("kind", [Kind.SAFE, Kind.DEPOSIT])
def test_a_wallet_has_to_be_made_before_it_acts(venue, kind):
    desk = Desk(an_owner(venue, kind, deployed=False))
    early = desk.submit(a_submission(desk.owner.key, kind, APPROVAL))
    made = desk.submit(a_creation(desk.owner.key, kind))
    done = desk.confirmed(made[1]["transactionID"])

    assert early == (400, {"error": "wallet is not deployed"})
    assert done["state"] == "STATE_CONFIRMED"
    assert desk.submit(a_creation(desk.owner.key, kind)) == (400, {"error": "wallet is already deployed"})
    assert desk.submit(a_submission(desk.owner.key, kind, APPROVAL))[0] == 200


def test_a_proxy_is_made_with_its_first_call(venue):
    desk = Desk(an_owner(venue, Kind.PROXY, deployed=False))
    sent = desk.submit(a_submission(desk.owner.key, Kind.PROXY, APPROVAL))
    done = desk.confirmed(sent[1]["transactionID"])

    assert done["state"] == "STATE_CONFIRMED"
    assert desk.ask("/deployed", address=desk.owner.wallet, type="PROXY") == (200, {"deployed": True})
    assert desk.ask("/relay-payload", address=desk.owner.key.address, type="PROXY")[1]["nonce"] == "1"


def test_the_relayer_answers_questions_in_its_own_words(venue):
    desk = Desk(an_owner(venue, Kind.PROXY))
    address = desk.owner.key.address

    assert desk.ask("/relay-payload", address=address, type="PROXY") == (
        200,
        {"address": addresses.RELAYER, "nonce": "0"},
    )
    assert desk.ask("/v1/account/transactions/params", address=address, type="SAFE")[1] == {
        "address": address,
        "nonce": "0",
    }
    assert desk.ask("/nowhere") == (404, {"error": "Not Found"})
    assert desk.ask("/v1/account/transactions/none") == (404, {"error": "transaction not found"})
    for params in ({}, {"address": "0x1", "type": "SAFE"}, {"address": address, "type": "EOA"}, {"address": address}):
        assert desk.ask("/v1/account/transactions/params", **params)[0] == 400


def test_what_reverts_on_chain_is_a_failed_transaction(venue):
    owner = an_owner(venue, Kind.DEPOSIT)
    with owner.client() as client:
        handle = client.transfer_erc20(token_address=CASH, recipient_address=owner.key.address, amount=MONEY + 1)
        with pytest.raises(TransactionFailedError, match="InsufficientBalance"):
            handle.wait()
        sent = client.transfer_erc20(token_address=CASH, recipient_address=owner.key.address, amount=MONEY).wait()
        left = client.get_balance_allowance(asset_type="COLLATERAL")

    assert sent.transaction_hash
    assert left.balance == 0


def test_a_builder_key_opens_the_relayer_too(venue):
    owner = an_owner(venue, Kind.SAFE)
    with owner.client() as client:
        made = client.create_builder_api_key()
    key = BuilderApiKey(key=made.key, secret=made.secret, passphrase=made.passphrase)
    with owner.client(api_key=key) as client:
        done = client.approve_erc20(token_address=CASH, spender_address=addresses.EXCHANGE, amount=5).wait()

    assert done.transaction_hash
