"""A venue whose clock is off, for as long as a fault says so."""

from __future__ import annotations

from services.venue.clock import Clock
from services.venue.faults.kinds import Family
from services.venue.faults.registry import Registry


class ClockFaults:
    """Moves the venue's clock by what the faults of a registry add up to; whatever else has moved it stays."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._off_ms = 0
        registry.watch(self.apply)

    def apply(self) -> None:
        """A fault is noted once, when it begins."""
        standing = [fault for fault in self._registry.active if fault.family is Family.CLOCK]
        for fault in standing:
            if not fault.struck:
                self._registry.begin(fault)
        off_ms = sum(fault.whole("ms") for fault in standing)
        self._clock.off_ms += off_ms - self._off_ms
        self._off_ms = off_ms
