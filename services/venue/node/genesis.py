"""The first block's state: the contracts at their Polygon addresses, set up as if they had been deployed and wired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from services.venue.node import addresses, artifacts

UNLIMITED = 2**256 - 1
# Above the 7 % of the dearest fee category at the lowest price; the original's default of 500 would refuse it.
MAX_FEE_RATE_BPS = 1_000
USER_PAUSE_BLOCKS = 100
TREASURY_WEI = 10**24


@dataclass(frozen=True, slots=True)
class Account:
    """What one address holds in the first block; storage maps slot to value."""

    address: bytes
    balance: int = 0
    code: bytes = b""
    storage: dict[int, int] = field(default_factory=dict[int, int])


def canonical(address: str) -> bytes:
    return bytes.fromhex(address.removeprefix("0x"))


def accounts() -> Iterator[Account]:
    """Every account of the first block."""
    for address in addresses.UNLOCKED:
        yield Account(canonical(address), balance=TREASURY_WEI)
    yield _collateral()
    yield _contract("conditional_tokens", addresses.CONDITIONAL_TOKENS, {})
    yield _exchange()
    yield _contract("wallet_multisend", addresses.SAFE_MULTISEND, {})


def _collateral() -> Account:
    slots = artifacts.load("collateral").slots
    # The exchange splits sets for MINT matches, so the conditional tokens may take its collateral.
    granted = _entry(_entry(slots["allowance"], addresses.EXCHANGE), addresses.CONDITIONAL_TOKENS)
    return _contract("collateral", addresses.COLLATERAL, {slots["owner"]: _number(addresses.ADMIN), granted: UNLIMITED})


def _exchange() -> Account:
    slots = artifacts.load("exchange").slots
    storage = {
        _entry(slots["isAdmin"], addresses.ADMIN): 1,
        _entry(slots["isOperator"], addresses.OPERATOR): 1,
        slots["getFeeReceiver"]: _number(addresses.FEE_RECEIVER),
        slots["getMaxFeeRate"]: MAX_FEE_RATE_BPS,
        slots["userPauseBlockInterval"]: USER_PAUSE_BLOCKS,
    }
    return _contract("exchange", addresses.EXCHANGE, storage)


def _contract(name: str, address: str, storage: dict[int, int]) -> Account:
    return Account(canonical(address), code=artifacts.load(name).runtime, storage=storage)


def _entry(slot: int, key: str) -> int:
    """Where Vyper keeps mapping[key]: the hash of the mapping's slot and the key."""
    return int.from_bytes(keccak(slot.to_bytes(32, "big") + canonical(key).rjust(32, b"\0")), "big")


def _number(address: str) -> int:
    return int(address, 16)
