"""What we still owe to sell of one (account, follow, token), derived anew each time (orders.md 6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

NO_FOLLOW = "none"


class ExitState(StrEnum):
    """An exit is open until it ends for one of these reasons."""

    OPEN = "open"
    MET = "met"
    RESOLVED = "resolved"
    EXTERNAL = "external"
    KEPT = "kept"
    DUST = "dust"


class Cause(StrEnum):
    """Why something is owed: the leader gave up some of his own, the follow's policy says so, or a person does."""

    LEADER = "leader"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    TIME = "time"
    UNFOLLOW = "unfollow"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the leader's order of trades; a recorded history uses (row, 0)."""

    block: int
    order: int

    def __lt__(self, other: "Place") -> bool:
        return (self.block, self.order) < (other.block, other.order)

    @property
    def after(self) -> "Place":
        """The place right behind this one: a step there covers what stands here, and nothing later."""
        return Place(self.block, self.order + 1)


@dataclass(frozen=True, slots=True)
class Step:
    """One reason to sell, unique by `key`: `decrease ÷ before` of every lot before its place.

    The leader's is the net decrease of his balance in one transaction, with the key (leader, token, transaction). One of our own is the
    whole of what it covers. In an exit without a follow, which has no lots, it is `decrease_micros` shares. A step whose transaction
    a reorg has taken back is `removed`, and counts for nothing until it is back.
    """

    key: str
    place: Place
    decrease_micros: int
    before_micros: int
    cause: Cause = Cause.LEADER
    removed: bool = False

    @property
    def fraction(self) -> Fraction:
        """The part of his position that the leader gave up, clamped to the whole."""
        if self.removed:
            return Fraction(0)
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
class Kept:
    """What its owner has kept: lots before `place` are the follow's no more, and so are the `sold_micros` that were sold of them."""

    place: Place
    sold_micros: int


@dataclass(frozen=True, slots=True)
class Exit:
    """The document in `exits`. `attempts` counts the attempts opened; `open_attempt` is the copy id of the one that is open.

    `sold_micros` is never stored: it is the sum over the exit's own attempts. `overdue` says that it has been open for so long that
    a person was told.
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
    kept: Kept | None = None
    overdue: bool = False

    @property
    def is_unowned(self) -> bool:
        """Whether it is of tokens that no follow owns."""
        return self.follow_id == unowned(self.account_id)

    @property
    def standing(self) -> tuple[Step, ...]:
        """The steps that count."""
        return tuple(step for step in self.steps if not step.removed)


def exit_id(follow_id: str, token_id: str) -> str:
    """An exit is unique by follow (which names the account) and token."""
    return f"{follow_id}:{token_id}"


def unowned(account_id: str) -> str:
    """What stands for the follow where an account holds tokens that no follow of its owns."""
    return f"{account_id}:{NO_FOLLOW}"


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


def own(lots: Sequence[Lot], kept: Kept | None) -> tuple[Lot, ...]:
    """The lots that are still the follow's."""
    return tuple(lot for lot in lots if kept is None or not lot.place < kept.place)


def owed_of(exit_: Exit, lots: Sequence[Lot]) -> int:
    """What the exit has ever owed of these lots, kept ones left out; without a follow, what its steps say."""
    if exit_.is_unowned:
        return sum(step.decrease_micros for step in exit_.standing)
    return owed_micros(own(lots, exit_.kept), exit_.steps)


def with_step(known: Exit, step: Step, now: datetime) -> Exit:
    """The exit with one more step, in the leader's order; one that it has changes nothing, unless it was removed and is back.

    A step that is new to it opens a closed exit again, whose age begins anew.
    """
    same = next((other for other in known.steps if other.key == step.key), None)
    if same is not None and not (same.removed and not step.removed):
        return known
    rest = (other for other in known.steps if other is not same)
    steps = tuple(sorted((*rest, step), key=lambda item: (item.place.block, item.place.order)))
    again = known.state is not ExitState.OPEN
    return replace(
        known,
        steps=steps,
        state=ExitState.OPEN,
        opened_at=now if again else known.opened_at,
        overdue=known.overdue and not again,
        version=known.version + 1,
    )


def without_step(known: Exit, key: str) -> Exit | None:
    """The exit with this step removed; None where it has none that counts."""
    if not any(step.key == key for step in known.standing):
        return None
    steps = tuple(replace(step, removed=True) if step.key == key else step for step in known.steps)
    return replace(known, steps=steps, version=known.version + 1)


def forgetting_step(known: Exit, key: str) -> Exit | None:
    """The exit without a step that was removed for good; None where it has none such."""
    steps = tuple(step for step in known.steps if step.key != key or not step.removed)
    return replace(known, steps=steps, version=known.version + 1) if len(steps) < len(known.steps) else None


def with_kept(known: Exit, kept: Kept) -> Exit:
    """The exit over, because its owner keeps what it was about."""
    return replace(known, state=ExitState.KEPT, kept=kept, version=known.version + 1)
