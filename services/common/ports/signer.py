"""The port of the signer: the only holder of a key."""

from enum import StrEnum
from typing import Protocol

from services.common.domain.intent import Intent


class SignerRefused(Exception):
    """The signer will not sign this, or cannot: nothing left the host."""

    code = "signer_refused"


class SignerHalted(SignerRefused):
    """The signer signs no order of this wallet until it is told to go on."""

    code = "signer_halted"


class SignerAway(SignerRefused):
    """The signer does not answer, or its key cannot be used now."""

    code = "signer_away"


class SignerStanding(StrEnum):
    """Whether a signer would sign now. Everything but `READY` keeps new work waiting."""

    READY = "ready"
    AWAY = "signer_away"
    HALTED = "signer_halted"
    UNKNOWN_WALLET = "signer_knows_no_such_wallet"
    OTHER_KEY = "signer_holds_another_key"


class Signer(Protocol):
    """Signs one wallet's stored intents. Signing the same intent again gives an order of the same id."""

    @property
    def address(self) -> str:
        """The checksummed address of the key that signs."""
        ...

    @property
    def at_hand(self) -> bool:
        """Whether it could be asked at this instant, as far as that is known without asking."""
        ...

    async def standing(self) -> SignerStanding:
        """Whether it would sign; asks it."""
        ...

    async def sign_intent(self, copy_id: str, intent: Intent) -> str:
        """The signature of a copy's stored order, 0x-hex. Raises `SignerRefused`."""
        ...

    async def sign_auth(self, timestamp: int, nonce: int) -> str:
        """The L1 `ClobAuth` signature that creates or derives API credentials (venue.md 3.10). Raises `SignerRefused`."""
        ...


class Halts(Protocol):
    """The signer's own stop, for every wallet by its address."""

    async def halt(self, wallet: str) -> None:
        """Let no further order of it be signed. Raises `SignerAway`."""
        ...

    async def resume(self, wallet: str) -> None:
        """End the halt that this service made. Raises `SignerHalted` where another remains, and `SignerAway`."""
        ...
