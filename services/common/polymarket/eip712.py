"""EIP-712 hashes of what PolyCopy signs: exchange orders and the venue's `ClobAuth` (venue.md 3.10, 4.1)."""

from functools import lru_cache

from eth_hash.auto import keccak

from services.common.domain.intent import OrderFields
from services.common.domain.market import Side

ORDER_TYPE = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
ORDER_TYPE_HASH = keccak(ORDER_TYPE.encode())
EXCHANGE_NAME = "Polymarket CTF Exchange"
DOMAIN_VERSIONS = frozenset({"2", "3"})
AUTH_STATEMENT = "This message attests that I control the given wallet"

_EXCHANGE_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_AUTH_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId)")
_AUTH_TYPE = keccak(b"ClobAuth(address address,string timestamp,uint256 nonce,string message)")


class UnknownDomain(ValueError):
    """An exchange domain version that PolyCopy does not know; nothing is signed under it."""


def order_hash(fields: OrderFields) -> str:
    """The order's id, known before it is signed or sent: 0x and 64 hex digits."""
    return "0x" + order_digest(fields).hex()


def order_digest(fields: OrderFields) -> bytes:
    """The 32 bytes that are signed; the same for every signature type but 3."""
    domain = domain_separator(fields.chain_id, fields.exchange.lower(), fields.domain_version)
    return keccak(b"\x19\x01" + domain + struct_hash(fields))


@lru_cache(maxsize=64)
def domain_separator(chain_id: int, exchange: str, version: str) -> bytes:
    """The exchange's domain; raises `UnknownDomain` for a version that is neither "2" nor "3"."""
    if version not in DOMAIN_VERSIONS:
        raise UnknownDomain(f"exchange domain version {version!r}")
    name, text = keccak(EXCHANGE_NAME.encode()), keccak(version.encode())
    return keccak(_EXCHANGE_DOMAIN_TYPE + name + text + word(chain_id) + _address(exchange))


def auth_digest(address: str, timestamp: int, nonce: int, chain_id: int) -> bytes:
    """The 32 bytes of a `ClobAuth`, which creates or derives API credentials; `timestamp` in seconds."""
    domain = keccak(_AUTH_DOMAIN_TYPE + keccak(b"ClobAuthDomain") + keccak(b"1") + word(chain_id))
    stamp, statement = keccak(str(timestamp).encode()), keccak(AUTH_STATEMENT.encode())
    struct = keccak(_AUTH_TYPE + _address(address) + stamp + word(nonce) + statement)
    return keccak(b"\x19\x01" + domain + struct)


def checksum_address(address: str) -> str:
    """The address as EIP-55 spells it."""
    plain = address.lower().removeprefix("0x")
    digits = keccak(plain.encode()).hex()
    return "0x" + "".join(c.upper() if int(digits[i], 16) >= 8 else c for i, c in enumerate(plain))


def struct_hash(fields: OrderFields) -> bytes:
    """The order by itself, under no exchange's domain."""
    return keccak(ORDER_TYPE_HASH + _words(fields))


def order_words(fields: OrderFields) -> str:
    """The order as the argument of a contract's call, its signature left empty: hex without a prefix."""
    at, signature_at, nothing = word(32), word(12 * 32), word(0)
    return (at + _words(fields) + signature_at + nothing).hex()


def _words(fields: OrderFields) -> bytes:
    """The eleven fields, a word each."""
    return b"".join(
        (
            word(fields.salt),
            _address(fields.maker),
            _address(fields.signer),
            word(int(fields.token_id)),
            word(fields.maker_amount),
            word(fields.taker_amount),
            word(0 if fields.side is Side.BUY else 1),
            word(fields.signature_type),
            word(fields.timestamp_ms),
            _bytes32(fields.metadata),
            _bytes32(fields.builder),
        )
    )


def word(value: int) -> bytes:
    """A uint256 as the ABI writes it."""
    return value.to_bytes(32, "big")


def _address(address: str) -> bytes:
    raw = bytes.fromhex(address.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError(f"{address!r} is no address")
    return b"\x00" * 12 + raw


def _bytes32(text: str) -> bytes:
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != 32:
        raise ValueError(f"{text!r} is not 32 bytes")
    return raw
