"""Who signed an order, for each kind of wallet: by his own key, or nested in what a contract wallet signs (ERC-7739)."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from services.venue.accounts import Kind
from services.venue.node import addresses
from services.venue.signed import SignedOrder
from services.venue.signing import ORDER_TYPE, SIGNATURE_BYTES, signer

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
# A deposit wallet's signature: the key's 65 bytes, the exchange's domain, the order's struct hash, its type, the type's length.
NESTED_TAIL = ORDER_TYPE.encode() + len(ORDER_TYPE).to_bytes(2, "big")
NESTED_BYTES = SIGNATURE_BYTES + 64 + len(NESTED_TAIL)

_NESTED_HASH = keccak(
    text="TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    f"address verifyingContract,bytes32 salt){ORDER_TYPE}"
)
_WALLET_NAME, _WALLET_VERSION = keccak(text="DepositWallet"), keccak(text="1")


def order_signer(digest: bytes, order: SignedOrder) -> str | None:
    """The key that signed the order whose hash is `digest`, checksummed; None for what is no signature of its type."""
    if not _is_canonical(order.signature):
        return None
    if order.signature_type == Kind.DEPOSIT:
        return nested_signer(digest, order.maker, order.signature)
    return signer(digest, order.signature)


def _is_canonical(signature: bytes) -> bool:
    """Written as the contracts want it: a v of 27 or 28, and of the two mirror images of s the lower."""
    return signature[64:65] in (b"\x1b", b"\x1c") and int.from_bytes(signature[32:64], "big") <= HALF_ORDER


def nested_signer(digest: bytes, wallet: str, signature: bytes) -> str | None:
    """Who signed an order's digest in the name of a deposit wallet."""
    if len(signature) != NESTED_BYTES or not signature.endswith(NESTED_TAIL):
        return None
    own, domain, contents = signature[:65], signature[65:97], signature[97:129]
    if keccak(b"\x19\x01" + domain + contents) != digest:
        return None
    struct = encode(
        ["bytes32", "bytes32", "bytes32", "bytes32", "uint256", "address", "bytes32"],
        [_NESTED_HASH, contents, _WALLET_NAME, _WALLET_VERSION, addresses.CHAIN_ID, wallet, bytes(32)],
    )
    return signer(keccak(b"\x19\x01" + domain + keccak(struct)), own)
