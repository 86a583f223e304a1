"""The first block's state: the contracts at their Polygon addresses, set up as if they had been deployed and wired."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


EXCHANGES = {
    "exchange": addresses.EXCHANGE,
    "neg_risk_exchange": addresses.NEG_RISK_EXCHANGE,
    "exchange_v3": addresses.EXCHANGE_V3,
}
# Contracts that start with nothing stored.
PLAIN = {
    "neg_risk_adapter": addresses.NEG_RISK_ADAPTER,
    "collateral_adapter": addresses.COLLATERAL_ADAPTER,
    "neg_risk_collateral_adapter": addresses.NEG_RISK_COLLATERAL_ADAPTER,
    "router": addresses.ROUTER,
    "wallet_multisend": addresses.SAFE_MULTISEND,
}
# What contracts have granted each other: (owner, spender). Sets are split from an exchange's collateral for MINT matches, and merged
# from its shares.
_TAKES_COLLATERAL = (
    (addresses.EXCHANGE, addresses.CONDITIONAL_TOKENS),
    (addresses.COLLATERAL_ADAPTER, addresses.CONDITIONAL_TOKENS),
    (addresses.NEG_RISK_EXCHANGE, addresses.NEG_RISK_ADAPTER),
    (addresses.NEG_RISK_COLLATERAL_ADAPTER, addresses.NEG_RISK_ADAPTER),
    (addresses.EXCHANGE_V3, addresses.ROUTER),
)
_MOVES_TOKENS = (
    (addresses.NEG_RISK_EXCHANGE, addresses.NEG_RISK_ADAPTER),
    (addresses.NEG_RISK_COLLATERAL_ADAPTER, addresses.NEG_RISK_ADAPTER),
    (addresses.AUTO_REDEEMER, addresses.NEG_RISK_ADAPTER),
)
_MOVES_POSITIONS = ((addresses.EXCHANGE_V3, addresses.ROUTER), (addresses.AUTO_REDEEMER, addresses.ROUTER))


def accounts() -> Iterator[Account]:
    """Every account of the first block."""
    for address in addresses.UNLOCKED:
        yield Account(canonical(address), balance=TREASURY_WEI)
    yield _collateral()
    yield _tokens("conditional_tokens", addresses.CONDITIONAL_TOKENS, _MOVES_TOKENS)
    yield _tokens("position_manager", addresses.POSITION_MANAGER, _MOVES_POSITIONS)
    yield _wrapped()
    for name, address in EXCHANGES.items():
        yield _exchange(name, address)
    yield _auto_redeemer()
    for name, address in PLAIN.items():
        yield _contract(name, address, {})
    for address in addresses.UNSERVED:
        yield _contract("unserved", address, {})


def _collateral() -> Account:
    slots = artifacts.load("collateral").slots
    granted = {_entry(_entry(slots["allowance"], owner), spender): UNLIMITED for owner, spender in _TAKES_COLLATERAL}
    return _contract("collateral", addresses.COLLATERAL, {slots["owner"]: _number(addresses.ADMIN), **granted})


def _wrapped() -> Account:
    slots = artifacts.load("wrapped_collateral").slots
    adapter = addresses.NEG_RISK_ADAPTER
    granted = _entry(_entry(slots["allowance"], adapter), addresses.CONDITIONAL_TOKENS)
    storage = {slots["owner"]: _number(adapter), granted: UNLIMITED}
    return _contract("wrapped_collateral", addresses.WRAPPED_COLLATERAL, storage)


def _tokens(name: str, address: str, moves: Iterable[tuple[str, str]]) -> Account:
    slot = artifacts.load(name).slots["isApprovedForAll"]
    return _contract(name, address, {_entry(_entry(slot, owner), operator): 1 for owner, operator in moves})


def _exchange(name: str, address: str) -> Account:
    slots = artifacts.load(name).slots
    storage = {
        _entry(slots["isAdmin"], addresses.ADMIN): 1,
        _entry(slots["isOperator"], addresses.OPERATOR): 1,
        slots["getFeeReceiver"]: _number(addresses.FEE_RECEIVER),
        slots["getMaxFeeRate"]: MAX_FEE_RATE_BPS,
        slots["userPauseBlockInterval"]: USER_PAUSE_BLOCKS,
    }
    return _contract(name, address, storage)


def _auto_redeemer() -> Account:
    slots = artifacts.load("auto_redeemer").slots
    return _contract("auto_redeemer", addresses.AUTO_REDEEMER, {_entry(slots["isOperator"], addresses.OPERATOR): 1})


def _contract(name: str, address: str, storage: dict[int, int]) -> Account:
    return Account(canonical(address), code=artifacts.load(name).runtime, storage=storage)


def _entry(slot: int, key: str) -> int:
    """Where Vyper keeps mapping[key]: the hash of the mapping's slot and the key."""
    return int.from_bytes(keccak(slot.to_bytes(32, "big") + canonical(key).rjust(32, b"\0")), "big")


def _number(address: str) -> int:
    return int(address, 16)
