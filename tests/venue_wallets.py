"""Orders of contract wallets and bodies for the relayer, signed by the official clients' own functions."""

from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from polymarket._internal.actions.relayer import gasless
from polymarket._internal.actions.relayer.calls import TransactionCall, encode_proxy_call
from polymarket._internal.actions.relayer.signing.deposit_wallet import sign_deposit_wallet_batch
from polymarket._internal.actions.relayer.signing.proxy import build_proxy_transaction_hash, sign_proxy_message
from polymarket._internal.actions.relayer.signing.safe import sign_safe_transaction
from polymarket.types import EvmAddress
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model import OrderDataV2
from py_clob_client_v2.order_utils.model import Side as SdkSide
from py_clob_client_v2.signer import Signer as SdkSigner

from services.venue.accounts import Kind, account_of
from services.venue.derive import DEPOSIT_FACTORY, PROXY_FACTORY, SAFE_FACTORY
from services.venue.node import addresses
from services.venue.signed import SignedOrder
from tests.venue_trader import read

CHAIN = addresses.CHAIN_ID
GAS = "200000"
KEY = "0x" + "5e" * 32
OWNER = account_of(Account.from_key(KEY).address)
BUILDER = ExchangeOrderBuilderV2(addresses.EXCHANGE, CHAIN, SdkSigner(KEY, CHAIN))


def order_of(kind: Kind, maker: str) -> SignedOrder:
    """An order of OWNER in the name of one of his wallets, as py-clob-client-v2 signs it."""
    built = BUILDER.build_signed_order(
        OrderDataV2(
            maker=maker,
            signer=maker if kind is Kind.DEPOSIT else OWNER.signer,
            tokenId="12345",
            makerAmount="5000000",
            takerAmount="10000000",
            side=SdkSide.BUY,
            signatureType=kind.value,
        )
    )
    written = {**vars(built), "salt": int(built.salt), "side": "BUY", "signatureType": kind.value}
    return read(written)


NESTED = order_of(Kind.DEPOSIT, OWNER.deposits[1])


def a_batch(
    owner: LocalAccount, wallet: str, calls: list[TransactionCall], nonce: int = 0, deadline: int = 2**40
) -> dict[str, Any]:
    """A deposit wallet's batch."""
    terms = {"nonce": str(nonce), "deadline": str(deadline)}
    signature = sign_deposit_wallet_batch(owner, wallet=EvmAddress(wallet), calls=calls, chain_id=CHAIN, **terms)
    return gasless.build_deposit_wallet_payload(
        signer_address=owner.address,
        deposit_wallet_factory=DEPOSIT_FACTORY,
        wallet=EvmAddress(wallet),
        calls=calls,
        signature=signature,
        metadata="",
        **terms,
    )


def a_safe_transaction(owner: LocalAccount, calls: list[TransactionCall], nonce: int = 0) -> dict[str, Any]:
    """A Safe's transaction; several calls go through multiSend."""
    safe = account_of(owner.address).safe
    target, data, value, operation = gasless._resolve_safe_call(addresses.SAFE_MULTISEND, calls)
    what: dict[str, Any] = {"data": data, "value": value, "operation": operation, "nonce": str(nonce)}
    signature = sign_safe_transaction(owner, safe_address=EvmAddress(safe), to=target, chain_id=CHAIN, **what)
    return gasless.build_safe_payload(
        signer_address=owner.address,
        wallet=EvmAddress(safe),
        target=target,
        signature=signature,
        metadata="",
        **what,
    )


def a_proxy_call(owner: LocalAccount, calls: list[TransactionCall], nonce: int = 0) -> dict[str, Any]:
    """A proxy's calls."""
    data, relay = encode_proxy_call(calls), EvmAddress(addresses.RELAYER)
    hashed = build_proxy_transaction_hash(
        from_address=EvmAddress(owner.address),
        to=EvmAddress(PROXY_FACTORY),
        data=data,
        relayer_fee="0",
        gas_price="0",
        gas_limit=GAS,
        nonce=str(nonce),
        relay_hub=EvmAddress(addresses.RELAY_HUB),
        relay=relay,
    )
    return gasless.build_proxy_payload(
        signer_address=owner.address,
        proxy_factory=PROXY_FACTORY,
        wallet=EvmAddress(account_of(owner.address).proxy),
        data=data,
        nonce=str(nonce),
        signature=sign_proxy_message(owner, hashed),
        gas_limit=GAS,
        relay=relay,
        relay_hub=addresses.RELAY_HUB,
        metadata="",
    )


def a_creation(owner: LocalAccount, kind: Kind) -> dict[str, Any]:
    """The Safe, or today's deposit wallet, is to be made. A Safe's is signed as its factory wants it."""
    if kind is Kind.DEPOSIT:
        return {"type": "WALLET-CREATE", "from": owner.address, "to": DEPOSIT_FACTORY, "metadata": ""}
    terms = {"paymentToken": "0x" + "00" * 20, "payment": 0, "paymentReceiver": "0x" + "00" * 20}
    fields = {"paymentToken": "address", "payment": "uint256", "paymentReceiver": "address"}
    domain = {"name": "Polymarket Contract Proxy Factory", "chainId": CHAIN, "verifyingContract": SAFE_FACTORY}
    types = {"CreateProxy": [{"name": name, "type": kind} for name, kind in fields.items()]}
    signature = owner.sign_message(encode_typed_data(domain, types, terms)).signature
    return {
        "type": "SAFE-CREATE",
        "from": owner.address,
        "to": SAFE_FACTORY,
        "proxyWallet": account_of(owner.address).safe,
        "data": "0x",
        "signature": "0x" + signature.hex(),
        "signatureParams": terms | {"payment": "0"},
    }


def a_submission(owner: LocalAccount, kind: Kind, calls: list[TransactionCall], nonce: int = 0) -> dict[str, Any]:
    """What the wallet of one kind is to do."""
    match kind:
        case Kind.PROXY:
            return a_proxy_call(owner, calls, nonce)
        case Kind.SAFE:
            return a_safe_transaction(owner, calls, nonce)
        case _:
            return a_batch(owner, account_of(owner.address).deposits[0], calls, nonce)
