"""Who may act for which wallet: an API key belongs to a signer, and a signer to a handful of wallets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from services.venue import derive

REMEMBERED = 4_096


class Kind(IntEnum):
    """The signature types of an order, which are the kinds of wallets (venue.md 4.3)."""

    EOA = 0
    PROXY = 1
    SAFE = 2
    DEPOSIT = 3


@dataclass(frozen=True, slots=True)
class Account:
    """One signer, and every wallet that is his: all checksummed, `lower` once more in lower case."""

    signer: str
    proxy: str
    safe: str
    deposits: tuple[str, str]
    lower: frozenset[str]

    def wallets(self, kind: Kind) -> tuple[str, ...]:
        """Those of one kind; of deposit wallets today's comes first."""
        match kind:
            case Kind.EOA:
                return (self.signer,)
            case Kind.PROXY:
                return (self.proxy,)
            case Kind.SAFE:
                return (self.safe,)
            case Kind.DEPOSIT:
                return self.deposits


@lru_cache(maxsize=REMEMBERED)
def account_of(signer: str) -> Account:
    """The account of a signer (checksummed)."""
    proxy, safe = derive.proxy_wallet(signer), derive.safe_wallet(signer)
    deposits = derive.deposit_wallet(signer), derive.old_deposit_wallet(signer)
    return Account(signer, proxy, safe, deposits, frozenset(one.lower() for one in (signer, proxy, safe, *deposits)))
