"""`python -m tests.simulation.pins [NAME…]`: find a seed that breaks each variant of the protocol, where the pinned one no longer does."""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from tests.simulation import (
    invariants,
    leaving,
    leaving_invariants,
    leaving_mutants,
    mutants,
    world,
)
from tests.simulation.virtual_time import run

Patch = pytest.MonkeyPatch
Variant = Callable[[Patch], None]

MOST = 5_000


@dataclass(frozen=True, slots=True)
class Play:
    """One kind of run: what is broken after a seed of it, its variants, the circumstances that each is looked for in, and where the
    seeds are written that break them."""

    broken: Callable[[int], list[str]]
    variants: Mapping[str, Variant]
    around: Callable[[Patch, str], None]
    file: Path

    def off(self, seeds: Iterable[int]) -> dict[int, list[str]]:
        """What is broken, by seed."""
        found = ((seed, self.broken(seed)) for seed in seeds)
        return {seed: lines for seed, lines in found if lines}

    def pinned(self) -> dict[str, int]:
        """The seed that breaks each variant."""
        return json.loads(self.file.read_text())

    def found(self, name: str, first: int, most: int = MOST) -> int | None:
        """`first` if it does, or else the lowest seed that breaks the variant; None where there is none among so many.

        Any change of what happens between two effects gives every seed another course, so a pin has to be found anew now and then.
        """
        return next((seed for seed in (first, *range(most)) if self._is_broken_by(name, seed)), None)

    def _is_broken_by(self, name: str, seed: int) -> bool:
        """Whether the variant breaks an invariant on this seed, on which the protocol itself does not."""
        with pytest.MonkeyPatch.context() as patch:
            self.around(patch, name)
            self.variants[name](patch)
            if not self.broken(seed):
                return False
        with pytest.MonkeyPatch.context() as patch:
            self.around(patch, name)
            return not self.broken(seed)


def _beside(name: str) -> Path:
    return Path(__file__).with_name(name)


COPYING = Play(
    lambda seed: invariants.broken(run(world.simulate(seed))), mutants.MUTANTS, mutants.storm, _beside("pins.json")
)
LEAVING = Play(
    lambda seed: leaving_invariants.broken(run(leaving.simulate(seed))),
    leaving_mutants.MUTANTS,
    lambda patch, _: leaving.quicker(patch),
    _beside("leaving_pins.json"),
)


def main(names: list[str]) -> None:
    """Write the pins anew, and say which have moved."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    known = [*COPYING.variants, *LEAVING.variants]
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"{', '.join(unknown)}: expected any of {', '.join(known)}")
    for play in (COPYING, LEAVING):
        _pin(play, [name for name in play.variants if not names or name in names])


def _pin(play: Play, names: list[str]) -> None:
    pins = play.pinned()
    for name in names:
        seed = play.found(name, pins.get(name, 0))
        if seed is None:
            sys.exit(f"{name}: no seed below {MOST} breaks it")
        if seed != pins.get(name):
            print(f"{name}: {pins.get(name)} -> {seed}", flush=True)
        pins[name] = seed
        play.file.write_text(json.dumps({one: pins[one] for one in play.variants if one in pins}, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
