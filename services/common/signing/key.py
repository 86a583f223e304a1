"""A private key that signs digests, wherever it is kept."""

from typing import Protocol

from coincurve import PrivateKey
from eth_hash.auto import keccak

from services.common.polymarket.eip712 import checksum_address


class KeyRejected(Exception):
    """What should hold a key is missing, open to others, or holds none. The message never quotes what it holds."""


class KeyUnavailable(Exception):
    """The key cannot be used now."""


class Key(Protocol):
    """One secp256k1 key."""

    @property
    def address(self) -> str:
        """Its checksummed address."""
        ...

    async def sign(self, digest: bytes) -> str:
        """The 65-byte signature of 32 bytes as 0x-hex: r, a low s, and 27 or 28. Raises `KeyUnavailable`."""
        ...


class LocalKey:
    """A key in this process's memory."""

    __slots__ = ("_address", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = PrivateKey(key)
        self._address = address_of(self._key.public_key.format(compressed=False))

    def __repr__(self) -> str:
        return f"LocalKey({self._address})"

    @property
    def address(self) -> str:
        return self._address

    async def sign(self, digest: bytes) -> str:
        # libsecp256k1 answers low-s by itself; Ethereum counts the recovery id from 27.
        raw = self._key.sign_recoverable(digest, hasher=None)  # pyright: ignore[reportUnknownMemberType]
        return "0x" + raw[:64].hex() + f"{raw[64] + 27:02x}"


def address_of(public: bytes) -> str:
    """The checksummed address of an uncompressed public key (65 bytes)."""
    return checksum_address("0x" + keccak(public[1:])[-20:].hex())
