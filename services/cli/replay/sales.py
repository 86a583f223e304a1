"""What was sold for each debt: an exit sells for many of the leader's sales at once, and each wants its part."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.money import mul_div


@dataclass(frozen=True, slots=True)
class Amounts:
    """Shares, USDC without fee, and fee, in millionths."""

    shares_micros: int = 0
    usdc_micros: int = 0
    fee_micros: int = 0

    def plus(self, other: "Amounts", sign: int = 1) -> "Amounts":
        """The sum; with `sign` −1 the difference."""
        return Amounts(
            self.shares_micros + sign * other.shares_micros,
            self.usdc_micros + sign * other.usdc_micros,
            self.fee_micros + sign * other.fee_micros,
        )

    def part(self, weight: int, whole: int) -> "Amounts":
        """The part that `weight` is of `whole`, rounded down."""
        return Amounts(
            mul_div(self.shares_micros, weight, whole),
            mul_div(self.usdc_micros, weight, whole),
            mul_div(self.fee_micros, weight, whole),
        )


NOTHING = Amounts()


def matched(copy: Copy) -> Amounts:
    """What a copy's own order has bought or sold."""
    return Amounts(copy.filled_micros, copy.paid_micros, copy.fee_micros)


def sold(copies: Iterable[Copy]) -> Mapping[str, Amounts]:
    """By debt: an attempt's sale is divided, to the last millionth, among the debts that it met, by what the leader sold."""
    attempts: list[Copy] = []
    members: defaultdict[str, list[Copy]] = defaultdict(list)
    by_trade: dict[tuple[str, str], Copy] = {}
    for copy in copies:
        if copy.kind is CopyKind.EXIT and copy.filled_micros:
            attempts.append(copy)
        elif copy.kind is CopyKind.DEBT:
            members[copy.member_of].append(copy)
            by_trade[copy.follow_id, copy.trade.key] = copy
    found: defaultdict[str, Amounts] = defaultdict(Amounts)
    for attempt in attempts:
        met = members.get(attempt.copy_id) or [by_trade[attempt.follow_id, attempt.trade.key]]
        for debt, part in zip(met, _divided(attempt, met), strict=True):
            found[debt.copy_id] = found[debt.copy_id].plus(part)
    return found


def _divided(attempt: Copy, debts: Sequence[Copy]) -> Iterable[Amounts]:
    rest, left = matched(attempt), sum(debt.trade.shares_micros for debt in debts)
    for debt in debts:
        part = rest.part(debt.trade.shares_micros, left)
        rest, left = rest.plus(part, -1), left - debt.trade.shares_micros
        yield part
