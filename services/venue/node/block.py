"""What the chain remembers: blocks, the transactions mined in them, and their logs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction accepted for mining. `signature` is (v or y-parity, r, s); `kind` is its EIP-2718 type."""

    hash: bytes
    sender: bytes
    to: bytes
    nonce: int
    gas: int
    gas_price: int
    max_fee: int
    max_priority_fee: int
    value: int
    data: bytes
    kind: int
    signature: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Log:
    """One event; `index` counts within the block."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    index: int
    transaction_hash: bytes
    transaction_index: int


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction with its receipt; `output` is the revert data when it failed."""

    transaction: Transaction
    index: int
    ok: bool
    gas_used: int
    cumulative_gas: int
    logs: tuple[Log, ...]
    bloom: int
    output: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A sealed block with all that was mined in it."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: int
    gas_limit: int
    gas_used: int
    base_fee: int
    extra_data: bytes
    coinbase: bytes
    size: int
    mined: tuple[Mined, ...]

    @property
    def logs(self) -> tuple[Log, ...]:
        return tuple(log for mined in self.mined for log in mined.logs)
