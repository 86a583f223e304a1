"""The authentication headers of the CLOB (venue.md 3.10): L1 by a wallet's signature, L2 by an API key's HMAC."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key of one signer. Secret and passphrase never show."""

    key: str
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)


def l1_headers(address: str, signature: str, timestamp: int, nonce: int) -> dict[str, str]:
    """Headers that prove possession of the wallet; `timestamp` in seconds."""
    return {
        "POLY_ADDRESS": address,
        "POLY_SIGNATURE": signature,
        "POLY_TIMESTAMP": str(timestamp),
        "POLY_NONCE": str(nonce),
    }


def l2_headers(
    credentials: Credentials, address: str, timestamp: int, method: str, path: str, body: bytes = b""
) -> dict[str, str]:
    """Headers of one request; `path` is the venue's own, without prefix or query; `body` the exact bytes sent."""
    return {
        "POLY_ADDRESS": address,
        "POLY_SIGNATURE": l2_signature(credentials.secret, timestamp, method, path, body),
        "POLY_TIMESTAMP": str(timestamp),
        "POLY_API_KEY": credentials.key,
        "POLY_PASSPHRASE": credentials.passphrase,
    }


def l2_signature(secret: str, timestamp: int, method: str, path: str, body: bytes = b"") -> str:
    """HMAC-SHA256 of `timestamp ‖ METHOD ‖ path ‖ body`, URL-safe base64 with padding."""
    key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    message = f"{timestamp}{method}{path}".encode() + body
    return base64.urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
