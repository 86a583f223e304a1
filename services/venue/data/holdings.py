"""What a wallet paid for its shares: an average-cost book kept over its fills."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.venue.model import Fill

MICRO = 1_000_000


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
        """Books one fill. Shares sold beyond those bought (they came from a split) cost half a dollar each."""
        self.first_at = self.first_at or fill.block_timestamp
        self.last_at = fill.block_timestamp
        if str(fill.side) == "BUY":
            self._buy(fill)
        else:
            self._sell(fill)

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
        own = min(fill.size_micros, max(self.shares_micros, 0))
        cost = self.cost_micros * own // self.shares_micros if own else 0
        split_cost = (fill.size_micros - own) // 2
        self.realized_micros += fill.usdc_micros - fill.fee_micros - cost - split_cost
        self.cost_micros -= cost
        self.shares_micros -= own


def holdings(fills: Iterable[Fill]) -> dict[str, Holding]:
    """By token id, in the order of first trades."""
    held: dict[str, Holding] = {}
    for fill in fills:
        holding = held.setdefault(fill.token_id, Holding(fill.token_id, fill.condition_id))
        holding.take(fill)
    return held
