"""What of a group's order is each member's: its place in the leader's trades decides what an exit makes it owe (orders.md 6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import cast

from services.common.domain.copy import Copy
from services.common.domain.exit import Place, Step, remaining
from services.common.domain.money import mul_div
from services.common.domain.trade import LeaderTrade


def place(trade: LeaderTrade) -> Place:
    """Where a trade stands in its leader's order of trades."""
    return Place(trade.block_number, trade.log_index)


def left(trades: Sequence[LeaderTrade], steps: Sequence[Step]) -> Fraction:
    """The part of these trades that the steps after each of them leave, by their money."""
    whole = sum(trade.usdc_micros for trade in trades)
    if whole <= 0:
        return min((remaining(place(trade), steps) for trade in trades), default=Fraction(1))
    return sum((trade.usdc_micros * remaining(place(trade), steps) for trade in trades), Fraction(0)) / whole


def shares(entries: Iterable[Copy]) -> Iterator[Copy]:
    """The entries, a group's order once for each of its members: with the member's place and its part of what was bought."""
    for entry in entries:
        members = _members(entry)
        yield from _divided(entry, members) if members else (entry,)


def _divided(entry: Copy, members: Sequence[tuple[Place, int]]) -> Iterator[Copy]:
    own = entry.trade
    parts = [(place(own), own.usdc_micros), *members]
    steps = tuple(_steps(entry))
    weights = [micros * remaining(at, steps) for at, micros in parts]
    whole, given = sum(weights), 0
    for number, ((at, micros), weight) in enumerate(zip(parts, weights, strict=True), start=1):
        # The last takes what rounding leaves, so that they add up to what was bought.
        part = int(entry.filled_micros * weight / whole) if whole else 0
        filled = entry.filled_micros - given if number == len(parts) else part
        given += filled
        trade = replace(own, block_number=at.block, log_index=at.order, usdc_micros=micros)
        paid, fee = (
            mul_div(whole_of, filled, entry.filled_micros or 1) for whole_of in (entry.paid_micros, entry.fee_micros)
        )
        yield replace(entry, trade=trade, filled_micros=filled, paid_micros=paid, fee_micros=fee)


def _members(entry: Copy) -> list[tuple[Place, int]]:
    """The other trades that its order was made for, by the decision that made it."""
    kept = entry.decision.case.get("members") if entry.decision and entry.intent else None
    trades = cast("Sequence[Mapping[str, int]]", kept or ())
    return [(Place(one["block_number"], one["log_index"]), one["usdc_micros"]) for one in trades]


def _steps(entry: Copy) -> Iterator[Step]:
    kept = cast("Sequence[Mapping[str, object]]", (entry.decision.case.get("steps") if entry.decision else None) or ())
    for step in kept:
        at = cast("Mapping[str, int]", step["place"])
        decrease, before = cast("int", step["decrease_micros"]), cast("int", step["before_micros"])
        yield Step(str(step["key"]), Place(at["block"], at["order"]), decrease, before)
