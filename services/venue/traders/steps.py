"""What a script is made of: timed steps, each one thing that one trader does."""

from __future__ import annotations

from dataclasses import dataclass

from services.venue.model import Side


@dataclass(frozen=True, slots=True)
class Take:
    """A taker order for `shares_micros`, or for a part of what the trader holds, reaching `levels` deep into the book."""

    trader: str
    market: int
    outcome: int
    side: Side
    shares_micros: int = 0
    fraction_bps: int = 0
    levels: int = 1


@dataclass(frozen=True, slots=True)
class Rest:
    """Resting orders of `trader` inside the spread, all eaten by one order of the counterparty in one transaction."""

    trader: str
    market: int
    outcome: int
    side: Side
    sizes_micros: tuple[int, ...]


Action = Take | Rest


@dataclass(frozen=True, slots=True)
class Step:
    """`action` happens `at_ms` after the script's start."""

    at_ms: int
    action: Action
