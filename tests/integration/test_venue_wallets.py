"""Contract wallets at the venue: made and approved through the relayer, traded from by both official clients, settled on chain."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from polymarket._internal.actions.relayer.calls import erc20_approval_call
from polymarket.auth import BuilderApiKey
from polymarket.errors import TransactionFailedError
from polymarket.types import EvmAddress
from py_clob_client_v2.clob_types import (
    OrderArgs,
)

from services.venue.accounts import Kind
from services.venue.node import addresses
from tests.venue_owner import MONEY, Owner, an_owner, relayer_key
from tests.venue_process import Venue, venue_process
from tests.venue_trader import listening
from tests.venue_views import PLAIN
from tests.venue_wallets import a_submission

WALLETS = [(Kind.PROXY, False), (Kind.SAFE, False), (Kind.DEPOSIT, False), (Kind.DEPOSIT, True)]
NAMES = ["proxy", "safe", "deposit", "old deposit"]
CASH = EvmAddress(addresses.COLLATERAL)
APPROVAL = [erc20_approval_call(token_address=CASH, spender=EvmAddress(addresses.EXCHANGE), amount=7)]

pytestmark = pytest.mark.xdist_group("venue wallets")


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    # The clients wait for blocks again and again here.
    with venue_process("--seed", "3", block_ms=50) as running:
        yield running


@pytest.fixture(scope="module")
def token(venue: Venue) -> str:
    return httpx.get(venue.url + "/admin/markets").json()["markets"][PLAIN]["tokens"][0]


def test_whoever_names_no_wallet_gets_todays_deposit_wallet(venue):
    owner = an_owner(venue, Kind.DEPOSIT, deployed=False)
    asked = {"address": owner.wallet, "type": "WALLET"}
    before = httpx.get(venue.url + "/relayer/deployed", params=asked).json()
    with owner.client(wallet=None) as client:
        made = client.wallet, client.wallet_type
    after = httpx.get(venue.url + "/relayer/deployed", params=asked).json()
    with owner.client(wallet=None) as client:
        again = client.wallet

    assert (before, after) == ({"deployed": False}, {"deployed": True})
    assert made == (owner.wallet, "DEPOSIT_WALLET")
    assert again == owner.wallet


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


class Desk:
    """The relayer by bare requests."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        key = relayer_key(owner.venue, owner.key.address)
        self.headers = {"RELAYER_API_KEY": key.key, "RELAYER_API_KEY_ADDRESS": key.address}

    def submit(self, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        sent = self.headers if headers is None else headers
        answer = httpx.post(self.owner.venue.url + "/relayer/submit", json=body, headers=sent)
        return answer.status_code, answer.json()

    def ask(self, path: str, **params: str) -> tuple[int, Any]:
        answer = httpx.get(f"{self.owner.venue.url}/relayer{path}", params=params)
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
    key, absent = desk.owner.key, Desk(an_owner(venue, kind, deployed=False))
    late = a_submission(key, kind, APPROVAL, nonce=3)

    assert desk.submit(late) == (400, {"error": "batch nonce 3 does not match on-chain nonce 0"})
    assert desk.submit(late | {"signature": "0x" + "11" * 65}) == (400, {"error": "invalid signature"})
    assert desk.submit(late | {"type": "GIFT"}) == (400, {"error": "invalid transaction type"})
    assert absent.submit(a_submission(absent.owner.key, kind, APPROVAL)) == (400, {"error": "wallet is not deployed"})
    first, second = (desk.submit(a_submission(key, kind, APPROVAL)) for _ in range(2))
    assert first[0] == 200
    assert second[0] == 400
    assert re.search("wallet busy.*active action|batch nonce 0 does not match on-chain nonce 1", second[1]["error"])


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
