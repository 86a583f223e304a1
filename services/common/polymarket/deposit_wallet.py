"""How an order is signed in the name of a deposit wallet (signature type 3): nested in what the wallet itself signs, as ERC-7739 has it."""

from eth_hash.auto import keccak

from services.common.domain.intent import OrderFields
from services.common.polymarket.eip712 import ORDER_TYPE, domain_separator, struct_hash, word

_NESTED_TYPE = keccak(
    (
        "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
        + ORDER_TYPE
    ).encode()
)
_NAME, _VERSION = keccak(b"DepositWallet"), keccak(b"1")


def nested_digest(fields: OrderFields) -> bytes:
    """The 32 bytes that the wallet's key signs: the order under the wallet's own domain, under the exchange's."""
    wallet = bytes(12) + bytes.fromhex(fields.signer.removeprefix("0x"))
    nested = keccak(_NESTED_TYPE + struct_hash(fields) + _NAME + _VERSION + word(fields.chain_id) + wallet + bytes(32))
    return keccak(b"\x19\x01" + _domain(fields) + nested)


def nested_signature(fields: OrderFields, signature: str) -> str:
    """The wallet's signature around its key's 65 bytes: with the exchange's domain, the order's struct hash and its type."""
    tail = _domain(fields) + struct_hash(fields) + ORDER_TYPE.encode() + len(ORDER_TYPE).to_bytes(2, "big")
    return signature + tail.hex()


def _domain(fields: OrderFields) -> bytes:
    return domain_separator(fields.chain_id, fields.exchange.lower(), fields.domain_version)
