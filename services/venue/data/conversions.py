"""Splits, merges and redemptions, read from the chain's logs: they change positions without any fill."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_utils.crypto import keccak

from services.venue.node import addresses, calldata
from services.venue.node.client import Node

_SPLIT = "0x" + keccak(text="PositionSplit(address,address,bytes32,bytes32,uint256[],uint256)").hex()
_MERGE = "0x" + keccak(text="PositionsMerge(address,address,bytes32,bytes32,uint256[],uint256)").hex()
_REDEEM = "0x" + keccak(text="PayoutRedemption(address,address,bytes32,bytes32,uint256[],uint256)").hex()
_KINDS = {_SPLIT: "SPLIT", _MERGE: "MERGE", _REDEEM: "REDEEM"}


@dataclass(frozen=True, slots=True)
class Conversion:
    """One log. `amount_micros` is both the shares and the money: a set is worth a dollar, a payout is its shares."""

    kind: str
    wallet: str
    condition_id: str
    amount_micros: int
    tx_hash: str
    block_number: int
    block_timestamp: int
    log_index: int


class Conversions:
    """Reads new blocks when asked. What the exchange itself mints and merges inside a match is no one's activity."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._next_block = 0
        self._reading = asyncio.Lock()
        self._found: list[Conversion] = []

    async def read(self) -> Sequence[Conversion]:
        """All so far, in chain order."""
        async with self._reading:
            head = int(await self._node.call("eth_blockNumber"), 16)
            if head >= self._next_block:
                self._found += await self._between(self._next_block, head)
                self._next_block = head + 1
            return self._found

    async def _between(self, first: int, last: int) -> list[Conversion]:
        asked = {
            "address": addresses.CONDITIONAL_TOKENS,
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "topics": [list(_KINDS)],
        }
        logs = cast(list[dict[str, Any]], await self._node.call("eth_getLogs", asked))
        numbers = sorted({str(log["blockNumber"]) for log in logs})
        blocks = await self._node.batch([("eth_getBlockByNumber", [number, False]) for number in numbers])
        stamps = {number: int(block["timestamp"], 16) for number, block in zip(numbers, blocks, strict=True)}
        found = [_conversion(log, stamps[str(log["blockNumber"])]) for log in logs]
        return [one for one in found if one.wallet != addresses.EXCHANGE.lower()]


def _conversion(log: dict[str, Any], block_timestamp: int) -> Conversion:
    topics = cast(list[str], log["topics"])
    kind = _KINDS[topics[0]]
    if kind == "REDEEM":
        condition, _, amount = calldata.read(["bytes32", "uint256[]", "uint256"], str(log["data"]))
        condition_id = "0x" + cast(bytes, condition).hex()
    else:
        _, _, amount = calldata.read(["address", "uint256[]", "uint256"], str(log["data"]))
        condition_id = topics[3]
    return Conversion(
        kind=kind,
        wallet="0x" + topics[1][-40:].lower(),
        condition_id=condition_id,
        amount_micros=int(amount),
        tx_hash=str(log["transactionHash"]),
        block_number=int(log["blockNumber"], 16),
        block_timestamp=block_timestamp,
        log_index=int(log["logIndex"], 16),
    )
