"""A replay's report for people (tables) and for programs (JSON, every amount as decimal text)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from services.cli.replay.model import Model
from services.cli.replay.report import Line, Report, Sums, Verdict
from services.cli.replay.sales import Amounts
from services.common.config_file import PolicyFile
from services.common.domain.market import Side
from services.common.domain.money import MICRO, mul_div, text

Json = Mapping[str, Any]


def as_json(report: Report, files: Sequence[str], file: PolicyFile, model: Model, advice: str) -> str:
    """The summary of interfaces.md and the whole report; the same replay gives the same bytes."""
    document: dict[str, Any] = {
        **report.summary,
        "history": {
            "files": list(files),
            "leaders": list(report.leaders),
            "fills": len(report.lines),
            "first_at": report.first_at.isoformat(),
            "last_at": report.last_at.isoformat(),
            "exact_repeats": report.repeats,
            "other_rows": report.others,
        },
        "policy": file.model_dump(mode="json"),
        "modelled": {fact.name: {"as": fact.how, "options": fact.options} for fact in model.facts()},
        "buys": _side(report.sides[Side.BUY]),
        "sells": _side(report.sides[Side.SELL]),
        "refused_by": [
            {"guard": guard, "reason": reason, "buys": sides[Side.BUY], "sells": sides[Side.SELL]}
            for (guard, reason), sides in report.refusals.items()
        ],
        "books": _books(report),
        "advice": advice,
        "fills": [_fill(line) for line in report.lines],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _side(sums: Sums) -> Json:
    return {
        "fills": sums.fills,
        **{str(verdict): sums.verdicts[verdict] for verdict in Verdict},
        "leader_usdc": text(sums.leader_micros),
        "scaled_usdc": text(sums.scaled_micros),
        "our_usdc": text(sums.usdc_micros),
        "our_shares": text(sums.shares_micros),
        "fee_usdc": text(sums.fee_micros),
        "copied_share": None if sums.copied_micros is None else text(sums.copied_micros),
    }


def _books(report: Report) -> Json:
    books = report.books
    return {
        "cash_usdc": text(books.cash_micros),
        "positions": books.positions,
        "cost_usdc": text(books.cost_micros),
        "marked_usdc": text(books.marked_micros),
        "realized_usdc": text(books.realized_micros),
        "comparisons": books.comparisons,
        "discrepancies": books.discrepancies,
    }


def _fill(line: Line) -> Json:
    trade = line.trade
    return {
        "number": line.number,
        "at": trade.traded_at.isoformat(),
        "key": trade.key,
        "leader": trade.leader,
        "market": line.title,
        "outcome": line.outcome,
        "condition_id": trade.condition_id,
        "token_id": trade.token_id,
        "side": str(trade.side),
        "leader_shares": text(trade.shares_micros),
        "leader_price": text(trade.price_micros),
        "leader_usdc": text(trade.usdc_micros),
        "scaled_usdc": text(line.scaled_micros),
        "decision": str(line.verdict),
        "guard": line.guard,
        "reason": line.reason,
        "observed": dict(line.observed),
        "limit": dict(line.limit),
        "our_shares": text(line.ours.shares_micros),
        "our_price": text(_price(line.ours)),
        "our_usdc": text(line.ours.usdc_micros),
        "fee_usdc": text(line.ours.fee_micros),
    }


def show(report: Report, console: Console, model: Model, advice: str, *, fills: bool) -> None:
    """Print the summary; with `fills` a line for every fill before it."""
    if fills:
        console.print(_fills(report.lines))
    console.print(_sides(report))
    if report.refusals:
        console.print(_refusals(report))
    console.print(_end(report))
    console.print(_modelled(model))
    others = ", ".join(f"{count} {kind}" for kind, count in report.others.items())
    if others:
        console.print(f"Rows that are no fills: {others}.")
    if report.repeats:
        console.print(f"Exact repeats of another row: {report.repeats}; each is a fill of its own.")
    if advice:
        console.print(advice)
    for problem in report.summary["problems"]:
        console.print(f"off: {problem}")


def _table(title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _sides(report: Report) -> Table:
    figures = (
        "fills",
        "copied",
        "refused",
        "failed",
        "open",
        "leader $",
        "scaled $",
        "our $",
        "fees $",
        "share copied",
    )
    table = _table(
        f"{report.first_at:%Y-%m-%d %H:%M:%S} to {report.last_at:%Y-%m-%d %H:%M:%S} UTC", "", *figures, right=figures
    )
    for side, sums in report.sides.items():
        share = "–" if sums.copied_micros is None else _percent(sums.copied_micros)
        counts = [str(sums.fills), *(str(sums.verdicts[verdict]) for verdict in Verdict)]
        money = [_cents(sum_) for sum_ in (sums.leader_micros, sums.scaled_micros, sums.usdc_micros, sums.fee_micros)]
        table.add_row(str(side), *counts, *money, share)
    verdicts, all_ = report.verdicts, len(report.lines)
    part = _percent(mul_div(verdicts[Verdict.COPIED], MICRO, all_))
    table.add_row(
        "all", str(all_), *(str(verdicts[verdict]) for verdict in Verdict), "", "", "", "", f"{part} of fills"
    )
    return table


def _refusals(report: Report) -> Table:
    table = _table("Not copied", "guard", "reason", "buys", "sells", right=("buys", "sells"))
    for (guard, reason), sides in report.refusals.items():
        table.add_row(guard, reason, str(sides[Side.BUY]), str(sides[Side.SELL]))
    return table


def _end(report: Report) -> Table:
    books = report.books
    figures = ("cash $", "held at cost $", "held at mark $", "realised $", "positions", "comparisons", "discrepancies")
    table = _table("Books at the end", *figures, right=figures)
    money = (books.cash_micros, books.cost_micros, books.marked_micros, books.realized_micros)
    counts = (books.positions, books.comparisons, books.discrepancies)
    table.add_row(*map(_cents, money), *map(str, counts))
    return table


def _modelled(model: Model) -> Table:
    table = _table("Modelled, because the recording does not say", "fact", "modelled as", "option")
    for fact in model.facts():
        table.add_row(fact.name, fact.how, fact.options)
    return table


def _fills(lines: Sequence[Line]) -> Table:
    right = ("#", "shares", "price", "our shares", "our $")
    table = _table(
        "Fills", "#", "at", "market", "side", "shares", "price", "decision", "our shares", "our $", right=right
    )
    for line in lines:
        why = str(line.verdict) if not line.guard else f"{line.guard}: {line.reason}"
        trade = line.trade
        table.add_row(
            str(line.number),
            f"{trade.traded_at:%m-%d %H:%M:%S}",
            f"{line.title} · {line.outcome}",
            str(trade.side),
            text(trade.shares_micros),
            text(trade.price_micros),
            why,
            text(line.ours.shares_micros),
            text(line.ours.usdc_micros),
        )
    return table


def _price(ours: Amounts) -> int:
    return mul_div(ours.usdc_micros, MICRO, ours.shares_micros) if ours.shares_micros else 0


def _cents(amount_micros: int) -> str:
    sign, cents = "-" if amount_micros < 0 else "", abs(amount_micros) // 10_000
    return f"{sign}{cents // 100:,}.{cents % 100:02}"


def _percent(share_micros: int) -> str:
    return f"{share_micros // 10_000}.{share_micros // 1_000 % 10} %"
