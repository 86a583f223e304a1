"""A market at a glance: best prices, the last one, what was traded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quote:
    """Of the first outcome, in millionths; `yes_micros` is what Gamma and the Data API value a share at."""

    bid_micros: int
    ask_micros: int
    last_micros: int
    yes_micros: int
    volume_micros: int
