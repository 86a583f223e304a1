"""What we still owe to sell of one (account, follow, token), derived anew each time (orders.md 6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from fractions import Fraction


class ExitState(StrEnum):
    """An exit is open until it ends for one of these reasons."""

    OPEN = "open"
    MET = "met"
    RESOLVED = "resolved"
    EXTERNAL = "external"
    KEPT = "kept"
    DUST = "dust"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the leader's order of trades; a recorded history uses (row, 0)."""

    block: int
    order: int

    def __lt__(self, other: "Place") -> bool:
        return (self.block, self.order) < (other.block, other.order)


@dataclass(frozen=True, slots=True)
class Step:
    """One net decrease of a leader's balance in a token, unique by `key` (leader, token and transaction): `decrease ÷ before`."""

    key: str
    place: Place
    decrease_micros: int
    before_micros: int

    @property
    def fraction(self) -> Fraction:
        """The part of his position that the leader gave up, clamped to the whole."""
        if self.before_micros <= 0 or self.decrease_micros >= self.before_micros:
            return Fraction(1)
        return Fraction(max(self.decrease_micros, 0), self.before_micros)


@dataclass(frozen=True, slots=True)
class Lot:
    """Shares that one copy of this follow bought and has not lost to a failed settlement, at its leader trade's place."""

    copy_id: str
    place: Place
    shares_micros: int


@dataclass(frozen=True, slots=True)
class Exit:
    """The document in `exits`. `attempts` counts the attempts opened; `open_attempt` is the copy id of the one that is open.

    `sold_micros` is never stored: it is the sum over the exit's own attempts.
    """

    exit_id: str
    account_id: str
    follow_id: str
    token_id: str
    state: ExitState
    steps: tuple[Step, ...]
    opened_at: datetime
    attempts: int = 0
    open_attempt: str = ""
    version: int = 0


def exit_id(follow_id: str, token_id: str) -> str:
    """An exit is unique by follow (which names the account) and token."""
    return f"{follow_id}:{token_id}"


def remaining(place: Place, steps: Sequence[Step]) -> Fraction:
    """The part of a lot bought at `place` that the steps after it leave: Π(1 − fraction)."""
    # Numerator and denominator apart: one division at the end instead of one for each step.
    left, whole = 1, 1
    for step in steps:
        if place < step.place:
            given = step.fraction
            left, whole = left * (given.denominator - given.numerator), whole * given.denominator
    return Fraction(left, whole)


def owed_micros(lots: Sequence[Lot], steps: Sequence[Step]) -> int:
    """Σ lot × (1 − Π(1 − fraction)) over the steps after each lot's trade, in whole micro-shares, rounded down."""
    return sum(int(lot.shares_micros * (1 - remaining(lot.place, steps))) for lot in lots)


def with_step(known: Exit, step: Step) -> Exit:
    """The exit with one more step, in the leader's order; a step that it has changes nothing, a new one opens a closed exit again."""
    if any(other.key == step.key for other in known.steps):
        return known
    steps = tuple(sorted((*known.steps, step), key=lambda item: (item.place.block, item.place.order)))
    return replace(known, steps=steps, state=ExitState.OPEN, version=known.version + 1)
