"""A chain in memory: one block a second, and transactions that may be scheduled ahead; what lies in the future is not seen."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from services.common.domain.intent import OrderFields
from services.common.polymarket.eip712 import order_hash
from services.common.ports.chain import FillLog, Head, OrderStatus, Receipt, Sighting, Transfer
from services.common.ports.clock import Clock

BLOCK = timedelta(seconds=1)


def block_of(at: datetime) -> int:
    """The first block whose time is not before `at`; a block's number is its time in whole seconds of the epoch."""
    return -int(-at.timestamp() // 1)


class _Balance:
    """One balance: the blocks that moved it, and what it was after each move."""

    def __init__(self) -> None:
        self._blocks: list[int] = []
        self._after: list[int] = []

    def move(self, block: int, amount: int) -> None:
        place = bisect_right(self._blocks, block)
        before = self._after[place - 1] if place else 0
        self._blocks.insert(place, block)
        self._after[place:] = [before + amount, *(later + amount for later in self._after[place:])]

    def at(self, block: int) -> int:
        place = bisect_right(self._blocks, block)
        return self._after[place - 1] if place else 0


class MemoryChain:
    """`Chain` over what was mined into it. Finality is immediate; balances nobody ever moved are zero."""

    def __init__(self, clock: Clock, chain_id: int) -> None:
        self._clock = clock
        self._chain_id = chain_id
        self._receipts: dict[str, Receipt] = {}
        self._logs: list[FillLog] = []
        self._of_order: defaultdict[str, list[FillLog]] = defaultdict(list)
        self._moves: defaultdict[tuple[str, str], list[Transfer]] = defaultdict(list)
        self._left: list[Sighting] = []
        self._shares: defaultdict[str, dict[str, _Balance]] = defaultdict(dict)
        self._collateral: defaultdict[str, _Balance] = defaultdict(_Balance)

    def mine(self, receipt: Receipt, collateral: Mapping[str, int] | None = None) -> None:
        """Put a transaction into its block, with what it moves of each wallet's collateral, in micro-USDC."""
        self._receipts[receipt.tx_hash.lower()] = receipt
        for wallet, amount in (collateral or {}).items():
            self._collateral[wallet.lower()].move(receipt.block_number, amount)
        for transfer in receipt.transfers:
            self._move(transfer, transfer.sender, -transfer.shares_micros)
            self._move(transfer, transfer.receiver, transfer.shares_micros)
        for fill in receipt.fills:
            log = FillLog(fill, receipt.tx_hash, receipt.block_number, receipt.block_hash, receipt.block_at)
            insort(self._logs, log, key=lambda one: (one.block_number, one.fill.log_index))
            self._of_order[fill.order_hash.lower()].append(log)
        for wallet in (*(fill.maker for fill in receipt.fills), *(move.sender for move in receipt.transfers)):
            one = Sighting(wallet.lower(), receipt.tx_hash, receipt.block_number, receipt.block_at)
            insort(self._left, one, key=lambda known: known.block_number)

    def _move(self, transfer: Transfer, wallet: str, amount: int) -> None:
        owner, block = wallet.lower(), transfer.block_number
        self._shares[owner].setdefault(transfer.token_id, _Balance()).move(block, amount)
        insort(self._moves[owner, transfer.token_id], transfer, key=lambda one: (one.block_number, one.log_index))

    @property
    def head_number(self) -> int:
        """The newest block that is mined by now."""
        return int(self._clock.now().timestamp() // 1)

    async def head(self) -> Head:
        number = self.head_number
        return Head(number, datetime.fromtimestamp(number, UTC), number, self._chain_id)

    async def receipt(self, tx_hash: str) -> Receipt | None:
        found = self._receipts.get(tx_hash.lower())
        return found if found is not None and found.block_number <= self.head_number else None

    async def fills_of(self, makers: Sequence[str], first_block: int, last_block: int) -> tuple[FillLog, ...]:
        wanted, last = {maker.lower() for maker in makers}, min(last_block, self.head_number)
        return tuple(
            log for log in self._logs if first_block <= log.block_number <= last and log.fill.maker.lower() in wanted
        )

    async def fills_of_order(self, order_hash: str, first_block: int) -> tuple[FillLog, ...]:
        head, logs = self.head_number, self._of_order.get(order_hash.lower(), ())
        return tuple(log for log in logs if first_block <= log.block_number <= head)

    async def order_status(self, exchange: str, order_hash: str) -> OrderStatus:
        return OrderStatus(bool(await self.fills_of_order(order_hash, 0)), 0)

    async def order_hash(self, fields: OrderFields) -> str | None:
        return order_hash(fields)

    async def token_balance(self, wallet: str, token_id: str, block: int | None = None) -> int:
        balance = self._shares.get(wallet.lower(), {}).get(token_id)
        return balance.at(self._seen(block)) if balance else 0

    async def tokens_of(self, wallet: str) -> tuple[str, ...]:
        """Every token that the wallet has ever moved."""
        return tuple(sorted(self._shares.get(wallet.lower(), ())))

    async def collateral_balance(self, wallet: str, block: int | None = None) -> int:
        balance = self._collateral.get(wallet.lower())
        return balance.at(self._seen(block)) if balance else 0

    async def transfers(self, wallet: str, token_id: str, first_block: int, last_block: int) -> tuple[Transfer, ...]:
        last = min(last_block, self.head_number)
        found = self._moves.get((wallet.lower(), token_id), ())
        return tuple(move for move in found if first_block <= move.block_number <= last)

    async def sightings_of(self, wallets: Sequence[str], first_block: int, last_block: int) -> tuple[Sighting, ...]:
        wanted, last = {wallet.lower() for wallet in wallets}, min(last_block, self.head_number)
        first = bisect_left(self._left, first_block, key=lambda one: one.block_number)
        seen: dict[tuple[str, str], Sighting] = {}
        for one in self._left[first:]:
            if one.block_number > last:
                break
            if one.wallet in wanted:
                seen.setdefault((one.tx_hash, one.wallet), one)
        return tuple(seen.values())

    async def subscribe(self, wallets: Sequence[str]) -> AsyncIterator[Sighting]:
        seen = self.head_number
        while True:
            await self._clock.sleep(BLOCK)
            for one in await self.sightings_of(wallets, seen + 1, self.head_number):
                yield one
            seen = self.head_number

    def _seen(self, block: int | None) -> int:
        return self.head_number if block is None else min(block, self.head_number)
