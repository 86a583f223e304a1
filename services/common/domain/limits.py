"""Which way a limit is looser: a change is split into what may take effect at once and what has to wait."""

from collections.abc import Mapping
from dataclasses import asdict, replace

from services.common.domain.account import Limits

SAFER_WHEN_LARGER = frozenset({"min_time_to_end_ms", "min_price_micros", "repetition_window_ms", "send_budget_ms"})
"""These let less pass the larger they are; every other limit lets more pass."""


def is_looser(name: str, before: int, after: int) -> bool:
    """Whether a limit would let pass what it did not before."""
    return after < before if name in SAFER_WHEN_LARGER else after > before


def changes(before: Limits, after: Limits) -> tuple[dict[str, int], dict[str, int]]:
    """The limits that would be tightened and those that would be raised, each with its new figure."""
    old, new = asdict(before), asdict(after)
    moved = {name: figure for name, figure in new.items() if figure != old[name]}
    raised = {name: figure for name, figure in moved.items() if is_looser(name, old[name], figure)}
    return {name: figure for name, figure in moved.items() if name not in raised}, raised


def changed(limits: Limits, figures: Mapping[str, int]) -> Limits:
    """The limits with these figures."""
    return replace(limits, **figures)
