"""What an owner signs so that his wallet acts: a deposit wallet's batch, a Safe's transaction, a proxy's relayed call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from services.venue.derive import PROXY_FACTORY, SAFE_FACTORY
from services.venue.node import addresses

CALL_TYPE = "Call(address target,uint256 value,bytes data)"
BATCH_TYPE = f"Batch(address wallet,uint256 nonce,uint256 deadline,Call[] calls){CALL_TYPE}"
SAFE_TYPE = (
    "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,"
    "address gasToken,address refundReceiver,uint256 nonce)"
)
CREATION_TYPE = "CreateProxy(address paymentToken,uint256 payment,address paymentReceiver)"
_CREATION_HASH = keccak(text=CREATION_TYPE)
_CALL_HASH, _BATCH_HASH, _SAFE_HASH = keccak(text=CALL_TYPE), keccak(text=BATCH_TYPE), keccak(text=SAFE_TYPE)
_NAMED_DOMAIN = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_BARE_DOMAIN = keccak(text="EIP712Domain(uint256 chainId,address verifyingContract)")
_FACTORY_DOMAIN = keccak(text="EIP712Domain(string name,uint256 chainId,address verifyingContract)")
_FACTORY_NAME = keccak(text="Polymarket Contract Proxy Factory")
_DEPOSIT_NAME, _DEPOSIT_VERSION = keccak(text="DepositWallet"), keccak(text="1")


@dataclass(frozen=True, slots=True)
class WalletCall:
    """One call of a deposit wallet."""

    target: str
    value: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SafeTransaction:
    """One transaction of a Safe, as it is signed; `operation` 1 runs the other's code as the Safe's own."""

    to: str
    value: int
    data: bytes
    operation: int
    safe_gas: int
    base_gas: int
    gas_price: int
    gas_token: str
    refund_receiver: str


@dataclass(frozen=True, slots=True)
class RelayTerms:
    """On what terms a proxy's owner lets a call be relayed."""

    fee: int
    gas_price: int
    gas_limit: int


def batch_digest(wallet: str, nonce: int, deadline: int, calls: Sequence[WalletCall]) -> bytes:
    """Of a deposit wallet's batch."""
    hashed = b"".join(
        keccak(
            encode(["bytes32", "address", "uint256", "bytes32"], [_CALL_HASH, one.target, one.value, keccak(one.data)])
        )
        for one in calls
    )
    struct = encode(
        ["bytes32", "address", "uint256", "uint256", "bytes32"], [_BATCH_HASH, wallet, nonce, deadline, keccak(hashed)]
    )
    domain = encode(
        ["bytes32", "bytes32", "bytes32", "uint256", "address"],
        [_NAMED_DOMAIN, _DEPOSIT_NAME, _DEPOSIT_VERSION, addresses.CHAIN_ID, wallet],
    )
    return _typed(domain, struct)


def safe_digest(safe: str, nonce: int, wanted: SafeTransaction) -> bytes:
    """Of a Safe's transaction."""
    amounts = (wanted.safe_gas, wanted.base_gas, wanted.gas_price)
    struct = encode(
        [
            *("bytes32", "address", "uint256", "bytes32", "uint8"),
            *("uint256", "uint256", "uint256", "address", "address", "uint256"),
        ],
        [
            *(_SAFE_HASH, wanted.to, wanted.value, keccak(wanted.data), wanted.operation),
            *(*amounts, wanted.gas_token, wanted.refund_receiver, nonce),
        ],
    )
    return _typed(encode(["bytes32", "uint256", "address"], [_BARE_DOMAIN, addresses.CHAIN_ID, safe]), struct)


def creation_digest(payment_token: str, payment: int, payment_receiver: str) -> bytes:
    """Of a Safe that is to be made for whoever signs, and of what he pays for that."""
    domain = encode(
        ["bytes32", "bytes32", "uint256", "address"],
        [_FACTORY_DOMAIN, _FACTORY_NAME, addresses.CHAIN_ID, SAFE_FACTORY],
    )
    paid = [_CREATION_HASH, payment_token, payment, payment_receiver]
    return _typed(domain, encode(["bytes32", "address", "uint256", "address"], paid))


def relay_digest(owner: str, data: bytes, terms: RelayTerms, nonce: int) -> bytes:
    """Of a call of the proxy factory that this relayer is to make for a proxy's owner, as his wallet shows and signs it."""
    numbers = (terms.fee, terms.gas_price, terms.gas_limit, nonce)
    worded = b"rlx:" + _raw(owner) + _raw(PROXY_FACTORY) + data + b"".join(one.to_bytes(32, "big") for one in numbers)
    return shown(keccak(worded + _raw(addresses.RELAY_HUB) + _raw(addresses.RELAYER)))


def shown(digest: bytes) -> bytes:
    """The message that a person's wallet shows for a hash (EIP-191)."""
    return keccak(b"\x19Ethereum Signed Message:\n32" + digest)


def _typed(domain: bytes, struct: bytes) -> bytes:
    return keccak(b"\x19\x01" + keccak(domain) + keccak(struct))


def _raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])
