"""API keys of wallets: given out for a signature (L1), proven by an HMAC on every request (L2) (venue.md 3.10)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from eth_utils.address import is_address, to_checksum_address

from services.venue.digits import whole
from services.venue.signing import auth_hash, signer

SKEW_S = 300


class Unauthorized(Exception):
    """Headers that prove nothing; the text is the venue's."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key; the same wallet and nonce always get the same."""

    key: str
    secret: str
    passphrase: str
    address: str

    def body(self) -> dict[str, str]:
        """As the venue writes it."""
        return {"apiKey": self.key, "secret": self.secret, "passphrase": self.passphrase}


class Credentials:
    """Every key that was created. What they are follows from the venue's seed, the wallet and the nonce."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._keys: dict[str, ApiKey] = {}

    def create(self, headers: Mapping[str, str], now_s: int) -> ApiKey:
        """The key of the wallet that signed these L1 headers. Raises `Unauthorized`."""
        made = self._made(headers, now_s)
        self._keys[made.key] = made
        return made

    def derive(self, headers: Mapping[str, str], now_s: int) -> ApiKey | None:
        """The key as it was created; None where it never was. Raises `Unauthorized`."""
        return self._keys.get(self._made(headers, now_s).key)

    def delete(self, key: ApiKey) -> None:
        self._keys.pop(key.key, None)

    def of(self, address: str) -> list[ApiKey]:
        """The keys of a wallet."""
        return [key for key in self._keys.values() if key.address == address]

    def plain(self, auth: Mapping[str, object]) -> ApiKey | None:
        """The key that a WebSocket names in full."""
        known = self._keys.get(str(auth.get("apiKey", "")))
        fits = known and known.secret == auth.get("secret") and known.passphrase == auth.get("passphrase")
        return known if fits else None

    def check(self, headers: Mapping[str, str], method: str, path: str, body: bytes, now_s: int) -> ApiKey:
        """The key whose L2 headers these are, for this request. Raises `Unauthorized`."""
        known = self._keys.get(headers.get("poly_api_key", ""))
        timestamp = headers.get("poly_timestamp", "")
        if known is None or headers.get("poly_passphrase") != known.passphrase:
            raise Unauthorized("Unauthorized/Invalid api key")
        if headers.get("poly_address", "").lower() != known.address.lower() or not _recent(timestamp, now_s):
            raise Unauthorized("Unauthorized/Invalid api key")
        expected = _hmac(known.secret, f"{timestamp}{method}{path}".encode() + body)
        if not hmac.compare_digest(expected.encode(), headers.get("poly_signature", "").encode()):
            raise Unauthorized("Unauthorized/Invalid api key")
        return known

    def _made(self, headers: Mapping[str, str], now_s: int) -> ApiKey:
        address, timestamp = headers.get("poly_address", ""), headers.get("poly_timestamp", "")
        nonce = whole(headers.get("poly_nonce", "0"))
        if not is_address(address) or nonce is None or not _recent(timestamp, now_s):
            raise Unauthorized("Invalid L1 Request headers")
        wallet = to_checksum_address(address)
        try:
            signature = bytes.fromhex(headers.get("poly_signature", "").removeprefix("0x"))
        except ValueError as error:
            raise Unauthorized("Invalid L1 Request headers") from error
        if signer(auth_hash(wallet, timestamp, nonce), signature) != wallet:
            raise Unauthorized("Invalid L1 Request headers")
        return self._key(wallet, nonce)

    def _key(self, wallet: str, nonce: int) -> ApiKey:
        def drawn(what: str) -> bytes:
            return hashlib.sha256(f"{self._seed}|{wallet}|{nonce}|{what}".encode()).digest()

        digits = drawn("key").hex()
        name = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
        return ApiKey(name, base64.urlsafe_b64encode(drawn("secret")).decode(), drawn("passphrase").hex(), wallet)


def _recent(timestamp: str, now_s: int) -> bool:
    second = whole(timestamp)
    return second is not None and abs(second - now_s) <= SKEW_S


def _hmac(secret: str, message: bytes) -> str:
    key = base64.urlsafe_b64decode(secret)
    return base64.urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
