"""The evm_… methods: what a testing node lets its owner do to the chain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from services.venue.node import params, reorgs, shapes
from services.venue.node.depth import DEEPEST
from services.venue.node.edits import Edit
from services.venue.node.errors import InvalidParams
from services.venue.node.faults import RpcFaults
from services.venue.node.miner import Miner

# The year 2100; a block's time is a 64-bit number, and everyone who reads it makes a date of it.
LATEST_SECOND = 4_102_444_800


class Admin:
    """Blocks, time, state, reorgs and faults on demand."""

    def __init__(self, miner: Miner, faults: RpcFaults) -> None:
        self._miner = miner
        self._faults = faults
        self.table: dict[str, Callable[..., Awaitable[Any]]] = {
            "evm_mine": self._mine,
            "evm_reorg": self._reorg,
            "evm_setTime": self._set_time,
            "evm_increaseTime": self._increase_time,
            "evm_setBalance": self._set_balance,
            "evm_setNonce": self._set_nonce,
            "evm_setCode": self._set_code,
            "evm_setStorage": self._set_storage,
            "evm_addFault": self._add_fault,
            "evm_faults": self._list_faults,
            "evm_clearFaults": self._clear_faults,
        }

    async def _mine(self, timestamp: Any = None) -> str:
        """A block now, of everything that waits; of `timestamp` where that is given."""
        seconds = None if timestamp is None else _second(timestamp)
        return shapes.quantity((await self._miner.mine(seconds)).number)

    async def _reorg(self, depth: Any, options: Any = None) -> shapes.Json:
        """Replaces the newest `depth` blocks: `{"blocks": how many come, "fate": …, "transactions": [hashes]}`, as `reorgs.Plan` says."""
        wanted = params.mapping(options or {}, "options")
        named: Any = wanted.get("transactions") or []
        if not isinstance(named, list):
            raise InvalidParams("transactions: expected a list of hashes")
        hashes = frozenset(params.data(one, "transaction hash", 32) for one in cast("list[Any]", named))
        plan = reorgs.plan(_small(depth, "depth", 1, DEEPEST), wanted, hashes)
        done = await self._miner.reorg(plan)
        self._faults.reorganised(plan.depth, plan.blocks, plan.fate, done.removed[-1].number)
        return {
            "removed": [shapes.data(block.hash) for block in done.removed],
            "added": [shapes.data(block.hash) for block in done.added],
            "waiting": [shapes.data(admitted.shown.hash) for admitted in done.waiting],
        }

    async def _set_time(self, timestamp: Any) -> str:
        """Blocks say from now on that it is this second, and later."""
        self._miner.clock.set(_second(timestamp))
        return shapes.quantity(self._miner.clock.seconds())

    async def _increase_time(self, seconds: Any) -> int:
        """Moves the clock, back too; by how much it is off now. A block is never older than the one before it."""
        return self._miner.clock.shift(_small(seconds, "seconds", -LATEST_SECOND, LATEST_SECOND))

    async def _set_balance(self, address: Any, wei: Any) -> bool:
        return await self._edit(Edit(params.address(address), balance=params.wei(wei, "balance")))

    async def _set_nonce(self, address: Any, nonce: Any) -> bool:
        wanted = params.quantity(nonce, "nonce")
        if wanted >= 2**63:
            raise InvalidParams("nonce: at most 63 bits")
        return await self._edit(Edit(params.address(address), nonce=wanted))

    async def _set_code(self, address: Any, code: Any) -> bool:
        """Lays a contract's code at an address, whatever deployed it on the real chain; its storage stays."""
        return await self._edit(Edit(params.address(address), code=params.data(code, "code")))

    async def _set_storage(self, address: Any, slots: Any, value: Any = None) -> bool:
        """One slot and its value, or an object of them."""
        wanted = params.mapping(slots, "slots") if value is None else {params.text(slots, "slot"): value}
        storage = {params.quantity(slot, "slot"): params.quantity(held, "value") for slot, held in wanted.items()}
        return await self._edit(Edit(params.address(address), storage=storage))

    async def _edit(self, edit: Edit) -> bool:
        await self._miner.edit(edit)
        return True

    async def _add_fault(self, fault: Any) -> shapes.Json:
        return self._faults.add(params.mapping(fault, "fault"))

    async def _list_faults(self, after: Any = 0) -> shapes.Json:
        """The faults, and a line for each strike behind number `after`."""
        return {"faults": self._faults.told(), "lines": self._faults.after(_small(after, "after", 0, 2**53))}

    async def _clear_faults(self) -> bool:
        self._faults.clear()
        return True


def _second(value: Any) -> int:
    seconds = params.quantity(value, "timestamp")
    if seconds > LATEST_SECOND:
        raise InvalidParams(f"timestamp: at most {LATEST_SECOND}, in seconds")
    return seconds


def _small(value: Any, what: str, low: int, high: int) -> int:
    if isinstance(value, str):
        value = params.quantity(value, what)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidParams(f"{what}: expected a whole number from {low} to {high}")
    return value
