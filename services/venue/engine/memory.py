"""Forgetting what ended long ago, the oldest first."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

# Orders and trades that have ended and are still known in full; a trader's look-ups reach back as far.
KEPT_ORDERS = 50_000
KEPT_TRADES = 50_000
# Hashes of orders that are known by nothing else any more: sent again, they are duplicates still.
KEPT_HASHES = 500_000


class Memory:
    """Of the names that are handed in, all but the last `kept` are handed to `forget`."""

    def __init__(self, kept: int, forget: Callable[[str], None]) -> None:
        self._kept = kept
        self._forget = forget
        self._names: deque[str] = deque()

    def ended(self, name: str) -> None:
        self._names.append(name)
        while len(self._names) > self._kept:
            self._forget(self._names.popleft())


class Hashes:
    """The last `kept` hashes (0x…) that were added."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._hashes: OrderedDict[bytes, None] = OrderedDict()

    def add(self, name: str) -> None:
        self._hashes[bytes.fromhex(name[2:])] = None
        if len(self._hashes) > self._kept:
            self._hashes.popitem(last=False)

    def __contains__(self, name: str) -> bool:
        return bytes.fromhex(name[2:]) in self._hashes
