"""What the chain's logs add up to: rows by wallet, balances by token, payouts by condition; and all of it back again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from sys import intern

from services.venue.data import logs as reading
from services.venue.data.conversions import Conversions, Moves
from services.venue.data.entries import BLOCK, TRADE, Entries, Entry
from services.venue.data.logs import NOBODY, Block, Filled, Log, Moved
from services.venue.model import MICRO, Fill, Market, Role, Side

DEEPEST = 256


@dataclass(slots=True)
class Change:
    """What one block did, so that it can be undone."""

    number: int
    moves: list[Moved] = field(default_factory=list[Moved])
    resolved: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Payout:
    """What a share of each outcome pays, in millionths, and where it was reported."""

    condition_id: str
    question_id: str
    micros: tuple[int, int]
    block_number: int
    timestamp: int
    tx_hash: str
    log_index: int


class Ledger:
    """Takes blocks in their order. `exchanges` and `inner` are contracts that hold shares for others only, in lower case."""

    def __init__(
        self,
        market_of: Callable[[str], Market | None],
        markets: Mapping[str, Market],
        exchanges: frozenset[str],
        inner: frozenset[str] = frozenset(),
    ) -> None:
        self.entries = Entries()
        self.payouts: dict[str, Payout] = {}
        self.questions: dict[str, str] = {}
        self.contracts = exchanges | inner
        self._market_of = market_of
        self._exchanges = exchanges
        self._conversions = Conversions(market_of, markets, self.payouts, self.contracts, exchanges)
        self._of_wallet: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._of_token: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._changes: list[Change] = []
        self.dropped: Callable[[list[Entry]], None] = lambda _: None

    def take(self, block: Block) -> None:
        """Adds a block after all others."""
        change = Change(block.number)
        for _, logs in groupby(block.logs, key=lambda log: log.tx_hash):
            self._take_transaction(block, list(logs), change)
        self._changes.append(change)
        del self._changes[:-DEEPEST]

    def undo(self, first_gone: int) -> None:
        """Takes that block and all after it back."""
        for gone in self.entries.drop_from(first_gone):
            if gone.is_credit:
                self.add(gone)
        while self._changes and self._changes[-1].number >= first_gone:
            change = self._changes.pop()
            for moved in reversed(change.moves):
                self._move(Moved(moved.receiver, moved.sender, moved.token_id, moved.shares_micros))
            for condition in change.resolved:
                self.payouts.pop(condition, None)

    def balances(self, wallet: str) -> Mapping[str, int]:
        """Micro-shares by token, without zeros."""
        return self._of_wallet.get(wallet, {})

    def holders(self, token_id: str) -> Mapping[str, int]:
        """Micro-shares by wallet, without zeros and without the venue's own contracts."""
        found = self._of_token.get(token_id, {})
        return {wallet: shares for wallet, shares in found.items() if wallet not in self.contracts}

    def all_holders(self, token_id: str) -> Mapping[str, int]:
        """As `holders`, with the venue's own contracts."""
        return self._of_token.get(token_id, {})

    def wallets(self) -> list[str]:
        """Everybody who holds something."""
        return [wallet for wallet, held in self._of_wallet.items() if held and wallet not in self.contracts]

    def add(self, entry: Entry) -> None:
        if gone := self.entries.add(entry):
            self.dropped(gone)

    def _take_transaction(self, block: Block, logs: list[Log], change: Change) -> None:
        moves = [
            (log.place, moved)
            for log in logs
            if log.topics[0] in (reading.SINGLE, reading.BATCH)
            for moved in reading.read_moves(log)
        ]
        for _, moved in moves:
            self._move(moved)
            change.moves.append(moved)
        left = Moves(moves)
        for log in logs:
            topic = log.topics[0]
            if topic in (reading.RESOLVED, reading.MANAGER_RESOLVED):
                self._resolve(block, log, change)
            elif topic == reading.PREPARED:
                self.questions[log.topics[1]] = log.topics[3]
            elif topic == reading.FILLED and log.address in self._exchanges:
                self._fill(block, log)
            else:
                self._convert(block, log, left)

    def _move(self, moved: Moved) -> None:
        for wallet, shares in ((moved.sender, -moved.shares_micros), (moved.receiver, moved.shares_micros)):
            if wallet == NOBODY:
                continue
            total = self._of_wallet[wallet].get(moved.token_id, 0) + shares
            if total:
                self._of_wallet[wallet][moved.token_id] = self._of_token[moved.token_id][wallet] = total
            else:
                self._of_wallet[wallet].pop(moved.token_id, None)
                self._of_token[moved.token_id].pop(wallet, None)

    def _resolve(self, block: Block, log: Log, change: Change) -> None:
        resolved = reading.read_resolved(log)
        total = sum(resolved.numerators)
        yes, no = (one * MICRO // total for one in resolved.numerators[:2])
        self.payouts[resolved.condition_id] = Payout(
            resolved.condition_id,
            resolved.question_id,
            (yes, no),
            block.number,
            block.timestamp,
            log.tx_hash,
            log.log_index,
        )
        change.resolved.append(resolved.condition_id)

    def _fill(self, block: Block, log: Log) -> None:
        filled = reading.read_filled(log)
        market = self._market_of(filled.token_id)
        if market is None:
            return
        fill = _fill_of(filled, market, block, log, is_taker=filled.counterparty in self._exchanges)
        self.add(
            Entry(
                sequence=block.number * BLOCK + log.place,
                kind=TRADE,
                wallet=fill.wallet,
                condition_id=fill.condition_id,
                timestamp=block.timestamp,
                shares_micros=fill.size_micros,
                usdc_micros=fill.usdc_micros,
                tx_hash=fill.tx_hash,
                fill=fill,
            )
        )

    def _convert(self, block: Block, log: Log, moves: Moves) -> None:
        for told in self._conversions.read(log, moves):
            self.add(
                Entry(
                    sequence=block.number * BLOCK + told.place,
                    kind=told.kind,
                    wallet=told.wallet,
                    condition_id=told.market.condition_id,
                    timestamp=block.timestamp,
                    shares_micros=told.micros,
                    usdc_micros=told.micros,
                    tx_hash=log.tx_hash,
                    outcome=told.outcome,
                    burned=told.burned,
                    given=told.given,
                    got=told.got,
                )
            )


def _fill_of(filled: Filled, market: Market, block: Block, log: Log, *, is_taker: bool) -> Fill:
    shares, usdc = filled.making_micros, filled.taking_micros
    if filled.is_buy:
        shares, usdc = usdc, shares
    return Fill(
        wallet=intern(filled.maker),
        role=Role.TAKER if is_taker else Role.MAKER,
        token_id=market.tokens[market.tokens.index(filled.token_id)],
        condition_id=market.condition_id,
        side=Side.BUY if filled.is_buy else Side.SELL,
        size_micros=shares,
        usdc_micros=usdc,
        fee_micros=filled.fee_micros,
        tx_hash=intern(log.tx_hash),
        block_number=block.number,
        block_timestamp=block.timestamp,
        order_hash=filled.order_hash,
        trade_id="",
        mined_at_ms=block.timestamp * 1_000,
    )
