"""What becomes of a trade's commit: asked once by the settlement, before the trade's first transaction is sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.venue.faults.kinds import Family
from services.venue.faults.registry import Registry


class Ending(StrEnum):
    """How a commit that is struck ends."""

    MINED = "mined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Fate:
    """RETRYING `tries` times, each after `wait_ms`, then the ending; without tries it only waits."""

    ending: Ending
    tries: int
    wait_ms: int


class CommitFaults:
    """The faults that strike commits."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def fate(self, condition_id: str, trade_id: str) -> Fate | None:
        """None: this commit goes as it should."""
        fault = self._registry.strike(Family.COMMIT, {"market": condition_id}, market=condition_id, trade_id=trade_id)
        if fault is None:
            return None
        ending = Ending.FAILED if fault.kind == "commit_fail" else Ending.MINED
        tries = fault.whole("tries") if "tries" in fault.values else 0
        return Fate(ending, tries, fault.whole("ms"))
