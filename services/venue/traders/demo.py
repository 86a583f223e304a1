"""The `demo` script: forty seconds of three leaders, drawn from a seed."""

from __future__ import annotations

from random import Random

from services.venue.model import Side
from services.venue.traders.steps import Action, Rest, Step, Take

MARKETS = 6
SHARE = 1_000_000
# The markets in which a careful follower copies nothing: one is priced at the rim, one trade is too small.
RIM = 5
CHEAP = 4
JITTER_MS = 120
WHOLE_BPS = 10_000

YES, NO = 0, 1
ONE, TWO, THREE = "leader-1", "leader-2", "leader-3"


def demo(seed: int) -> tuple[Step, ...]:
    """The same seed gives the same steps. Every leader trades in several markets, buys first, and sells what it holds."""
    scenes = _Scenes(Random(f"demo {seed}"))
    scenes.burst(0, ONE, 0, YES, orders=5)
    scenes.buy(2_600, TWO, 1, NO)
    scenes.buy(3_300, THREE, 2, YES)
    scenes.buy(4_800, TWO, 2, NO, levels=3)
    scenes.rest(6_500, THREE, 3, YES, Side.BUY, orders=5)
    scenes.buy(8_800, THREE, 1, YES)
    scenes.buy(9_100, THREE, CHEAP, YES)
    scenes.buy(9_400, THREE, 0, NO)
    scenes.buy(11_000, ONE, 2, YES)
    scenes.buy(11_700, ONE, CHEAP, NO)
    scenes.dust(13_000, TWO, CHEAP, YES)
    scenes.sell(14_200, ONE, 0, YES, bps=1_000)
    scenes.buy(15_500, TWO, RIM, YES)
    scenes.buy(16_200, ONE, 0, YES)
    scenes.sell(16_800, THREE, 3, YES, bps=5_000)
    scenes.burst(18_200, TWO, 3, NO, orders=4)
    scenes.buy(20_800, ONE, 1, YES, levels=3)
    scenes.sell(22_600, TWO, 2, NO, bps=5_000)
    scenes.buy(23_200, ONE, CHEAP, NO)
    scenes.rest(24_000, THREE, 3, YES, Side.SELL, orders=2)
    scenes.sell(25_800, TWO, 3, NO, bps=WHOLE_BPS)
    scenes.buy(26_600, ONE, 1, YES)
    scenes.sell(27_200, ONE, 0, YES, bps=5_000)
    scenes.sell(28_600, THREE, 1, YES, bps=1_000)
    scenes.buy(29_000, TWO, 2, NO)
    scenes.burst(30_000, ONE, 3, NO, orders=3)
    scenes.buy(32_200, THREE, 2, YES, levels=2)
    scenes.sell(33_600, TWO, 1, NO, bps=WHOLE_BPS)
    scenes.sell(34_800, THREE, CHEAP, YES, bps=WHOLE_BPS)
    scenes.buy(35_200, THREE, 0, NO)
    scenes.sell(36_000, ONE, 0, YES, bps=WHOLE_BPS)
    scenes.sell(37_200, TWO, 2, NO, bps=WHOLE_BPS)
    scenes.buy(37_600, TWO, 1, NO)
    return tuple(sorted(scenes.steps, key=lambda step: step.at_ms))


class _Scenes:
    """Collects steps; sizes and small delays come from the random source, in the order of the calls."""

    def __init__(self, random: Random) -> None:
        self.steps: list[Step] = []
        self._random = random

    def burst(self, at_ms: int, trader: str, market: int, outcome: int, *, orders: int) -> None:
        """Several takers within one second."""
        for number in range(orders):
            self.buy(at_ms + number * 800 // orders, trader, market, outcome)

    def buy(self, at_ms: int, trader: str, market: int, outcome: int, *, levels: int = 1) -> None:
        shares = self._shares(80, 160) * levels * (2 if levels > 1 else 1)
        self._add(at_ms, Take(trader, market, outcome, Side.BUY, shares_micros=shares, levels=levels))

    def sell(self, at_ms: int, trader: str, market: int, outcome: int, *, bps: int) -> None:
        self._add(at_ms, Take(trader, market, outcome, Side.SELL, fraction_bps=bps, levels=4))

    def rest(self, at_ms: int, trader: str, market: int, outcome: int, side: Side, *, orders: int) -> None:
        low, high = (80, 130) if side is Side.BUY else (50, 80)
        sizes = tuple(self._shares(low, high) for _ in range(orders))
        self._add(at_ms, Rest(trader, market, outcome, side, sizes))

    def dust(self, at_ms: int, trader: str, market: int, outcome: int) -> None:
        self._add(at_ms, Rest(trader, market, outcome, Side.BUY, (5 * SHARE,)))

    def _shares(self, low: int, high: int) -> int:
        return self._random.randrange(low, high + 1, 10) * SHARE

    def _add(self, at_ms: int, action: Action) -> None:
        self.steps.append(Step(at_ms + self._random.randrange(JITTER_MS), action))
