"""The tape's format: JSON lines of markets, books and trades by time, and what is wrong with a file that is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from services.venue.model import MICRO

MOST_PROBLEMS = 20
TICKS = (100_000, 10_000, 5_000, 2_500, 1_000, 100)

Price = Annotated[Decimal, Field(gt=0, lt=1)]
Size = Annotated[Decimal, Field(gt=0, le=10**12)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    market: str = Field(min_length=1, description="What this tape calls the market: any name, a condition id for one.")


class MarketLine(_Line):
    """A market, before anything that happens in it."""

    kind: Literal["market"]
    question: str = Field(min_length=1)
    slug: str = Field(min_length=1, pattern=r"^[a-z0-9-]+$")
    outcomes: tuple[str, str] = ("Yes", "No")
    tick: Decimal = Decimal("0.01")
    min_size: Size = Decimal(5)
    fee_rate: Annotated[Decimal, Field(ge=0, le=Decimal("0.5"))] = Decimal(0)


class BookLine(_Line):
    """The whole book of one outcome at an instant: (price, shares) levels in any order."""

    kind: Literal["book"]
    at_ms: int = Field(ge=0, le=10**13)
    outcome: Literal[0, 1]
    bids: tuple[tuple[Price, Size], ...]
    asks: tuple[tuple[Price, Size], ...]


class TradeLine(_Line):
    """What one wallet took at an instant; `wallet` is any name, and the same name is always the same trader."""

    kind: Literal["trade"]
    at_ms: int = Field(ge=0, le=10**13)
    outcome: Literal[0, 1]
    side: Literal["BUY", "SELL"]
    price: Price
    size: Size
    wallet: str = Field(default="anyone", min_length=1)


Line = MarketLine | BookLine | TradeLine
Entry = BookLine | TradeLine

_LINES: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


class BadTape(ValueError):
    """A file that is no tape; `problems` name line and field."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Tape:
    """Markets by their name on the tape, and what happens in them, oldest first."""

    markets: dict[str, MarketLine]
    entries: tuple[Entry, ...]

    @property
    def wallets(self) -> list[str]:
        """Everybody who trades, in the order of their first trades."""
        return list(dict.fromkeys(entry.wallet for entry in self.entries if isinstance(entry, TradeLine)))


def read_tape(path: Path) -> Tape:
    """Raises `BadTape` for a file that is none, OSError for one that cannot be read."""
    with path.open("rb") as lines:
        return parse(lines)


def parse(lines: Iterable[bytes]) -> Tape:
    """The tape of these lines; blank ones count and say nothing."""
    markets, entries, problems = dict[str, MarketLine](), list[Entry](), list[str]()
    last_ms = 0
    for number, raw in enumerate(lines, 1):
        if len(problems) >= MOST_PROBLEMS:
            problems.append("…")
            break
        if not raw.strip():
            continue
        try:
            line = _LINES.validate_json(raw)
        except ValidationError as error:
            problems += _told(number, error)
            continue
        found = list(_wrong(line, markets, last_ms))
        problems += [f"line {number}: {problem}" for problem in found]
        if isinstance(line, MarketLine):
            markets[line.market] = line
        else:
            last_ms = max(last_ms, line.at_ms)
            entries.append(line)
    if not problems and not entries:
        problems.append("the tape is empty: expected a line of kind book or trade")
    if problems:
        raise BadTape(problems)
    return Tape(markets, tuple(entries))


def _wrong(line: Line, markets: dict[str, MarketLine], last_ms: int) -> Iterator[str]:
    """What only shows beside the lines before."""
    if isinstance(line, MarketLine):
        if line.market in markets:
            yield f"market: {line.market!r} is there already"
        if line.tick * MICRO not in TICKS:
            yield f"tick: expected one of {', '.join(str(Decimal(tick) / MICRO) for tick in TICKS)}"
        return
    if line.market not in markets:
        yield f"market: {line.market!r} has no line of kind market before"
    if line.at_ms < last_ms:
        yield f"at_ms: {line.at_ms} lies before the line above, which is of {last_ms}"
    if (
        isinstance(line, BookLine)
        and line.bids
        and line.asks
        and max(p for p, _ in line.bids) >= min(p for p, _ in line.asks)
    ):
        yield "bids: they cross the asks"


def _told(number: int, error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        # The first part of a place is the kind of line, which the line itself says.
        place = [str(part) for part in one["loc"]]
        field = ".".join(place[1:] if len(place) > 1 else place)
        yield f"line {number}: {field + ': ' if field else ''}{one['msg']}"


def write_line(line: Line) -> bytes:
    """One line of a tape."""
    return line.model_dump_json(exclude_defaults=False).encode() + b"\n"
