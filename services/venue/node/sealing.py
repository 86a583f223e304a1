"""Closing a block: its header, hash and roots over what was executed in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth.db.trie import _make_trie_root_and_nodes as trie_root  # pyright: ignore[reportPrivateUsage]
from eth.vm.forks.london.blocks import LondonBlockHeader

from services.venue.node.block import Block, Mined

BASE_FEE = 25 * 10**9
BLOCK_GAS = 2_000_000_000
COINBASE = b"\0" * 20


@dataclass(frozen=True, slots=True)
class Executed:
    """A transaction of the open block, with what the block's roots are made of: its bytes and its receipt's."""

    mined: Mined
    raw: bytes
    receipt: bytes


def sealed(
    number: int,
    parent: Block | None,
    timestamp: int,
    state_root: bytes,
    executed: Sequence[Executed],
    extra_data: bytes,
) -> Block:
    """The block of what was executed on `parent`."""
    bloom = 0
    for one in executed:
        bloom |= one.mined.bloom
    transactions_root, _ = trie_root(tuple(one.raw for one in executed))
    receipts_root, _ = trie_root(tuple(one.receipt for one in executed))
    header = cast("Any", LondonBlockHeader)(
        difficulty=0,
        block_number=cast("Any", number),
        gas_limit=BLOCK_GAS,
        timestamp=timestamp,
        parent_hash=cast("Any", parent.hash if parent else b"\0" * 32),
        state_root=cast("Any", state_root),
        transaction_root=transactions_root,
        receipt_root=receipts_root,
        bloom=bloom,
        gas_used=executed[-1].mined.cumulative_gas if executed else 0,
        extra_data=extra_data,
        base_fee_per_gas=BASE_FEE,
    )
    return Block(
        number=number,
        hash=bytes(header.hash),
        parent_hash=bytes(header.parent_hash),
        timestamp=timestamp,
        state_root=state_root,
        transactions_root=bytes(transactions_root),
        receipts_root=bytes(receipts_root),
        bloom=bloom,
        gas_limit=BLOCK_GAS,
        gas_used=header.gas_used,
        base_fee=BASE_FEE,
        extra_data=extra_data,
        coinbase=COINBASE,
        size=600 + sum(len(one.raw) for one in executed),
        mined=tuple(one.mined for one in executed),
    )
