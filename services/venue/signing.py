"""EIP-712 as the exchange and the login check it: hashes of orders and of `ClobAuth`, and who signed them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache

from coincurve import PublicKey
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from services.venue.contracts import STANDARD, Contract
from services.venue.node import addresses
from services.venue.signed import SignedOrder

ORDER_TYPE = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
AUTH_TYPE = "ClobAuth(address address,string timestamp,uint256 nonce,string message)"
AUTH_MESSAGE = "This message attests that I control the given wallet"
SIGNATURE_BYTES = 65
REMEMBERED_ADDRESSES = 16_384

_ORDER_HASH = keccak(text=ORDER_TYPE)
_AUTH_HASH = keccak(text=AUTH_TYPE)
_AUTH_DOMAIN = keccak(
    encode(
        ["bytes32", "bytes32", "bytes32", "uint256"],
        [
            keccak(text="EIP712Domain(string name,string version,uint256 chainId)"),
            keccak(text="ClobAuthDomain"),
            keccak(text="1"),
            addresses.CHAIN_ID,
        ],
    )
)


@lru_cache(maxsize=REMEMBERED_ADDRESSES)
def checksummed(address: str) -> str:
    """An address as it is written with its checksum; whoever trades once trades often. Raises ValueError for what is none."""
    return to_checksum_address(address)


@cache
def exchange_domain(contract: Contract) -> bytes:
    """The domain separator of the exchange that settles an order."""
    return keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [
                keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak(text="Polymarket CTF Exchange"),
                keccak(text=contract.domain_version),
                addresses.CHAIN_ID,
                contract.exchange,
            ],
        )
    )


def order_hash(order: SignedOrder, contract: Contract = STANDARD) -> bytes:
    """The order's id: its hash under the domain of the exchange that settles it."""
    return keccak(b"\x19\x01" + exchange_domain(contract) + keccak(_ORDER_HASH + b"".join(_words(order))))


def _words(order: SignedOrder) -> Iterator[bytes]:
    """The signed fields as the ABI writes them: a word each, since none is of changing length."""
    yield order.salt.to_bytes(32, "big")
    for address in (order.maker, order.signer):
        yield bytes.fromhex(address[2:]).rjust(32, b"\0")
    amounts = (order.token_id, order.maker_amount, order.taker_amount)
    for number in (*amounts, order.side, order.signature_type, order.timestamp):
        yield number.to_bytes(32, "big")
    for text in (order.metadata, order.builder):
        yield text.ljust(32, b"\0")


def auth_hash(address: str, timestamp: str, nonce: int) -> bytes:
    """What a wallet signs to get its API key."""
    struct = encode(
        ["bytes32", "address", "bytes32", "uint256", "bytes32"],
        [_AUTH_HASH, address, keccak(text=timestamp), nonce, keccak(text=AUTH_MESSAGE)],
    )
    return keccak(b"\x19\x01" + _AUTH_DOMAIN + keccak(struct))


def signer(digest: bytes, signature: bytes) -> str | None:
    """Who signed, checksummed; None for what is no signature."""
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (0, 1, 27, 28):
        return None
    recoverable = signature[:64] + bytes([signature[64] % 27])
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # noqa: BLE001  coincurve raises bare exceptions for signatures of no key
        return None
    return checksummed("0x" + keccak(key.format(compressed=False)[1:])[-20:].hex())
