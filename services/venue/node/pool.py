"""The transactions that wait: in the order in which they may run, and those whose turn has not come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from services.venue.node.block import Transaction
from services.venue.node.errors import Refused
from services.venue.node.transactions import Admitted

# Geth's bounds are 64 early ones an account and 5,120 in all; a backlog of settlement may be longer.
MAX_WAITING = 50_000
MAX_EARLY = 1_024


class Pool:
    """Touched on the event loop alone. `nonces` are each account's next one, where that is ahead of the chain's."""

    def __init__(self) -> None:
        self.pending: dict[bytes, Transaction] = {}
        self.nonces: dict[bytes, int] = {}
        self._ready: deque[Admitted] = deque()
        self._early: dict[tuple[bytes, int], Admitted] = {}

    def add(self, admitted: Admitted, expected: int) -> None:
        """Takes a transaction whose nonce is `expected` or later. Refused where there is no room."""
        shown = admitted.shown
        if len(self.pending) >= MAX_WAITING:
            raise Refused("txpool is full")
        if shown.nonce == expected:
            self._queue(admitted)
        elif len(self._early) >= MAX_EARLY:
            raise Refused("txpool is full")
        else:
            self._early[shown.sender, shown.nonce] = admitted
        self.pending[shown.hash] = shown

    def next(self) -> Admitted | None:
        """The next one to run; it stays in `pending` until it is mined."""
        return self._ready.popleft() if self._ready else None

    def drop(self, admitted: Admitted) -> None:
        """One that cannot run. Its account's later ones go with it: their nonces no longer follow."""
        self.pending.pop(admitted.shown.hash, None)
        self.nonces.pop(admitted.shown.sender, None)

    def mined(self, hashes: Iterable[bytes]) -> None:
        for one in hashes:
            self.pending.pop(one, None)

    def take_all(self) -> list[Admitted]:
        """Empties the pool: everything that waits, in an order in which it can be added again."""
        waiting = [*self._ready, *(self._early[key] for key in sorted(self._early))]
        self._ready.clear()
        self._early.clear()
        self.pending.clear()
        self.nonces.clear()
        return waiting

    def _queue(self, admitted: Admitted) -> None:
        following: Admitted | None = admitted
        while following:
            shown = following.shown
            self._ready.append(following)
            self.nonces[shown.sender] = shown.nonce + 1
            following = self._early.pop((shown.sender, shown.nonce + 1), None)
