"""Wallets of a signer and signatures in their name, held to both official clients."""

from dataclasses import replace

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from polymarket._internal import wallet as sdk
from polymarket._internal.environment import PRODUCTION_CONFIG

from services.venue import derive
from services.venue.accounts import Kind
from services.venue.signatures import NESTED_BYTES, order_signer
from services.venue.signing import order_hash, signer
from tests.venue_wallets import NESTED, OWNER, order_of

ORDER_OF_CURVE = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DERIVATION = PRODUCTION_CONFIG.wallet_derivation


@given(key=st.integers(1, 2**200))
@settings(max_examples=25, deadline=None)
def test_wallets_lie_where_the_official_client_looks_for_them(key):
    signer = Account.from_key(key.to_bytes(32, "big")).address

    assert derive.proxy_wallet(signer) == sdk.derive_proxy_wallet_address(signer, DERIVATION)
    assert derive.safe_wallet(signer) == sdk.derive_safe_wallet_address(signer, DERIVATION)
    assert derive.deposit_wallet(signer) == sdk.derive_beacon_deposit_wallet_address(signer, DERIVATION)
    assert derive.old_deposit_wallet(signer) == sdk.derive_uups_deposit_wallet_address(signer, DERIVATION)


ORDERS = [order_of(kind, wallet) for kind in Kind for wallet in OWNER.wallets(kind)]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: f"{Kind(order.signature_type).name} {order.maker[:6]}")
def test_an_order_of_every_wallet_is_signed_by_its_owner(order):
    assert order_signer(order_hash(order), order) == OWNER.signer


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: f"{Kind(order.signature_type).name} {order.maker[:6]}")
def test_another_order_under_the_same_signature_is_not(order):
    changed = replace(order, taker_amount=order.taker_amount + 1)

    assert order_signer(order_hash(changed), changed) != OWNER.signer


def test_a_signature_that_the_chain_would_not_take_is_not_taken_here():
    order = ORDERS[0]
    r, s, v = order.signature[:32], int.from_bytes(order.signature[32:64], "big"), order.signature[64]
    mirrored = r + (ORDER_OF_CURVE - s).to_bytes(32, "big") + bytes([55 - v])
    short = order.signature[:64] + bytes([v - 27])

    assert signer(order_hash(order), mirrored) == signer(order_hash(order), short) == OWNER.signer
    assert order_signer(order_hash(order), replace(order, signature=mirrored)) is None
    assert order_signer(order_hash(order), replace(order, signature=short)) is None


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        NESTED.signature[:65],
        NESTED.signature[:-1],
        NESTED.signature + b"\0",
        NESTED.signature[:65] + keccak(b"another domain") + NESTED.signature[97:],
        NESTED.signature[:97] + keccak(b"another order") + NESTED.signature[129:],
        NESTED.signature[:-3] + b"!" + NESTED.signature[-2:],
        bytes(65) + NESTED.signature[65:],
        bytes.fromhex(
            sdk.wrap_deposit_wallet_session_signer_signature(OWNER.signer, "0x" + NESTED.signature.hex())[2:]
        ),
    ],
    ids=[
        "none",
        "not nested",
        "cut",
        "too long",
        "other domain",
        "other order",
        "other type",
        "nobody's",
        "session key's",
    ],
)
def test_a_nested_signature_that_is_not_whole_is_nobodys(signature):
    assert len(NESTED.signature) == NESTED_BYTES == 317
    assert order_signer(order_hash(NESTED), replace(NESTED, signature=signature)) is None


def test_a_nested_signature_is_good_for_its_own_wallet_alone():
    other = replace(NESTED, maker=OWNER.deposits[0])

    assert order_signer(order_hash(NESTED), NESTED) == OWNER.signer
    assert order_signer(order_hash(NESTED), other) != OWNER.signer
