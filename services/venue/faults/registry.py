"""The faults of one process: added, struck and taken away; every strike is noted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from typing import Any, Protocol

from services.venue.faults.fault import Fault
from services.venue.faults.fields import BadFault
from services.venue.faults.kinds import Family, of
from services.venue.faults.target import CHANNELS, Facts


class Note(Protocol):
    """Writes one line of a log, as `Journal.note` does."""

    def __call__(self, kind: str, **fields: Any) -> object: ...


class Registry:
    """Takes faults of `families` and `channels` only; draws by `seed` and the fault's number where a fault has no seed of its own."""

    def __init__(
        self, note: Note, seed: int, families: frozenset[Family], channels: Collection[str] = CHANNELS
    ) -> None:
        self._note = note
        self._channels = channels
        self._watching: list[Callable[[], None]] = []
        self._seed = seed
        self._kinds = of(families)
        self._added = 0
        self.active: list[Fault] = []

    def add(self, body: Mapping[str, object]) -> Fault:
        """Strike from now on. Raises `BadFault`."""
        fault = Fault.read(body, self._kinds, self._added + 1, self._seed * 1_000_003 + self._added)
        channel = fault.target.told().get("channel")
        if channel is not None and channel not in self._channels:
            raise BadFault(f"channel: expected one of {', '.join(self._channels)}")
        self._added += 1
        self.active.append(fault)
        self._changed()
        return fault

    def remove(self, number: int | None = None) -> None:
        """Take one away, or all."""
        self.active = [fault for fault in self.active if number not in (None, fault.number)]
        self._changed()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call this whenever faults come or go."""
        self._watching.append(changed)

    def _changed(self) -> None:
        for changed in self._watching:
            changed()

    def any_of(self, family: Family) -> bool:
        """Whether something of this family may still strike; cheap, for those who ask for each frame."""
        return any(fault.family is family and fault.left for fault in self.active)

    def meeting(self, family: Family, facts: Facts, kinds: Container[str] | None = None) -> list[Fault]:
        """Those that may strike here; of `kinds` only, where they are named."""
        return [one for one in self.active if (kinds is None or one.kind in kinds) and one.meets(family, facts)]

    def strike(self, family: Family, facts: Facts, kinds: Container[str] | None = None, **noted: str) -> Fault | None:
        """What strikes here, if anything: the first of those that chance has chosen. `noted` goes into its line."""
        met = self.meeting(family, facts, kinds)
        # Each one that is met draws, also behind one that strikes: so none hangs on another.
        chosen = [fault for fault in met if fault.drawn()]
        if not chosen:
            return None
        self.begin(chosen[0], **noted)
        return chosen[0]

    def begin(self, fault: Fault, **noted: str) -> None:
        """Note a strike of this one."""
        fault.struck += 1
        self._note("fault", fault=fault.kind, **{**fault.target.told(), **noted}, fault_id=fault.number)
