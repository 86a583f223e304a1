"""Whose order it is: the four signature types of the exchange, on the EVM in this process."""

from dataclasses import replace

import pytest
from eth_utils.crypto import keccak
from polymarket._internal.wallet import derive_proxy_wallet_address, derive_safe_wallet_address
from polymarket.environments import PRODUCTION

from services.venue.node import addresses, genesis
from services.venue.signed import order_tuple
from services.venue.signing import order_hash
from tests.venue_chain import (
    ALICE,
    BOB,
    BUY,
    CAROL,
    SELL,
    SHARE,
    YES,
    Contracts,
    a_match,
    an_order,
    resigned,
)

CENTS = 10_000
PROXY, SAFE, DEPOSIT = 1, 2, 3
WALLETS = PRODUCTION._config.wallet_derivation  # pyright: ignore[reportPrivateUsage]
# Contracts of a few instructions: one answers every call with the selector it was called by, which is what ERC-1271 and the hooks of
# ERC-1155 want to hear; one answers with nothing; one reverts.
AGREEING = genesis.Account(b"\x71" * 20, code=bytes.fromhex("5f3560e01c60e01b5f5260205ff3"))
SILENT = genesis.Account(b"\x72" * 20, code=bytes.fromhex("00"))
REVERTING = genesis.Account(b"\x73" * 20, code=bytes.fromhex("5f5ffd"))
ORDER = "(uint256,address,address,uint256,uint256,uint256,uint8,uint8,uint256,bytes32,bytes32,bytes)"
PREAPPROVE = ("preapproveOrder", (ORDER,))


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    made = Contracts([AGREEING, SILENT, REVERTING])
    for wallet in (*map(proxy_of, (ALICE, BOB)), *map(safe_of, (ALICE, BOB)), name(AGREEING)):
        made.fund(wallet)
    return made


def name(account: genesis.Account) -> str:
    return "0x" + account.address.hex()


def proxy_of(owner) -> str:
    return derive_proxy_wallet_address(owner.address, WALLETS)


def safe_of(owner) -> str:
    return derive_safe_wallet_address(owner.address, WALLETS)


@pytest.fixture
def salt(request: pytest.FixtureRequest) -> int:
    """A number of this test alone."""
    return int.from_bytes(keccak(text=request.node.name)[:5], "big")


def a_purchase(salt: int, maker: str, kind: int, signer=ALICE, **changes):
    bare = an_order(signer, BUY, YES, SHARE, 50 * CENTS, salt)
    return resigned(replace(bare, maker=maker, signature_type=kind, **changes), signer)


def settle(contracts: Contracts, salt: int, order) -> str:
    return contracts.refusal(a_match(order, an_order(CAROL, SELL, YES, SHARE, 50 * CENTS, salt)))


@pytest.mark.parametrize(("kind", "wallet_of"), [(PROXY, proxy_of), (SAFE, safe_of)])
def test_the_owner_signs_for_the_wallet_that_is_derived_from_him(contracts, salt, kind, wallet_of):
    wallet = wallet_of(ALICE)
    before = contracts.shares(wallet, YES)

    assert settle(contracts, salt, a_purchase(salt, wallet, kind)) == ""
    assert contracts.shares(wallet, YES) == before + SHARE


@pytest.mark.parametrize(
    ("kind", "wallet"),
    [
        (PROXY, safe_of(ALICE)),
        (SAFE, proxy_of(ALICE)),
        (PROXY, proxy_of(BOB)),
        (SAFE, safe_of(BOB)),
        (4, proxy_of(ALICE)),
    ],
)
def test_nobody_signs_for_another_wallet(contracts, salt, kind, wallet):
    assert settle(contracts, salt, a_purchase(salt, wallet, kind)) == "InvalidSignature"


def test_a_contract_says_itself_whether_an_order_is_its_own(contracts, salt):
    wallet = name(AGREEING)
    order = replace(a_purchase(salt, wallet, DEPOSIT), signer=wallet, signature=b"\x01" * 1_000)

    assert settle(contracts, salt, order) == ""


@pytest.mark.parametrize("wallet", [name(SILENT), name(REVERTING), BOB.address])
def test_a_wallet_that_does_not_answer_has_signed_nothing(contracts, salt, wallet):
    order = replace(a_purchase(salt, wallet, DEPOSIT), signer=wallet, signature=b"\x01" * 317)

    assert settle(contracts, salt, order) == "InvalidSignature"


def test_a_contract_answers_only_for_itself(contracts, salt):
    order = replace(a_purchase(salt, proxy_of(ALICE), DEPOSIT), signer=name(AGREEING), signature=b"\x01" * 65)

    assert settle(contracts, salt, order) == "InvalidSignature"


def test_an_order_that_was_approved_before_needs_no_signature_any_more(contracts, salt):
    order = an_order(ALICE, BUY, YES, SHARE, 50 * CENTS, salt)
    bare = replace(order, signature=b"")
    first = settle(contracts, salt, bare)
    stranger = contracts.send(ALICE.address, addresses.EXCHANGE, PREAPPROVE, order_tuple(order))
    contracts.must(addresses.OPERATOR, addresses.EXCHANGE, PREAPPROVE, order_tuple(order))

    assert (first, stranger.ok) == ("InvalidSignature", False)
    assert settle(contracts, salt, bare) == ""


def test_an_approval_can_be_taken_back(contracts, salt):
    order = an_order(ALICE, BUY, YES, SHARE, 50 * CENTS, salt)
    contracts.must(addresses.OPERATOR, addresses.EXCHANGE, PREAPPROVE, order_tuple(order))
    contracts.must(
        addresses.OPERATOR, addresses.EXCHANGE, ("invalidatePreapprovedOrder", ("bytes32",)), order_hash(order)
    )

    assert settle(contracts, salt, replace(order, signature=b"")) == "InvalidSignature"
