"""A chain whose newest blocks may be taken back."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from random import Random

from services.common.chain.memory import MemoryChain
from services.common.ports.chain import Head, Receipt

FINALITY = 5


@dataclass(frozen=True, slots=True)
class Reorg:
    """A leader's transaction that is taken back, so many seconds after it was mined: it comes back later as it was (`same`), in another
    transaction, or (`back_after_s` None) never."""

    tx_hash: str
    mined_at_s: float
    after_s: float
    back_after_s: float | None
    same: bool

    @property
    def comes_back(self) -> bool:
        return self.back_after_s is not None

    @property
    def gone_at_s(self) -> float:
        return self.mined_at_s + self.after_s

    @property
    def back_at_s(self) -> float:
        """When it is mined again at the latest; never where it is not."""
        return inf if self.back_after_s is None else self.gone_at_s + self.back_after_s + 1

    @property
    def new_hash(self) -> str:
        return self.tx_hash if self.same else f"0x5e{self.tx_hash[4:]}"

    @staticmethod
    def drawn(dice: Random, tx_hash: str, mined_at_s: float) -> "Reorg":
        back = dice.choice([None, dice.uniform(0.1, 3), dice.uniform(3, 15)])
        return Reorg(tx_hash, mined_at_s, dice.uniform(0.2, FINALITY - 1.5), back, dice.random() < 0.4)


@dataclass(frozen=True, slots=True)
class Undoing:
    """A settlement of ours that is taken back, so many seconds after it was mined. Then it fails, or is mined again: as it was (`same`), or
    in another transaction."""

    after_s: float
    back_after_s: float
    fails: bool
    same: bool

    @staticmethod
    def drawn(dice: Random) -> "Undoing":
        back_s = dice.choice([dice.uniform(0.1, 3), dice.uniform(3, 15)])
        return Undoing(dice.uniform(0.2, FINALITY - 1.5), back_s, dice.random() < 0.3, dice.random() < 0.4)


class SimChain(MemoryChain):
    """Blocks are final some seconds later."""

    async def head(self) -> Head:
        head = await super().head()
        return replace(head, finalized=head.number - FINALITY)

    def take_back(self, tx_hash: str, collateral: Mapping[str, int] | None = None) -> Receipt:
        """The transaction was never mined, and never moved this collateral."""
        receipt = self._receipts.pop(tx_hash)
        for wallet, amount in (collateral or {}).items():
            self._collateral[wallet.lower()].move(receipt.block_number, -amount)
        for move in receipt.transfers:
            for wallet, amount in ((move.sender, move.shares_micros), (move.receiver, -move.shares_micros)):
                self._shares[wallet.lower()][move.token_id].move(move.block_number, amount)
                self._moves[wallet.lower(), move.token_id].remove(move)
        self._logs = [log for log in self._logs if log.tx_hash != tx_hash]
        self._left = [one for one in self._left if one.tx_hash != tx_hash]
        for fill in receipt.fills:
            logs = self._of_order[fill.order_hash.lower()]
            logs[:] = [log for log in logs if log.tx_hash != tx_hash]
        return receipt

    def mine_again(self, receipt: Receipt, tx_hash: str, collateral: Mapping[str, int] | None = None) -> None:
        """The same fills and transfers in the block that is next."""
        block = self.head_number + 1
        moves = tuple(replace(move, tx_hash=tx_hash, block_number=block) for move in receipt.transfers)
        at = datetime.fromtimestamp(block, UTC)
        self.mine(
            replace(
                receipt,
                tx_hash=tx_hash,
                block_number=block,
                block_hash=f"0x{block:064x}",
                block_at=at,
                transfers=moves,
            ),
            collateral,
        )

    async def play(self, reorg: Reorg) -> None:
        """Take a transaction back when it is time, and mine it again where it comes back."""
        await asyncio.sleep(reorg.gone_at_s)
        receipt = self.take_back(reorg.tx_hash)
        if reorg.back_after_s is not None:
            await asyncio.sleep(reorg.back_after_s)
            self.mine_again(receipt, reorg.new_hash)
