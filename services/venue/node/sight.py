"""The chain as a node sees it: whole, or as it was some blocks ago."""

from __future__ import annotations

from collections.abc import Iterator

from services.venue.node.block import Block, Mined
from services.venue.node.evm import Chain


class Sight:
    """The newest block is `behind` blocks behind the chain's; what came after it is not there yet."""

    def __init__(self, chain: Chain, behind: int = 0) -> None:
        self._chain = chain
        self._behind = behind

    @property
    def head(self) -> Block:
        head = self._chain.head
        if not self._behind:
            return head
        return self._chain.block(max(self._chain.first, head.number - self._behind)) or head

    @property
    def first(self) -> int:
        return self._chain.first

    def block(self, number: int) -> Block | None:
        return self._chain.block(number) if number <= self.head.number else None

    def by_hash(self, block_hash: bytes) -> Block | None:
        found = self._chain.by_hash.get(block_hash)
        return found if found and found.number <= self.head.number else None

    def mined(self, transaction_hash: bytes) -> tuple[Block, Mined] | None:
        found = self._chain.mined.get(transaction_hash)
        return found if found and found[0].number <= self.head.number else None

    def between(self, first: int, last: int) -> Iterator[Block]:
        return self._chain.between(first, min(last, self.head.number))
