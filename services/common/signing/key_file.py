"""The signer that reads its key from a file: for one machine, development and tests; the signer service replaces it."""

import re
import stat
from pathlib import Path

from coincurve import PrivateKey
from eth_hash.auto import keccak

from services.common.domain.intent import OrderFields
from services.common.polymarket.deposit_wallet import nested_digest, nested_signature
from services.common.polymarket.eip712 import UnknownDomain, auth_digest, checksum_address, order_digest
from services.common.ports.signer import SignerRefused

_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_CONTRACT_WALLETS = range(1, 4)
_DEPOSIT_WALLET = 3


class KeyFileRejected(Exception):
    """The key file is missing, open to others, or holds no key. The message never quotes what it holds."""


class KeyFileSigner:
    """`Signer` over a private key in a file that only its owner may read (mode 0600 or 0400).

    It signs for its own address, and for the contract wallet that it is given, whatever the type of its signature.
    """

    __slots__ = ("_address", "_chain_id", "_key", "_wallet")

    def __init__(self, key: bytes, chain_id: int, wallet: str = "") -> None:
        self._wallet = wallet.lower()
        self._key = PrivateKey(key)
        self._chain_id = chain_id
        public = self._key.public_key.format(compressed=False)[1:]
        self._address = checksum_address("0x" + keccak(public)[-20:].hex())

    @classmethod
    def read(cls, path: Path, chain_id: int, wallet: str = "") -> "KeyFileSigner":
        """The signer of the key in `path`: 64 hex digits. Raises `KeyFileRejected`."""
        return cls(read_key(path), chain_id, wallet)

    def __repr__(self) -> str:
        return f"KeyFileSigner({self._address})"

    @property
    def address(self) -> str:
        return self._address

    async def sign_order(self, fields: OrderFields) -> str:
        self._check(fields)
        try:
            if fields.signature_type == _DEPOSIT_WALLET:
                return nested_signature(fields, self._sign(nested_digest(fields)))
            return self._sign(order_digest(fields))
        except (UnknownDomain, ValueError, OverflowError) as error:
            raise SignerRefused(str(error)) from error

    def _check(self, fields: OrderFields) -> None:
        """Raise `SignerRefused` for an order that is not this key's to sign."""
        if fields.signature_type not in {0, *_CONTRACT_WALLETS}:
            raise SignerRefused(f"signature type {fields.signature_type} is not known")
        own = self._address.lower()
        maker = self._wallet if fields.signature_type in _CONTRACT_WALLETS else own
        signer = maker if fields.signature_type == _DEPOSIT_WALLET else own
        if fields.signer.lower() != signer:
            raise SignerRefused(f"the order names another signer: {fields.signer}")
        if fields.maker.lower() != maker:
            raise SignerRefused(f"the order names another maker: {fields.maker}")
        if fields.chain_id != self._chain_id:
            raise SignerRefused(f"the order is for chain {fields.chain_id}")

    async def sign_auth(self, timestamp: int, nonce: int) -> str:
        return self._sign(auth_digest(self._address, timestamp, nonce, self._chain_id))

    def _sign(self, digest: bytes) -> str:
        # libsecp256k1 answers low-s by itself; Ethereum counts the recovery id from 27.
        raw = self._key.sign_recoverable(digest, hasher=None)  # pyright: ignore[reportUnknownMemberType]
        return "0x" + raw[:64].hex() + f"{raw[64] + 27:02x}"


def read_key(path: Path) -> bytes:
    """The 32 bytes of a private key file; raises `KeyFileRejected` when group or others may touch the file."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyFileRejected(f"{path}: must be a file that only its owner can read (chmod 600)")
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileRejected(f"{path}: {type(error).__name__}") from None
    if not _KEY.fullmatch(text) or not int(text, 16):
        raise KeyFileRejected(f"{path}: not a private key of 64 hex digits")
    return bytes.fromhex(text.removeprefix("0x"))
