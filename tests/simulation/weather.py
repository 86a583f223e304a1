"""What goes wrong in one run, and how often: drawn from its seed, over before its end."""

import asyncio
from dataclasses import dataclass, field, replace
from random import Random

FAULTS_END_S = 40.0
LEASE_S = 5.0
LONGEST_STALL_S = 3 * LEASE_S
KINDS = (
    ("lost", 0.2),
    ("late", 0.4),
    ("answer_lost", 0.6),
    ("broken_after", 0.75),
    ("broken_before", 0.9),
    ("refused", 1),
)
"""What becomes of an order on its way, with the bounds of each kind's part of what goes wrong."""
TOLD = (("never", 0.2), ("late", 0.4), ("twice", 0.8), ("both", 1))
"""What becomes of a frame of the account's own channel."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances of each effect, in [0, 1]. Whoever asks after `FAULTS_END_S` is answered that nothing goes wrong.

    - `crash`, `stall`: of a process, at each of its effects. `database`, `network`, `reads`: that a write, an order, a look-up fails.
    - `has_channel`: whether there is a user channel at all; `channel`: that a frame of it is late, told twice, or never.
    - `signer`: that the signer refuses; above zero it is away for a while, too.
    - `clocks`: how far the processes' clocks are off, in seconds at most. `reorgs`: that a leader's trade is taken back;
      `undoings`: that a settlement of ours is.
    - `long_stop`: whether the account is stopped for longer than it takes to tell what was taken back for good.
    """

    seed: int
    random: Random = field(repr=False)
    crash: float = 0
    stall: float = 0
    database: float = 0
    network: float = 0
    reads: float = 0
    has_channel: bool = False
    channel: float = 0
    signer: float = 0
    clocks: float = 0
    reorgs: float = 0
    undoings: float = 0
    long_stop: bool = False

    @staticmethod
    def drawn(seed: int, random: Random) -> "Weather":
        made = Weather(
            seed,
            random,
            crash=random.choice([0, 0.001, 0.004, 0.01]),
            stall=random.choice([0, 0.0005, 0.002]),
            database=random.choice([0, 0.005, 0.02]),
            network=random.choice([0, 0.1, 0.3, 0.6]),
            reads=random.choice([0, 0.02, 0.1]),
            has_channel=random.random() < 0.5,
            channel=random.choice([0, 0.1, 0.6]),
            signer=random.choice([0, 0, 0.1]),
            clocks=random.choice([0, 0, 1.5, 1.5, 120]),
            reorgs=random.choice([0, 0, 0.3]),
        )
        long_stop = made.reorgs > 0 and made.dice("long stop").random() < 0.2
        return replace(
            made,
            reorgs=0.8 if long_stop else made.reorgs,
            undoings=made.dice("undoings").choice([0, 0, 0, 0, 0.7]),
            long_stop=long_stop,
        )

    def dice(self, *name: object) -> Random:
        """The dice of one purpose: what is thrown for another does not move them, so that a change of the code leaves most of a run alone."""
        return Random(f"{self.seed} {name}")

    @property
    def foul(self) -> bool:
        return asyncio.get_running_loop().time() < FAULTS_END_S

    def strikes(self, chance: float, dice: Random) -> bool:
        return chance > 0 and self.foul and dice.random() < chance

    def stall_s(self, dice: Random) -> float:
        """Longer than a lease, more often than not."""
        return dice.uniform(1.0, LONGEST_STALL_S)

    def network_kind(self, dice: Random) -> str:
        """What becomes of an order on its way: `whole` where nothing goes wrong."""
        x = dice.random() if self.foul else 1.0
        return next((kind for kind, bound in KINDS if x < self.network * bound), "whole")

    def told_kind(self, dice: Random) -> str:
        """What becomes of a frame of the user channel: `once` where nothing goes wrong."""
        x = dice.random() if self.foul else 1.0
        return next((kind for kind, bound in TOLD if x < self.channel * bound), "once")

    def skew_s(self, dice: Random) -> float:
        """How far the clock of a process is off."""
        return dice.choice([0, dice.uniform(-1, 1)]) * self.clocks
