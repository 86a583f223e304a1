"""Builder keys: made by a wallet's API key, they sign requests to the relayer and end themselves (venue.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.venue.credentials import ApiKey, Unauthorized, check_room, drawn_key, signed


@dataclass(slots=True)
class BuilderKey:
    """One of them; `made` holds its secret, times are in milliseconds."""

    made: ApiKey
    created_ms: int
    revoked_ms: int = 0

    def row(self) -> dict[str, Any]:
        """As the venue lists it."""
        ended = {"revokedAt": self.revoked_ms} if self.revoked_ms else {}
        return {"key": self.made.key, "createdAt": self.created_ms, **ended}


class BuilderKeys:
    """Every builder key; revoked ones stay listed."""

    def __init__(self, seed: int, now_ms: Callable[[], int]) -> None:
        self._seed = seed
        self._now_ms = now_ms
        self._keys: dict[str, BuilderKey] = {}

    def create(self, owner: ApiKey) -> dict[str, str]:
        """A new key of this wallet, its secret told this once. Raises `Refusal` where it is one too many: revoked ones count."""
        check_room(self.of(owner.address), self._keys, "builder keys")
        made = drawn_key(self._seed, owner.address, f"builder {len(self._keys)}")
        self._keys[made.key] = BuilderKey(made, self._now_ms())
        return {"key": made.key, "secret": made.secret, "passphrase": made.passphrase}

    def of(self, address: str) -> list[BuilderKey]:
        return [one for one in self._keys.values() if one.made.address == address]

    def check(self, headers: Mapping[str, str], method: str, path: str, body: bytes) -> BuilderKey:
        """The key whose POLY_BUILDER headers these are, for this request. Raises `Unauthorized`."""
        known = self._keys.get(headers.get("poly_builder_api_key", ""))
        if known is None or known.revoked_ms:
            raise Unauthorized("Invalid api key")
        if headers.get("poly_builder_passphrase") != known.made.passphrase:
            raise Unauthorized("Unauthorized/Invalid api key")
        sent = headers.get("poly_builder_timestamp", ""), headers.get("poly_builder_signature", "")
        if not signed(known.made.secret, *sent, f"{method}{path}".encode() + body, self._now_ms() // 1000):
            raise Unauthorized("Unauthorized/Invalid api key")
        return known

    def revoke(self, key: BuilderKey) -> None:
        """It proves nothing any more."""
        key.revoked_ms = key.revoked_ms or self._now_ms()
