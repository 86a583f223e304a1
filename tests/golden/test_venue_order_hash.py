"""The order hash of the local exchange contract, held to the official client's and to real orders of the mainnet."""

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model import OrderV2
from py_clob_client_v2.order_utils.model import Side as SdkSide
from py_clob_client_v2.signer import Signer as SdkSigner

from services.venue.node import addresses, calldata, genesis
from services.venue.node.evm import Call, Chain
from services.venue.signed import SignedOrder, order_tuple
from tests import recordings

CHAIN = "polymarket/pb_chain/chain_orderfilled_samples.json"
KEY = "0x" + "5e" * 32
SDK = ExchangeOrderBuilderV2(addresses.EXCHANGE, addresses.CHAIN_ID, SdkSigner(KEY, addresses.CHAIN_ID))
DOMAIN_SEPARATOR = "3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2"
WORDS = st.binary(min_size=32, max_size=32)
AMOUNTS = st.integers(0, 2**256 - 1)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain(genesis.accounts(), 1_790_000_000)


def ask(chain: Chain, signature: calldata.Signature, *arguments) -> str:
    data = bytes.fromhex(calldata.write(signature, *arguments)[2:])
    return chain.call(Call(bytes(20), genesis.canonical(addresses.EXCHANGE), data), chain.head).hex()


def hash_on_chain(chain: Chain, order: SignedOrder) -> str:
    types = "(uint256,address,address,uint256,uint256,uint256,uint8,uint8,uint256,bytes32,bytes32,bytes)"
    return "0x" + ask(chain, ("hashOrder", (types,)), order_tuple(order))


def hash_of_sdk(order: SignedOrder) -> str:
    fields = OrderV2(
        salt=str(order.salt),
        maker=order.maker,
        signer=order.signer,
        tokenId=str(order.token_id),
        makerAmount=str(order.maker_amount),
        takerAmount=str(order.taker_amount),
        side=SdkSide(order.side),
        signatureType=order.signature_type,
        timestamp=str(order.timestamp),
        metadata="0x" + order.metadata.hex(),
        builder="0x" + order.builder.hex(),
    )
    return SDK.build_order_hash(SDK.build_order_typed_data(fields))


def mainnet_orders() -> dict[str, SignedOrder]:
    recording = recordings.load(CHAIN)
    salts = recording["_added_by_transcriber"]["salts"]
    found: dict[str, SignedOrder] = {}
    for tx in recording["response"].values():
        orders = next(value for name, value in tx.items() if name.startswith("bosona_orders_from_calldata"))
        known = [log["orderHash"] for log in tx["orderfilled_involving_bosona"] if log["orderHash"] in salts]
        found |= {name: recorded(order, salts[name]) for name, order in zip(known, orders, strict=True)}
    return found


def recorded(order, salt: int) -> SignedOrder:
    return SignedOrder(
        salt=salt,
        maker=order["maker"],
        signer=order["signer"],
        token_id=int(order["tokenId"]),
        maker_amount=order["makerAmount"],
        taker_amount=order["takerAmount"],
        side=0 if order["side"] == "BUY" else 1,
        signature_type=order["sigType"],
        timestamp=order["order_ts_ms"],
        metadata=bytes(32),
        builder=bytes(32),
        signature=b"",
    )


def test_the_contract_hashes_four_mainnet_orders_as_the_mainnet_did(chain):
    orders = mainnet_orders()

    assert len(orders) == 4
    assert [hash_on_chain(chain, order) for order in orders.values()] == list(orders)


def test_the_contracts_domain_is_the_mainnets(chain):
    assert ask(chain, ("domainSeparator", ())) == DOMAIN_SEPARATOR


@settings(max_examples=40, deadline=None)
@given(
    salt=AMOUNTS,
    token=AMOUNTS,
    gives=AMOUNTS,
    takes=AMOUNTS,
    at=AMOUNTS,
    side=st.sampled_from([0, 1]),
    a=WORDS,
    b=WORDS,
)
def test_the_contract_and_the_official_client_hash_alike(chain, salt, token, gives, takes, at, side, a, b):
    wallet = Account.from_key(KEY).address
    order = SignedOrder(salt, wallet, wallet, token, gives, takes, side, 0, at, a, b, b"")

    assert hash_on_chain(chain, order) == hash_of_sdk(order)
