"""What a wallet paid for its shares: an average-cost book kept over its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.venue.data.entries import Entry
from services.venue.data.ledger import Payout
from services.venue.model import MICRO, Fill, Market


@dataclass(slots=True)
class Holding:
    """One wallet's shares of one token. `cost_micros` is what the held shares cost without fees."""

    token_id: str
    condition_id: str
    shares_micros: int = 0
    cost_micros: int = 0
    bought_micros: int = 0
    spent_micros: int = 0
    realized_micros: int = 0
    fees_micros: int = 0
    first_at: int = 0
    last_at: int = 0

    def take(self, fill: Fill) -> None:
        """Books one fill. Shares sold beyond those that are known to have come cost half a dollar each."""
        self.touch(fill.block_timestamp)
        if str(fill.side) == "BUY":
            self._buy(fill)
        else:
            self._sell(fill)

    def touch(self, timestamp: int) -> None:
        """Something happened to it then."""
        self.first_at = self.first_at or timestamp
        self.last_at = timestamp

    def split(self, shares_micros: int, timestamp: int) -> None:
        """Books shares of a new set: each outcome has cost half of it."""
        self.touch(timestamp)
        self.shares_micros += shares_micros
        self.cost_micros += shares_micros // 2
        self.bought_micros += shares_micros
        self.spent_micros += shares_micros // 2

    def give(self, shares_micros: int, usdc_micros: int, timestamp: int) -> None:
        """Books shares that went for `usdc_micros` in all: merged at half a dollar each, or redeemed for what they pay."""
        self.touch(timestamp)
        own = min(shares_micros, max(self.shares_micros, 0))
        cost = self.cost_micros * own // self.shares_micros if own else 0
        self.realized_micros += usdc_micros - cost - (shares_micros - own) // 2
        self.cost_micros -= cost
        self.shares_micros -= own

    @property
    def average_micros(self) -> int:
        """Average cost of a share bought, in millionths of a dollar."""
        if self.shares_micros > 0:
            return self.cost_micros * MICRO // self.shares_micros
        return self.spent_micros * MICRO // self.bought_micros if self.bought_micros else 0

    def _buy(self, fill: Fill) -> None:
        self.shares_micros += fill.size_micros
        self.cost_micros += fill.usdc_micros
        self.bought_micros += fill.size_micros
        self.spent_micros += fill.usdc_micros
        self.fees_micros += fill.fee_micros

    def _sell(self, fill: Fill) -> None:
        self.give(fill.size_micros, fill.usdc_micros - fill.fee_micros, fill.block_timestamp)


class Holdings:
    """The books of one wallet over its rows, by token id in the order of first rows."""

    def __init__(self, markets: Mapping[str, Market], payouts: Mapping[str, Payout]) -> None:
        self.of_token: dict[str, Holding] = {}
        self._markets = markets
        self._payouts = payouts

    def take(self, entries: Iterable[Entry]) -> None:
        """Books rows, oldest first."""
        for entry in entries:
            market = self._markets.get(entry.condition_id)
            if entry.fill is not None:
                self._of(entry.fill.token_id, entry.condition_id).take(entry.fill)
            elif market is not None:
                self._convert(entry, market)

    def _convert(self, entry: Entry, market: Market) -> None:
        payout = self._payouts.get(entry.condition_id)
        for outcome, token in enumerate(market.tokens):
            holding = self._of(token, entry.condition_id)
            if entry.kind == "SPLIT":
                holding.split(entry.shares_micros, entry.timestamp)
            elif entry.kind == "MERGE":
                holding.give(entry.shares_micros, entry.shares_micros // 2, entry.timestamp)
            elif entry.burned[outcome] and payout is not None:
                paid = entry.burned[outcome] * payout.micros[outcome] // MICRO
                holding.give(entry.burned[outcome], paid, entry.timestamp)

    def _of(self, token_id: str, condition_id: str) -> Holding:
        return self.of_token.setdefault(token_id, Holding(token_id, condition_id))
