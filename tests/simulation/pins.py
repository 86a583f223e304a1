"""`python -m tests.simulation.pins [NAME…]`: find a seed that breaks each variant of the protocol, where the pinned one no longer does."""

import json
import logging
import sys
from pathlib import Path

import pytest
import structlog

from tests.simulation.invariants import broken
from tests.simulation.mutants import MUTANTS, storm
from tests.simulation.virtual_time import run
from tests.simulation.world import simulate

FILE = Path(__file__).with_name("pins.json")
MOST = 5_000


def pinned() -> dict[str, int]:
    """The seed that breaks each variant."""
    return json.loads(FILE.read_text())


def is_broken_by(name: str, seed: int) -> bool:
    """Whether the variant breaks an invariant on this seed, on which the protocol itself does not."""
    with pytest.MonkeyPatch.context() as patch:
        storm(patch, name)
        MUTANTS[name](patch)
        if not broken(run(simulate(seed))):
            return False
    with pytest.MonkeyPatch.context() as patch:
        storm(patch, name)
        return not broken(run(simulate(seed)))


def found(name: str, first: int, most: int = MOST) -> int | None:
    """`first` if it does, or else the lowest seed that breaks the variant; None where there is none among so many.

    Any change of what happens between two effects gives every seed another course, so a pin has to be found anew now and then.
    """
    return next((seed for seed in (first, *range(most)) if is_broken_by(name, seed)), None)


def main(names: list[str]) -> None:
    """Write the pins anew, and say which have moved."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    pins = pinned()
    for name in names or list(MUTANTS):
        seed = found(name, pins.get(name, 0))
        if seed is None:
            sys.exit(f"{name}: no seed below {MOST} breaks it")
        if seed != pins.get(name):
            print(f"{name}: {pins.get(name)} -> {seed}", flush=True)
        pins[name] = seed
        FILE.write_text(json.dumps({one: pins[one] for one in MUTANTS if one in pins}, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
