"""Who may use the relayer: holders of a relayer key, or of a builder key of the CLOB."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from eth_utils.address import is_hex_address

from services.venue.builder_keys import BuilderKeys
from services.venue.credentials import Unauthorized


class RelayerKeys:
    """A relayer key belongs to an address and follows from it and from the venue's seed."""

    def __init__(self, seed: int, builders: BuilderKeys) -> None:
        self._seed = seed
        self._builders = builders

    def of(self, address: str) -> str:
        digits = hashlib.sha256(f"relayer key {self._seed} {address.lower()}".encode()).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"

    def check(self, headers: Mapping[str, str], method: str, path: str, body: bytes) -> None:
        """Raises `Unauthorized` unless the request carries either kind of key."""
        if "relayer_api_key" not in headers:
            self._builders.check(headers, method, path, body)
            return
        address = headers.get("relayer_api_key_address", "")
        if not is_hex_address(address):
            raise Unauthorized("invalid authorization")
        if not hmac.compare_digest(self.of(address).encode(), headers["relayer_api_key"].encode()):
            raise Unauthorized("invalid authorization")
