"""One fault: what it does, to what, how often, and how often it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from services.venue.faults.fields import BadFault, Value, Whole
from services.venue.faults.kinds import TARGETS, Family, Kind
from services.venue.faults.target import Facts, Target

WHOLE_BPS = 10_000

# What every fault may say: how often it strikes, how many times (0 is for ever), and what its chance is drawn from.
COMMON = {"rate_bps": Whole(WHOLE_BPS, 0, WHOLE_BPS), "times": Whole(1), "seed": Whole()}


@dataclass(slots=True)
class Fault:
    """Has a chance of its own, drawn once for each thing that it meets: no other request changes what it strikes."""

    number: int
    kind: str
    family: Family
    target: Target
    values: Mapping[str, Value]
    rate_bps: int
    times: int
    seed: int
    struck: int = 0
    _random: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = Random(f"fault {self.seed} {self.kind} {sorted(self.target.told().items())}")

    @classmethod
    def read(cls, body: Mapping[str, object], kinds: Mapping[str, Kind], number: int, seed: int) -> Fault:
        """A fault as the admin and a file write it; `seed` is meant where it says none. Raises `BadFault`."""
        name = body.get("kind")
        if not isinstance(name, str) or name not in kinds:
            raise BadFault(f"kind: expected one of {', '.join(kinds)}")
        kind = kinds[name]
        read_target, places = TARGETS[kind.family]
        known = {"kind", *places, *COMMON, *kind.fields}
        for field_name in body:
            if field_name not in known:
                raise BadFault(f"{field_name}: expected one of {', '.join(sorted(known))} for {name}")
        target = read_target(body)
        common = {key: one.read(key, body.get(key, one.default)) for key, one in COMMON.items()}
        values = {key: one.read(key, body.get(key, one.default)) for key, one in kind.fields.items()}
        drawn_from = common["seed"] if "seed" in body else seed
        return cls(number, name, kind.family, target, values, common["rate_bps"], common["times"], drawn_from)

    @property
    def left(self) -> bool:
        """Whether it may still strike."""
        return not self.times or self.struck < self.times

    def drawn(self) -> bool:
        """Whether chance says that this one is struck."""
        return self._random.randrange(WHOLE_BPS) < self.rate_bps

    def meets(self, family: Family, facts: Facts) -> bool:
        return family is self.family and self.left and self.target.meets(facts)

    def whole(self, name: str) -> int:
        return cast(int, self.values[name])

    def text(self, name: str) -> str:
        return cast(str, self.values[name])

    def told(self) -> dict[str, Any]:
        """Everything about it, for a report."""
        return {
            "id": self.number,
            "kind": self.kind,
            **self.target.told(),
            **self.values,
            "rate_bps": self.rate_bps,
            "times": self.times,
            "seed": self.seed,
            "struck": self.struck,
        }
