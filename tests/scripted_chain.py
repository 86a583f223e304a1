"""A chain on which leaders have what tests say, and move it when they say so."""

from dataclasses import dataclass, field

from services.common.domain.copy import Copy
from services.common.domain.intent import OrderFields
from services.common.polymarket.order import order_hash
from services.common.ports.chain import ChainUnavailable, FillLog, Head, OrderStatus, Receipt, Transfer
from tests.still_clock import TestClock

EXCHANGE = "0x" + "e" * 40


@dataclass
class ScriptedChain:
    """`Chain` where receipts and balances are what tests say; of blocks before `keeps_from` it has no state."""

    clock: TestClock
    receipts: dict[str, Receipt] = field(default_factory=dict)
    balances: dict[tuple[str, str, int | None], int] = field(default_factory=dict)
    moves: list[Transfer] = field(default_factory=list)
    hashes: dict[str, str | None] = field(default_factory=dict)
    away: bool = False
    keeps_from: int = 0
    finalized: int = 990

    def _answers(self) -> None:
        if self.away:
            raise ChainUnavailable("away")

    async def head(self) -> Head:
        self._answers()
        return Head(1_000, self.clock.now(), self.finalized, 137)

    async def receipt(self, tx_hash: str) -> Receipt | None:
        self._answers()
        return self.receipts.get(tx_hash)

    async def fills_of_order(self, order_hash: str, first_block: int) -> tuple[FillLog, ...]:
        self._answers()
        return ()

    async def order_status(self, exchange: str, order_hash: str) -> OrderStatus:
        self._answers()
        return OrderStatus(False, 0)

    async def order_hash(self, fields: OrderFields) -> str | None:
        self._answers()
        return self.hashes.get(fields.exchange, order_hash(fields))

    async def token_balance(self, wallet: str, token_id: str, block: int | None = None) -> int:
        self._answers()
        if block is not None and block < self.keeps_from:
            raise ChainUnavailable("missing trie node")
        return self.balances.get((wallet.lower(), token_id, block), 0)

    async def transfers(self, wallet: str, token_id: str, first_block: int, last_block: int) -> tuple[Transfer, ...]:
        self._answers()
        mine = (move for move in self.moves if move.token_id == token_id and wallet in {move.sender, move.receiver})
        return tuple(move for move in mine if first_block <= move.block_number <= last_block)

    def sells(self, copy: Copy, before_micros: int) -> None:
        """The leader's sale: he gives the copy's shares out of `before_micros`."""
        trade = copy.trade
        move = Transfer(
            trade.leader, EXCHANGE, trade.token_id, trade.shares_micros, trade.tx_hash, trade.block_number, 1
        )
        self.moves.append(move)
        self.balances[trade.leader, trade.token_id, trade.block_number - 1] = before_micros
        self.receipts[trade.tx_hash] = Receipt(
            trade.tx_hash, trade.block_number, "0xb", trade.traded_at, True, (), (move,)
        )
