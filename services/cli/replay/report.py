"""What a replay came to: one line for every fill, the sums of each side, what refused, and what the books say at the end."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.cli.replay.drive import Ended
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.fill import Position
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.domain.money import MICRO, mul_div
from services.common.domain.trade import LeaderTrade
from services.engine.sizing import policy_micros


class Verdict(StrEnum):
    """What became of a fill. `failed`: an order was sent and came to nothing. `open`: it was not decided in time."""

    COPIED = "copied"
    REFUSED = "refused"
    FAILED = "failed"
    OPEN = "open"


VERDICTS = {
    CopyState.RECONCILED: Verdict.COPIED,
    CopyState.EXECUTED: Verdict.COPIED,
    CopyState.SKIPPED: Verdict.REFUSED,
    CopyState.FAILED: Verdict.FAILED,
}

WHY = {
    "nothing_held": "nothing of the token was bought for him before",
    "below_minimum": "less is owed than the venue takes; it is owed on, and sold with his next sales",
    "sold_elsewhere": "the shares are no longer ours",
    "resolved": "the market is over",
    "voided_by_exit": "he sold it again before it could be bought",
}
"""Reasons that are no guard's: what exits end with."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Shares, USDC without fee, and fee, in millionths."""

    shares_micros: int = 0
    usdc_micros: int = 0
    fee_micros: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One fill: what the leader did, what was decided and by which guard, and what we bought or sold for it."""

    number: int
    trade: LeaderTrade
    title: str
    outcome: str
    scaled_micros: int
    verdict: Verdict
    guard: str
    reason: str
    observed: Mapping[str, str]
    limit: Mapping[str, str]
    ours: Amounts


@dataclass(slots=True)
class Sums:
    """All fills of one side."""

    fills: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter[Verdict])
    leader_micros: int = 0
    scaled_micros: int = 0
    shares_micros: int = 0
    usdc_micros: int = 0
    fee_micros: int = 0

    def add(self, line: Line) -> None:
        """Count one fill."""
        self.fills += 1
        self.verdicts[line.verdict] += 1
        self.leader_micros += line.trade.usdc_micros
        self.scaled_micros += line.scaled_micros
        self.shares_micros += line.ours.shares_micros
        self.usdc_micros += line.ours.usdc_micros
        self.fee_micros += line.ours.fee_micros

    @property
    def copied_micros(self) -> int | None:
        """The share of the scaled notional that was copied, in millionths; None where nothing was to be copied."""
        return mul_div(self.usdc_micros, MICRO, self.scaled_micros) if self.scaled_micros else None


@dataclass(frozen=True, slots=True)
class Books:
    """The account at the end; what is held is marked at the last modelled price. `discrepancies` over all comparisons with the chain."""

    cash_micros: int
    positions: int
    cost_micros: int
    marked_micros: int
    realized_micros: int
    comparisons: int
    discrepancies: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a replay has to say."""

    lines: tuple[Line, ...]
    sides: Mapping[Side, Sums]
    refusals: Mapping[tuple[str, str], Counter[Side]]
    books: Books
    others: Mapping[str, int]
    leaders: tuple[str, ...]

    @property
    def verdicts(self) -> Counter[Verdict]:
        return sum((sums.verdicts for sums in self.sides.values()), Counter[Verdict]())

    @property
    def first_at(self) -> datetime:
        return self.lines[0].trade.traded_at

    @property
    def last_at(self) -> datetime:
        return self.lines[-1].trade.traded_at


async def report(ended: Ended) -> Report:
    """The report of a replay that has ended; to be called in its loop."""
    sold = _sold(ended.world.stores.database.copies.values())
    lines = tuple(_line(number, copy, sold) for number, copy in enumerate(ended.copies, start=1))
    sides = {side: Sums() for side in Side}
    refusals: defaultdict[tuple[str, str], Counter[Side]] = defaultdict(Counter)
    for line in lines:
        sides[line.trade.side].add(line)
        if line.verdict is not Verdict.COPIED:
            refusals[line.guard, line.reason][line.trade.side] += 1
    ordered = dict(sorted(refusals.items(), key=lambda item: (-item[1].total(), item[0])))
    return Report(
        lines, sides, ordered, await _books(ended), dict(sorted(ended.tape.others.items())), ended.tape.leaders
    )


def _line(number: int, copy: Copy, sold: Mapping[str, Amounts]) -> Line:
    verdict = VERDICTS.get(copy.state, Verdict.OPEN)
    guard, reason, observed, limit = _why(copy, verdict)
    bought = Amounts(copy.filled_micros, copy.paid_micros, copy.fee_micros)
    return Line(
        number=number,
        trade=copy.trade,
        title=copy.title,
        outcome=copy.outcome,
        scaled_micros=policy_micros(copy.policy, copy.trade.usdc_micros) or 0,
        verdict=verdict,
        guard=guard,
        reason=reason,
        observed=observed,
        limit=limit,
        ours=bought if copy.kind is CopyKind.ENTRY else sold.get(copy.copy_id, Amounts()),
    )


def _why(copy: Copy, verdict: Verdict) -> tuple[str, str, Mapping[str, str], Mapping[str, str]]:
    if verdict is Verdict.COPIED:
        return "", "", {}, {}
    name = copy.skip_reason or copy.failure or str(copy.state)
    refusals = copy.decision.refusals if copy.decision else ()
    said = next((refusal for refusal in refusals if refusal.guard == name), None)
    return (name, said.reason, said.observed, said.limit) if said else (name, WHY.get(name, ""), {}, {})


def _sold(copies: Iterable[Copy]) -> Mapping[str, Amounts]:
    """What was sold for each debt: an attempt's sale is divided among the debts that it met, by what the leader sold."""
    attempts: list[Copy] = []
    members: defaultdict[str, list[Copy]] = defaultdict(list)
    by_trade: dict[tuple[str, str], Copy] = {}
    for copy in copies:
        if copy.kind is CopyKind.EXIT and copy.filled_micros:
            attempts.append(copy)
        elif copy.kind is CopyKind.DEBT:
            members[copy.member_of].append(copy)
            by_trade[copy.follow_id, copy.trade.key] = copy
    sold: defaultdict[str, Amounts] = defaultdict(Amounts)
    for attempt in attempts:
        met = members.get(attempt.copy_id) or [by_trade[attempt.follow_id, attempt.trade.key]]
        for debt, part in zip(met, _divided(attempt, met), strict=True):
            sold[debt.copy_id] = _plus(sold[debt.copy_id], part)
    return sold


def _divided(attempt: Copy, debts: Sequence[Copy]) -> Iterable[Amounts]:
    rest, left = Amounts(attempt.filled_micros, attempt.paid_micros, attempt.fee_micros), 0
    left = sum(debt.trade.shares_micros for debt in debts)
    for debt in debts:
        weight = debt.trade.shares_micros
        part = Amounts(*(mul_div(of, weight, left) for of in (rest.shares_micros, rest.usdc_micros, rest.fee_micros)))
        rest = Amounts(
            rest.shares_micros - part.shares_micros,
            rest.usdc_micros - part.usdc_micros,
            rest.fee_micros - part.fee_micros,
        )
        left -= weight
        yield part


def _plus(one: Amounts, other: Amounts) -> Amounts:
    return Amounts(
        one.shares_micros + other.shares_micros, one.usdc_micros + other.usdc_micros, one.fee_micros + other.fee_micros
    )


async def _books(ended: Ended) -> Books:
    stores, account = ended.world.stores, ended.world.account
    positions = await stores.positions.of([account.account_id])
    results = await stores.results.page([account.account_id], UNLIMITED, 0)
    return Books(
        cash_micros=await ended.world.chain.collateral_balance(account.wallet),
        positions=sum(1 for position in positions if position.shares_micros),
        cost_micros=sum(position.cost_micros for position in positions),
        marked_micros=sum(map(_marked, positions)),
        realized_micros=sum(position.realized_micros for position in positions),
        comparisons=results.total,
        discrepancies=sum(len(result.discrepancies) for result in results.items),
    )


def _marked(position: Position) -> int:
    return mul_div(position.shares_micros, position.mark_micros or 0, MICRO)


UNLIMITED = 1_000_000
