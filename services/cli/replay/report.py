"""What a replay came to: one line for every fill, the sums of each side, what refused, and what the books say at the end."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from typing import Any

from services.cli import books, venue_log
from services.cli.replay.drive import Ended
from services.cli.replay.journal import leader_fill, wallet_fills
from services.cli.replay.sales import NOTHING, Amounts, matched, sold
from services.cli.summary import summary
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.fill import Position
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.domain.money import MICRO, mul_div
from services.common.domain.trade import LeaderTrade
from services.engine.debts import NOTHING_HELD, REFUSED_BY
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

REASONS = {NOTHING_HELD: "none_is_ours"} | {guard: reason for reason, guard in REFUSED_BY.items()}
"""Why a debt was refused, by its guard: an exit that ends keeps no report of its guards."""


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
    """Everything that a replay has to say; `summary` is that of interfaces.md."""

    summary: Mapping[str, Any]
    lines: tuple[Line, ...]
    sides: Mapping[Side, Sums]
    refusals: Mapping[tuple[str, str], Counter[Side]]
    books: Books
    others: Mapping[str, int]
    leaders: tuple[str, ...]
    repeats: int

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
    sales = sold(ended.world.stores.database.copies.values())
    lines = tuple(_line(number, copy, sales) for number, copy in enumerate(ended.copies, start=1))
    sides = {side: Sums() for side in Side}
    refusals: defaultdict[tuple[str, str], Counter[Side]] = defaultdict(Counter)
    for line in lines:
        sides[line.trade.side].add(line)
        if line.verdict is not Verdict.COPIED:
            refusals[line.guard, line.reason][line.trade.side] += 1
    ordered = dict(sorted(refusals.items(), key=lambda item: (-item[1].total(), item[0])))
    tape = ended.tape
    return Report(
        await _summary(ended),
        lines,
        sides,
        ordered,
        await _books(ended),
        dict(sorted(tape.others.items())),
        tape.leaders,
        tape.repeats,
    )


async def _summary(ended: Ended) -> Mapping[str, Any]:
    """The summary that every run has: our stores held against what the venue and the chain say."""
    world, wallet = ended.world, ended.world.account.wallet
    fills = await world.chain.fills_of([wallet], 0, world.chain.head_number)
    lines = [*map(leader_fill, ended.tape.played), *world.clob.lines, *wallet_fills(fills)]
    log = venue_log.read(lines, [wallet])
    return summary(
        await books.read(world.stores), log, seed=0, version=version("polycopy"), config_hash=world.config_hash
    )


def _line(number: int, copy: Copy, sales: Mapping[str, Amounts]) -> Line:
    verdict = VERDICTS.get(copy.state, Verdict.OPEN)
    guard, reason, observed, limit = _why(copy, verdict)
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
        ours=matched(copy) if copy.kind is CopyKind.ENTRY else sales.get(copy.copy_id, NOTHING),
    )


def _why(copy: Copy, verdict: Verdict) -> tuple[str, str, Mapping[str, str], Mapping[str, str]]:
    if verdict is Verdict.COPIED:
        return "", "", {}, {}
    name = copy.skip_reason or copy.failure or str(copy.state)
    refusals = copy.decision.refusals if copy.decision else ()
    said = next((refusal for refusal in refusals if refusal.guard == name), None)
    return (name, said.reason, said.observed, said.limit) if said else (name, REASONS.get(name, ""), {}, {})


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
