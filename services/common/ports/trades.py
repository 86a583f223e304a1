"""The port of leaders' trades: which of them copies were made of, and where each stands now."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.common.domain.trade import LeaderTrade


class Trades(Protocol):
    """Trades of leaders by what a reorg leaves alone. Meanings of answers and errors as in `stores.py`."""

    async def of_orders(self, order_hashes: Sequence[str]) -> tuple[LeaderTrade, ...]:
        """The trades of these orders of leaders that copies were made of, whosever; each as its first copy has it, by key."""
        ...

    async def claim(self, trade: LeaderTrade, known: Mapping[str, str]) -> Mapping[str, str]:
        """Note a trade beside those of the same fill (`LeaderTrade.fill`), if `known` are all that were noted; those that were, by key,
        each with the transaction it was seen in.

        Where that is not `known` nothing is noted now: of two that see one fill in two transactions, however close they come, the second
        is told of the first.
        """
        ...

    async def place(self, key: str) -> str:
        """The transaction that stands for a trade now; empty where it is the one that the trade was first seen in."""
        ...

    async def move(self, key: str, before: str, after: str) -> bool:
        """Another transaction stands for the trade from now on; False where it was not `before` any more that did."""
        ...
