"""Reorgs by chance: the chain's own fault, asked for with each block that is sealed."""

from __future__ import annotations

from services.venue.node.block import Block
from services.venue.node.faults import RpcFaults
from services.venue.node.miner import Miner
from services.venue.node.reorgs import Fate, Plan


class Forks:
    """Takes blocks back where a fault `reorg` of the node says so; what comes in their place is one block more."""

    def __init__(self, miner: Miner, faults: RpcFaults) -> None:
        self._miner = miner
        self._faults = faults
        miner.when_sealed(self.strike)

    async def strike(self, block: Block) -> None:
        fault = self._faults.strike_block(block.number, self._miner.chain.reversible)
        if fault is not None:
            depth = fault.whole("depth")
            await self._miner.reorg(Plan(depth, depth + 1, Fate(fault.text("fate"))))
