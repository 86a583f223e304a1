"""What a wallet paid for its shares: an average-cost book kept over its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
        self.get(shares_micros, shares_micros // 2, timestamp)

    def give(self, shares_micros: int, usdc_micros: int, timestamp: int) -> None:
        """Books shares that went for `usdc_micros` in all: merged at half a dollar each, or redeemed for what they pay."""
        self.touch(timestamp)
        own = min(shares_micros, max(self.shares_micros, 0))
        cost = self.cost_micros * own // self.shares_micros if own else 0
        self.realized_micros += usdc_micros - cost - (shares_micros - own) // 2
        self.cost_micros -= cost
        self.shares_micros -= own

    def get(self, shares_micros: int, cost_micros: int, timestamp: int) -> None:
        """Books shares that came for what they cost in all."""
        self.touch(timestamp)
        self.shares_micros += shares_micros
        self.cost_micros += cost_micros
        self.bought_micros += shares_micros
        self.spent_micros += cost_micros

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

    def __init__(
        self,
        markets: Mapping[str, Market],
        payouts: Mapping[str, Payout],
        market_of: Callable[[str], Market | None],
    ) -> None:
        self.of_token: dict[str, Holding] = {}
        self._markets = markets
        self._payouts = payouts
        self._market_of = market_of

    def take(self, entries: Iterable[Entry]) -> None:
        """Books rows, oldest first."""
        for entry in entries:
            market = self._markets.get(entry.condition_id)
            if entry.fill is not None:
                self._of(entry.fill.token_id, entry.condition_id).take(entry.fill)
            elif entry.given:
                self._exchange(entry)
            elif market is not None:
                self._convert(entry, market)

    def _exchange(self, entry: Entry) -> None:
        """A conversion gains nothing as long as there are shares for what was given: they cost what that had cost, less the
        dollars that came back, one for each question given but the first."""
        shares, back = entry.shares_micros, entry.shares_micros * (len(entry.given) - 1)
        given = [self._held(token) for token in entry.given]
        costs = [
            holding.average_micros * shares // MICRO if holding.shares_micros else shares // 2 for holding in given
        ]
        gained = 0 if entry.got else back - sum(costs)
        for holding, cost in zip(given, costs, strict=True):
            holding.give(shares, cost + gained // len(given), entry.timestamp)
        for token in entry.got:
            self._held(token).get(shares, max(sum(costs) - back, 0) // len(entry.got), entry.timestamp)

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

    def _held(self, token_id: str) -> Holding:
        market = self._market_of(token_id)
        return self._of(token_id, market.condition_id if market else "")

    def _of(self, token_id: str, condition_id: str) -> Holding:
        return self.of_token.setdefault(token_id, Holding(token_id, condition_id))
