"""What goes wrong in one run, and how often: drawn from its seed, over before its end."""

import asyncio
from dataclasses import dataclass
from random import Random

FAULTS_END_S = 40.0
LEASE_S = 5.0


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances of each effect, in [0, 1]. Whoever asks after `FAULTS_END_S` is answered that nothing goes wrong."""

    random: Random
    crash: float
    stall: float
    database: float
    network: float
    reads: float

    @staticmethod
    def drawn(random: Random) -> "Weather":
        return Weather(
            random,
            crash=random.choice([0, 0.001, 0.004, 0.01]),
            stall=random.choice([0, 0.0005, 0.002]),
            database=random.choice([0, 0.005, 0.02]),
            network=random.choice([0, 0.1, 0.3, 0.6]),
            reads=random.choice([0, 0.02, 0.1]),
        )

    @property
    def foul(self) -> bool:
        return asyncio.get_running_loop().time() < FAULTS_END_S

    def strikes(self, chance: float) -> bool:
        return chance > 0 and self.foul and self.random.random() < chance

    def stall_s(self) -> float:
        """Longer than a lease, more often than not."""
        return self.random.uniform(1.0, 3 * LEASE_S)

    def network_kind(self) -> str:
        """What becomes of an order on its way: `whole` where nothing goes wrong."""
        x = self.random.random() if self.foul else 1.0
        bounds = [
            ("lost", 0.2),
            ("late", 0.4),
            ("answer_lost", 0.6),
            ("5xx_after", 0.75),
            ("5xx_before", 0.9),
            ("refused", 1),
        ]
        return next((kind for kind, bound in bounds if x < self.network * bound), "whole")
