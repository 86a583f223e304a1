"""The port of the signer: the only holder of a key."""

from typing import Protocol

from services.common.domain.intent import OrderFields


class SignerRefused(Exception):
    """The signer will not sign this, or is away: nothing left the host."""


class Signer(Protocol):
    """Signs stored intents. Signing the same fields again gives an order of the same id."""

    @property
    def address(self) -> str:
        """The checksummed address that signs."""
        ...

    async def sign_order(self, fields: OrderFields) -> str:
        """The 65-byte signature as 0x-hex."""
        ...

    async def sign_auth(self, timestamp: int, nonce: int) -> str:
        """The L1 `ClobAuth` signature that creates or derives API credentials (venue.md 3.10)."""
        ...
