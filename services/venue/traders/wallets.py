"""Who trades on the local venue: named wallets whose keys follow from the seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

LEADERS = 3
MAKERS = 2
COUNTERPARTY = "counterparty"


@dataclass(frozen=True)
class Trader:
    """One wallet. `name` is what scripts and the admin surface call it."""

    name: str
    account: LocalAccount

    @cached_property
    def address(self) -> str:
        """Checksummed."""
        return str(self.account.address)

    @property
    def role(self) -> str:
        """leader, maker or counterparty."""
        return self.name.partition("-")[0]

    @property
    def is_leader(self) -> bool:
        return self.role == "leader"


def trader(seed: int, name: str) -> Trader:
    """The wallet of that name: the same seed and name give the same key, everywhere and always."""
    key = keccak(text=f"polycopy venue trader {seed} {name}")
    account: LocalAccount = Account.from_key(key)  # pyright: ignore[reportUnknownMemberType]
    return Trader(name, account)


def cast_of(seed: int, leaders: int = LEADERS) -> dict[str, Trader]:
    """Everyone, by name: leaders, market makers, and the counterparty that sweeps resting orders."""
    names = [f"leader-{number + 1}" for number in range(leaders)]
    names += [f"maker-{number + 1}" for number in range(MAKERS)]
    return {name: trader(seed, name) for name in [*names, COUNTERPARTY]}
