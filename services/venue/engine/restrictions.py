"""Accounts that may not trade: banned ones, and those that may only sell what they hold."""

from __future__ import annotations

from enum import StrEnum

from eth_utils.address import to_checksum_address

from services.venue import refusals
from services.venue.accounts import account_of
from services.venue.model import PostedOrder, Side


class Standing(StrEnum):
    """What an address may do."""

    OPEN = "open"
    CLOSED_ONLY = "closed_only"
    BANNED = "banned"


class Restrictions:
    """By address, that of a signer for all of his wallets; whoever is not named may trade."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}

    def restrict(self, address: str, standing: Standing) -> None:
        for one in account_of(to_checksum_address(address)).lower:
            self._standings[one] = standing
            if standing is Standing.OPEN:
                del self._standings[one]

    def standing(self, address: str) -> Standing:
        return self._standings.get(address.lower(), Standing.OPEN)

    def check(self, posted: PostedOrder) -> None:
        """Raises what a restricted wallet or signer has to hear."""
        for address in dict.fromkeys((posted.signed.maker, posted.signed.signer)):
            match self.standing(address):
                case Standing.BANNED:
                    raise refusals.banned(address)
                case Standing.CLOSED_ONLY if posted.side is Side.BUY:
                    raise refusals.closed_only(address)
                case _:
                    pass
