"""How signatures of orders are kept: AES-256-GCM, bound to the copy and the order that they are of (security.md 8).

A signed order is a bearer instrument while it can fill: whoever has it may have it filled. So the database holds what only the engine can
open. Sealed, a signature reads `s1.KEY.TEXT`: the id of the key, then nonce and ciphertext in base64.
"""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

log = structlog.get_logger()

SETTING = "SEAL_KEY_FILE"
FORM = "s1"
KEY_BYTES, NONCE_BYTES, ID_DIGITS = 32, 12, 12
OTHERS = 0o077

_KEY = re.compile(r"[0-9a-fA-F]{64}")


class SealKeyRejected(Exception):
    """The file cannot be used; the text says why, and never what is in it."""


class KeyRing:
    """`Seal` with one or more keys: the first seals, all of them open. Never shown."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_id(key): AESGCM(key) for key in keys}
        self._id = _id(keys[0])

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._ciphers)})"

    @classmethod
    def read(cls, path: Path) -> "KeyRing":
        """The keys in a file that its owner alone may read, one a line. Raises `SealKeyRejected`."""
        return cls(_keys(path))

    @classmethod
    def passing(cls) -> "KeyRing":
        """A key that ends with the process, for what is not kept beyond it."""
        return cls([secrets.token_bytes(KEY_BYTES)])  # chance: a key

    def sealed(self, copy_id: str, order_hash: str, signature: str) -> str:
        """The signature as it may be stored."""
        nonce = secrets.token_bytes(NONCE_BYTES)  # chance: it must never come twice
        text = self._ciphers[self._id].encrypt(nonce, signature.encode(), _bound(copy_id, order_hash))
        return f"{FORM}.{self._id}.{base64.urlsafe_b64encode(nonce + text).decode()}"

    def opened(self, copy_id: str, order_hash: str, sealed: str) -> str:
        """The signature; empty, and told of by name, where it cannot be opened: then there is none, and it is made again."""
        if not sealed:
            return ""
        form, _, rest = sealed.partition(".")
        key, _, text = rest.partition(".")
        if form != FORM or key not in self._ciphers:
            return _unreadable(copy_id, order_hash, key, "no key of this id" if form == FORM else "not sealed")
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
            return (
                self._ciphers[key].decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(copy_id, order_hash)).decode()
            )
        except (InvalidTag, ValueError, binascii.Error):
            return _unreadable(copy_id, order_hash, key, "changed, or another order's")


def add_key(path: Path) -> str:
    """Put a new key in front of those in `path`, which is made where it is not there; the new key's id. Raises `SealKeyRejected`."""
    known = _keys(path) if path.exists() else []
    made = secrets.token_bytes(KEY_BYTES)  # chance: a key
    whole = "".join(f"{key.hex()}\n" for key in (made, *known))
    beside = path.with_name(path.name + ".new")
    try:
        beside.unlink(missing_ok=True)
        beside.touch(mode=0o600, exist_ok=False)
        beside.write_text(whole)
        beside.replace(path)
    except OSError as error:
        raise SealKeyRejected(f"{path}: {error.strerror}") from None
    return _id(made)


def _keys(path: Path) -> list[bytes]:
    try:
        if path.stat().st_mode & OTHERS:
            raise SealKeyRejected(f"{path}: others may read it; chmod 600 it")
        lines = path.read_text().split()
    except OSError as error:
        raise SealKeyRejected(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SealKeyRejected(f"{path}: not text") from None
    if not lines or not all(_KEY.fullmatch(line) for line in lines):
        raise SealKeyRejected(f"{path}: expected keys of 64 hex digits, one a line")
    return [bytes.fromhex(line) for line in lines]


def _id(key: bytes) -> str:
    return hashlib.sha256(b"polycopy seal key" + key).hexdigest()[:ID_DIGITS]


def _bound(copy_id: str, order_hash: str) -> bytes:
    return f"{copy_id}\n{order_hash}".encode()


def _unreadable(copy_id: str, order_hash: str, key: str, why: str) -> str:
    log.error("signature_unreadable", copy=copy_id, order=order_hash, key_id=key[:ID_DIGITS], why=why, setting=SETTING)
    return ""
