"""Taking blocks back and mining others in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from eth.vm.spoof import SpoofTransaction

from services.venue.node.block import Block
from services.venue.node.edits import Edit
from services.venue.node.errors import InvalidParams, Refused
from services.venue.node.evm import Chain
from services.venue.node.transactions import Admitted, repriced

MOST_BLOCKS = 64


class Fate(StrEnum):
    """What becomes of a transaction that was taken back: mined `again` at once, or `later` from the pool; `replaced` by the same with
    another fee, and so another hash; mined and `failed`, its gas used up; or `dropped`, as if it had never been sent."""

    AGAIN = "again"
    LATER = "later"
    REPLACED = "replaced"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Plan:
    """`depth` blocks go, `blocks` come. `fate` is for the transactions named, or for all where none is; the rest are mined again."""

    depth: int
    blocks: int
    fate: Fate = Fate.AGAIN
    transactions: frozenset[bytes] = frozenset()

    def of(self, transaction_hash: bytes) -> Fate:
        return self.fate if not self.transactions or transaction_hash in self.transactions else Fate.AGAIN


@dataclass(frozen=True, slots=True)
class Reorganised:
    """The blocks that went and that came, oldest first, and what has to wait in the pool."""

    removed: tuple[Block, ...]
    added: tuple[Block, ...]
    waiting: tuple[Admitted, ...]


def plan(depth: int, options: dict[str, Any], named: frozenset[bytes]) -> Plan:
    """A reorg as it is asked for. Raises InvalidParams."""
    if unknown := options.keys() - {"blocks", "fate", "transactions"}:
        raise InvalidParams(f"unknown option: {', '.join(sorted(unknown))}")
    blocks = options.get("blocks", depth + 1)
    if not isinstance(blocks, int) or isinstance(blocks, bool) or not depth <= blocks <= depth + MOST_BLOCKS:
        raise InvalidParams(f"blocks: expected a whole number from {depth} to {depth + MOST_BLOCKS}")
    try:
        fate = Fate(options.get("fate", Fate.AGAIN))
    except ValueError:
        raise InvalidParams(f"fate: expected one of {', '.join(Fate)}") from None
    return Plan(depth, blocks, fate, named)


def reorganise(chain: Chain, wanted: Plan, timestamp: int) -> Reorganised:
    """Does it, on the chain's thread. What was mined again is in the first of the new blocks."""
    removed, steps = chain.rewind(wanted.depth)
    chain.set_time(timestamp)
    waiting: list[Admitted] = []
    for step in steps:
        if isinstance(step, Edit):
            chain.edit(step)
        elif kept := _as_fated(step, wanted.of(step.shown.hash), waiting):
            _execute(chain, kept, waiting)
    return Reorganised(removed, tuple(chain.seal(timestamp) for _ in range(wanted.blocks)), tuple(waiting))


def _as_fated(admitted: Admitted, fate: Fate, waiting: list[Admitted]) -> Admitted | None:
    match fate:
        case Fate.AGAIN:
            return admitted
        case Fate.REPLACED:
            return repriced(admitted)
        case Fate.FAILED:
            starved: Any = SpoofTransaction(admitted.executable, gas=admitted.executable.intrinsic_gas)
            return replace(admitted, executable=starved)
        case Fate.LATER:
            waiting.append(admitted)
        case Fate.DROPPED:
            pass
    return None


def _execute(chain: Chain, admitted: Admitted, waiting: list[Admitted]) -> None:
    try:
        chain.execute(admitted)
    except Refused:
        # One before it is missing now; it waits for that, as in any pool.
        waiting.append(admitted)
