"""The key that checkpoints of the audit trail are signed with: Ed25519, in a file of its own."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.common.domain.canonical import canonical
from services.common.domain.checkpoint import Checkpoint

OTHERS = 0o077


class AuditKeyRejected(Exception):
    """The file cannot be used; the text says why, and never what is in it."""


class AuditKey:
    """Signs checkpoints, and knows its own signatures again. Never shown."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def read(cls, path: Path) -> "AuditKey":
        """The key in a PEM file that its owner alone may read. Raises `AuditKeyRejected`."""
        try:
            if path.stat().st_mode & OTHERS:
                raise AuditKeyRejected(f"{path}: others may read it; chmod 600 it")
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise AuditKeyRejected(f"{path}: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise AuditKeyRejected(f"{path}: no unencrypted private key in PEM") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise AuditKeyRejected(f"{path}: not an Ed25519 key")
        return cls(key)

    @classmethod
    def made(cls, path: Path) -> "AuditKey":
        """A new key, kept in `path`, and its public half beside it with the suffix `.pub`."""
        key = Ed25519PrivateKey.generate()
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(key.private_bytes(*form))
        public = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        path.with_suffix(".pub").write_bytes(key.public_key().public_bytes(*public))
        return cls(key)

    def sign(self, checkpoint: Checkpoint) -> str:
        """Its signature in hex."""
        return self._key.sign(canonical(checkpoint.body())).hex()

    def has_signed(self, checkpoint: Checkpoint) -> bool:
        """Whether its signature is of this key."""
        try:
            self._key.public_key().verify(bytes.fromhex(checkpoint.signature), canonical(checkpoint.body()))
        except (InvalidSignature, ValueError):
            return False
        return True
