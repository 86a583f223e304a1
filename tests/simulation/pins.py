"""`python -m tests.simulation.pins [NAME…]`: find seeds that break each variant of the protocol, where the pinned ones no longer do."""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
import structlog

from tests.simulation import (
    hostile_mutants,
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
KEPT = 3
"""Any change of what happens between two effects gives a seed another course, so each variant has as many that break it."""


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

    def pinned(self) -> dict[str, list[int]]:
        """The seeds that break each variant."""
        return json.loads(self.file.read_text())

    def found(self, name: str, pinned: Sequence[int], most: int = MOST) -> Iterator[int]:
        """The seeds that break the variant: the pinned ones that do, then the lowest others."""
        others = (seed for seed in range(most) if seed not in pinned)
        return (seed for seed in (*pinned, *others) if self._is_broken_by(name, seed))

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


def _around(patch: Patch, name: str) -> None:
    mutants.storm(patch, name)
    hostile_mutants.around(patch, name)


COPYING = Play(
    lambda seed: invariants.broken(run(world.simulate(seed))),
    mutants.MUTANTS | hostile_mutants.MUTANTS,
    _around,
    _beside("pins.json"),
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
        before = pins.get(name, [])
        seeds = list(islice(play.found(name, before), KEPT))
        if not seeds:
            sys.exit(f"{name}: no seed below {MOST} breaks it")
        if seeds != before:
            print(f"{name}: {before} -> {seeds}", flush=True)
        pins[name] = seeds
        play.file.write_text(_table({one: pins[one] for one in play.variants if one in pins}))


def _table(pins: Mapping[str, Sequence[int]]) -> str:
    rows = [f"  {json.dumps(name)}: {json.dumps(list(seeds))}" for name, seeds in pins.items()]
    return "{\n" + ",\n".join(rows) + "\n}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
