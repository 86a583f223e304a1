"""What a market maker quotes: pure, so that a market's liquidity follows from its fair price alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from services.venue.model import Side
from services.venue.traders.amounts import sellable

MICRO = 1_000_000
SHARE = 1_000_000
LEVELS = 8
SIZES = (250 * SHARE, 300 * SHARE, 400 * SHARE, 500 * SHARE, 500 * SHARE, 600 * SHARE, 600 * SHARE, 800 * SHARE)
_FAIR = (520_000, 380_000, 640_000, 450_000, 120_000, 985_000)


@dataclass(frozen=True, slots=True)
class Rung:
    """One level of one token that should be on the book."""

    side: Side
    price_micros: int
    size_micros: int


def fair_micros(seed: int, place: int, tick_micros: int) -> int:
    """The first outcome's fair price in the market at this place, on the grid; further markets get one from the seed."""
    drawn = Random(f"fair {seed} {place}").randrange(200_000, 800_000)
    price = _FAIR[place] if place < len(_FAIR) else drawn
    return price // tick_micros * tick_micros


def step_micros(tick_micros: int) -> int:
    """How far levels lie apart: a tick, on fine grids two; the spread stays within a few ticks."""
    return tick_micros if tick_micros >= 10_000 else 2 * tick_micros


def ladder(fair: int, tick_micros: int) -> tuple[Rung, ...]:
    """Both sides of one token around its fair price, best first; what lies outside the grid's ends is left out."""
    step = step_micros(tick_micros)
    rungs: list[Rung] = []
    for number, size in enumerate(SIZES[:LEVELS]):
        for side, price in ((Side.BUY, fair - step * (number + 1)), (Side.SELL, fair + step * (number + 1))):
            if tick_micros <= price <= MICRO - tick_micros:
                rungs.append(Rung(side, price, size))
    return tuple(rungs)


def missing(wanted: Iterable[Rung], resting: Mapping[tuple[Side, int], int], smallest: int) -> tuple[Rung, ...]:
    """What must be added so that every rung is whole again but for what is no lot; gaps below the smallest order wait."""
    gaps = ((rung, sellable(rung.size_micros - resting.get((rung.side, rung.price_micros), 0))) for rung in wanted)
    return tuple(Rung(rung.side, rung.price_micros, gap) for rung, gap in gaps if gap >= smallest)
