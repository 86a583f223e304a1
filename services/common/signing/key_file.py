"""A key in a file of its own: 64 hex digits that nobody but the file's owner may read."""

import re
import stat
from pathlib import Path

from services.common.signing.key import KeyRejected, LocalKey
from services.common.signing.key_signer import KeySigner

_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")


class KeyFileSigner(KeySigner):
    """`Signer` over a private key that anyone may know, or that a file of its owner's holds (mode 0600 or 0400)."""

    __slots__ = ()

    def __init__(self, key: bytes, chain_id: int, wallet: str = "") -> None:
        super().__init__(LocalKey(key), chain_id, wallet)

    @classmethod
    def read(cls, path: Path, chain_id: int, wallet: str = "") -> "KeyFileSigner":
        """The signer of the key in `path`. Raises `KeyRejected`."""
        return cls(read_key(path), chain_id, wallet)


def read_key(path: Path) -> bytes:
    """The 32 bytes of a private key file; raises `KeyRejected` when group or others may touch the file."""
    text = read_secret(path).strip()
    if not _KEY.fullmatch(text) or not int(text, 16):
        raise KeyRejected(f"{path}: not a private key of 64 hex digits")
    return bytes.fromhex(text.removeprefix("0x"))


def read_secret(path: Path) -> str:
    """The text of a file that its owner alone may read. Raises `KeyRejected`."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyRejected(f"{path}: must be a file that only its owner can read (chmod 600)")
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyRejected(f"{path}: {type(error).__name__}") from None
