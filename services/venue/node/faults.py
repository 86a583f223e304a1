"""A public RPC endpoint's bad days: late, behind, wrong, or away; the venue's own door (`/venue`) is never struck. And the chain's:
blocks that are taken back, for everyone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from services.venue.faults.fault import Fault
from services.venue.faults.fields import BadFault
from services.venue.faults.kinds import Family
from services.venue.faults.registry import Registry
from services.venue.node.errors import InvalidParams

FAMILIES = frozenset({Family.CHAIN, Family.SOCKET, Family.BLOCK})
CHANNELS = ("node",)
PUSHES = "eth_subscription"
REMEMBERED = 20_000

Line = dict[str, Any]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000  # clock: when a line was written, as the journal of the venue has it


class RpcFaults:
    """The faults of one node. A strike leaves a line in the form of the venue's journal, the newest of which are kept."""

    def __init__(self, now_ms: Callable[[], int] = _now_ms, seed: int = 0) -> None:
        self._now_ms = now_ms
        self._lines: deque[Line] = deque(maxlen=REMEMBERED)
        self._written = 0
        self.registry = Registry(self._note, seed, FAMILIES, CHANNELS)

    def add(self, fault: Mapping[str, object]) -> Line:
        """Strike from now on; the fault as it was understood. Raises InvalidParams."""
        try:
            return self.registry.add(fault).told()
        except BadFault as error:
            raise InvalidParams(str(error)) from error

    def clear(self) -> None:
        self.registry.remove()

    def told(self) -> list[Line]:
        return [fault.told() for fault in self.registry.active]

    def after(self, seq: int) -> list[Line]:
        """Every kept line behind `seq`, oldest first."""
        return [line for line in self._lines if line["seq"] > seq]

    def strike(self, method: str, door: str) -> Fault | None:
        """What strikes one call, if anything; `door` is http or ws."""
        if not self.registry.active:
            return None
        return self.registry.strike(Family.CHAIN, {"rpc": method}, called=method, door=door)

    def strike_block(self, number: int, kept: int) -> Fault | None:
        """What strikes a block that was just sealed, if anything; `kept` is how many can be taken back."""
        if not self.registry.any_of(Family.BLOCK):
            return None
        return self.registry.strike(Family.BLOCK, {"kept": str(kept)}, block=str(number))

    def reorganised(self, depth: int, blocks: int, fate: str, head: int) -> None:
        """A line for a reorg that was told to be, and that no fault here has caused: `fault_id` 0."""
        self._note("fault", fault="reorg", block=str(head), depth=depth, blocks=blocks, fate=fate, fault_id=0)

    def _note(self, kind: str, **fields: Any) -> None:
        self._written += 1
        self._lines.append({"seq": self._written, "at_ms": self._now_ms(), "kind": kind, **fields})
