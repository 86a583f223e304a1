"""What a leader gave up in one transaction, read from the chain: the net decrease of his balance, and the balance before it."""

from collections.abc import Iterable

from services.common.domain.copy import Copy
from services.common.domain.exit import Cause, Place, Step
from services.common.domain.trade import LeaderTrade
from services.common.ports.chain import Chain, ChainUnavailable, Receipt, Transfer

REORG_BLOCKS = 256


def step_key(debt: Copy) -> str:
    """One step per leader, token and transaction: a fill, its transfer and a sweep are one."""
    return f"{debt.trade.leader}|{debt.trade.token_id}|{debt.trade.tx_hash}"


class LeaderSteps:
    """Steps out of receipts and balances. Everything raises `ChainUnavailable` rather than guess."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def of(self, debt: Copy) -> Step | None:
        """The step that a debt stands for; None while its transaction is not mined."""
        trade = debt.trade
        receipt = await self.receipt(trade)
        if receipt is None:
            return None
        return Step(
            key=step_key(debt),
            place=Place(receipt.block_number, trade.log_index),
            decrease_micros=_decrease(receipt, trade.leader, trade.token_id),
            before_micros=await self._before(trade.leader, trade.token_id, receipt),
            cause=Cause.LEADER,
        )

    async def receipt(self, trade: LeaderTrade) -> Receipt | None:
        """The transaction of a trade, or the one that a reorg has moved it to; None where neither is mined, or it reverted."""
        receipt = await self._chain.receipt(trade.tx_hash) or await self._moved(trade)
        return receipt if receipt is not None and receipt.ok else None

    async def _moved(self, trade: LeaderTrade) -> Receipt | None:
        """The trade keeps the key that it was first seen by. What is no fill cannot be found again but by its own transaction."""
        if not trade.is_fill:
            return None
        amounts = (trade.shares_micros, trade.usdc_micros)
        for found in await self._chain.fills_of_order(trade.order_hash, max(trade.block_number - REORG_BLOCKS, 0)):
            if (found.fill.shares_micros, found.fill.usdc_micros) == amounts:
                return await self._chain.receipt(found.tx_hash)
        return None

    async def _before(self, leader: str, token_id: str, receipt: Receipt) -> int:
        """His balance just before the transaction: at the end of the block before, moved by what came earlier in its block."""
        block = receipt.block_number
        moves = await self._chain.transfers(leader, token_id, block, block)
        first = min((move.log_index for move in moves if _same(move.tx_hash, receipt.tx_hash)), default=0)
        earlier = (move for move in moves if move.log_index < first)
        return await self._at_the_end_of(block - 1, leader, token_id) + _sum(earlier, leader)

    async def _at_the_end_of(self, block: int, leader: str, token_id: str) -> int:
        try:
            return await self._chain.token_balance(leader, token_id, block)
        except ChainUnavailable:
            # A node that keeps no state so old knows the balance of now, and every movement since.
            head = await self._chain.head()
            now = await self._chain.token_balance(leader, token_id, head.number)
            return now - _sum(await self._chain.transfers(leader, token_id, block + 1, head.number), leader)


def _decrease(receipt: Receipt, leader: str, token_id: str) -> int:
    return -_sum((move for move in receipt.transfers if move.token_id == token_id), leader)


def _sum(moves: Iterable[Transfer], wallet: str) -> int:
    return sum((_same(move.receiver, wallet) - _same(move.sender, wallet)) * move.shares_micros for move in moves)


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()
