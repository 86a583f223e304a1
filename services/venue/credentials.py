"""API keys of wallets: given out for a signature (L1), proven by an HMAC on every request (L2) (venue.md 3.10)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sized
from dataclasses import dataclass

from eth_utils.address import is_address, to_checksum_address

from services.venue.digits import whole
from services.venue.refusals import Refusal
from services.venue.signing import auth_hash, signer
from services.venue.spelling import uuid_of

SKEW_S = 300
# Of one wallet, each for a nonce; of those that read; and of all wallets together.
MOST_KEYS = 100
MOST_IN_ALL = 50_000
UNKNOWN_KEY = "Unauthorized/Invalid api key"
# The same of a key that reads only. Who uses which spelling on the real one is not known.
UNKNOWN_READER = "Invalid API key"
BAD_LOGIN = "Invalid L1 Request headers"


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
        self._readonly: dict[str, ApiKey] = {}
        self._drawn = 0

    def create(self, headers: Mapping[str, str], now_s: int) -> ApiKey:
        """The new key of the wallet that signed these L1 headers. Raises `Unauthorized`, and `Refusal` where it is there or one too many."""
        made = self._made(headers, now_s)
        if made.key in self._keys:
            raise Refusal("Could not create api key")
        check_room(self.of(made.address), self._keys, "api keys")
        self._keys[made.key] = made
        return made

    def derive(self, headers: Mapping[str, str], now_s: int) -> ApiKey:
        """The key as it was created. Raises `Unauthorized`, and `Refusal` where it never was."""
        known = self._keys.get(self._made(headers, now_s).key)
        if known is None:
            raise Refusal("Could not derive api key!")
        return known

    def delete(self, key: ApiKey) -> None:
        self._keys.pop(key.key, None)

    def known(self, key: str) -> bool:
        """Whether there is a key of this name."""
        return key in self._keys

    def of(self, address: str) -> list[ApiKey]:
        """The keys of a wallet."""
        return [key for key in self._keys.values() if key.address == address]

    def create_readonly(self, owner: ApiKey) -> str:
        """A key that lets whoever names it, with the wallet, read what its owner may read. Raises `Refusal` where it is one too many."""
        check_room(self.readonly_of(owner.address), self._readonly, "read-only api keys")
        self._drawn += 1
        made = drawn_key(self._seed, owner.address, f"readonly {self._drawn}").key
        self._readonly[made] = owner
        return made

    def readonly_of(self, address: str) -> list[str]:
        return [key for key, owner in self._readonly.items() if owner.address == address]

    def delete_readonly(self, owner: ApiKey, key: str) -> bool:
        """Whether there was such a key of this wallet."""
        mine = key in self.readonly_of(owner.address)
        return mine and self._readonly.pop(key, None) is not None

    def read_only(self, key: str, address: str) -> ApiKey:
        """The key in whose name a read-only key reads. Raises `Unauthorized`."""
        owner = self._readonly.get(key)
        if owner is None or owner.address.lower() != address.lower():
            raise Unauthorized(UNKNOWN_READER)
        return owner

    def plain(self, auth: Mapping[str, object]) -> ApiKey | None:
        """The key that a WebSocket names in full."""
        known = self._keys.get(str(auth.get("apiKey", "")))
        fits = known and known.secret == auth.get("secret") and known.passphrase == auth.get("passphrase")
        return known if fits else None

    def check(self, headers: Mapping[str, str], method: str, path: str, body: bytes, now_s: int) -> ApiKey:
        """The key whose L2 headers these are, for this request. Raises `Unauthorized`."""
        known = self._keys.get(headers.get("poly_api_key", ""))
        if known is None or headers.get("poly_passphrase") != known.passphrase:
            raise Unauthorized(UNKNOWN_KEY)
        if headers.get("poly_address", "").lower() != known.address.lower():
            raise Unauthorized(UNKNOWN_KEY)
        sent = headers.get("poly_timestamp", ""), headers.get("poly_signature", "")
        if not signed(known.secret, *sent, f"{method}{path}".encode() + body, now_s):
            raise Unauthorized(UNKNOWN_KEY)
        return known

    def _made(self, headers: Mapping[str, str], now_s: int) -> ApiKey:
        address, timestamp = headers.get("poly_address", ""), headers.get("poly_timestamp", "")
        nonce = whole(headers.get("poly_nonce", "0"))
        if not is_address(address) or nonce is None or not _recent(timestamp, now_s):
            raise Unauthorized(BAD_LOGIN)
        wallet = to_checksum_address(address)
        try:
            signature = bytes.fromhex(headers.get("poly_signature", "").removeprefix("0x"))
        except ValueError as error:
            raise Unauthorized(BAD_LOGIN) from error
        if signer(auth_hash(wallet, timestamp, nonce), signature) != wallet:
            raise Unauthorized(BAD_LOGIN)
        return drawn_key(self._seed, wallet, str(nonce))


def check_room(own: Sized, every: Sized, what: str) -> None:
    """Raises `Refusal` where a wallet, or the venue, has as many of something as it may."""
    if len(own) >= MOST_KEYS:
        raise Refusal(f"too many {what}: at most {MOST_KEYS} of a wallet")
    if len(every) >= MOST_IN_ALL:
        raise Refusal(f"too many {what}: at most {MOST_IN_ALL} in all")


def drawn_key(seed: int, wallet: str, name: str) -> ApiKey:
    """The key of this name, the same wherever the seed is the same."""

    def named(what: str) -> str:
        return f"{seed}|{wallet}|{name}|{what}"

    def drawn(what: str) -> bytes:
        return hashlib.sha256(named(what).encode()).digest()

    secret, passphrase = base64.urlsafe_b64encode(drawn("secret")).decode(), drawn("passphrase").hex()
    return ApiKey(uuid_of(named("key")), secret, passphrase, wallet)


def signed(secret: str, timestamp: str, signature: str, message: bytes, now_s: int) -> bool:
    """Whether this is the HMAC of time and message, of a time that is near."""
    expected = _hmac(secret, timestamp.encode() + message)
    return _recent(timestamp, now_s) and hmac.compare_digest(expected.encode(), signature.encode())


def _recent(timestamp: str, now_s: int) -> bool:
    second = whole(timestamp)
    return second is not None and abs(second - now_s) <= SKEW_S


def _hmac(secret: str, message: bytes) -> str:
    key = base64.urlsafe_b64decode(secret)
    return base64.urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
