"""Closing a block: its header, hash and digests over what was executed in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

from eth.constants import BLANK_ROOT_HASH
from eth.vm.forks.london.blocks import LondonBlockHeader
from eth_utils.crypto import keccak

from services.venue.node.block import Block, Log, Mined

BASE_FEE = 25 * 10**9
BLOCK_GAS = 2_000_000_000
COINBASE = b"\0" * 20


def bloom_of(logs: Iterable[Log]) -> int:
    """The 2048 bits in which the addresses and topics of logs can be looked for."""
    bloom = 0
    for log in logs:
        bloom |= _bits(log.address)
        for topic in log.topics:
            bloom |= _bits(topic)
    return bloom


@lru_cache(maxsize=8_192)
def _bits(value: bytes) -> int:
    hashed = keccak(value)
    return sum({1 << (int.from_bytes(hashed[place : place + 2], "big") & 2047) for place in (0, 2, 4)})


def _digest(parts: Iterable[bytes]) -> bytes:
    """In place of a trie's root, which nobody here checks: a hash of everything in order; that of an empty trie for nothing."""
    joined = b"".join(parts)
    return keccak(joined) if joined else bytes(BLANK_ROOT_HASH)


def _receipt(mined: Mined) -> bytes:
    logs = b"".join(b"".join((log.address, *log.topics, log.data)) for log in mined.logs)
    return bytes([mined.ok]) + mined.cumulative_gas.to_bytes(8, "big") + logs


def sealed(
    number: int, parent: Block | None, timestamp: int, state_root: bytes, mined: Sequence[Mined], extra_data: bytes
) -> Block:
    """The block of what was executed on `parent`."""
    bloom = 0
    for one in mined:
        bloom |= one.bloom
    transactions_root = _digest(one.transaction.hash for one in mined)
    receipts_root = _digest(_receipt(one) for one in mined)
    header = cast("Any", LondonBlockHeader)(
        difficulty=0,
        block_number=cast("Any", number),
        gas_limit=BLOCK_GAS,
        timestamp=timestamp,
        parent_hash=cast("Any", parent.hash if parent else b"\0" * 32),
        state_root=cast("Any", state_root),
        transaction_root=cast("Any", transactions_root),
        receipt_root=cast("Any", receipts_root),
        bloom=bloom,
        gas_used=mined[-1].cumulative_gas if mined else 0,
        extra_data=extra_data,
        base_fee_per_gas=BASE_FEE,
    )
    return Block(
        number=number,
        hash=bytes(header.hash),
        parent_hash=bytes(header.parent_hash),
        timestamp=timestamp,
        state_root=state_root,
        transactions_root=transactions_root,
        receipts_root=receipts_root,
        bloom=bloom,
        gas_limit=BLOCK_GAS,
        gas_used=header.gas_used,
        base_fee=BASE_FEE,
        extra_data=extra_data,
        coinbase=COINBASE,
        size=600 + sum(110 + len(one.transaction.data) for one in mined),
        mined=tuple(mined),
    )
