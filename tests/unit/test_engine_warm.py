"""Facts that are read ahead: how long one is kept, and one of which something is missing."""

from datetime import timedelta

from services.engine.warm import Warm
from tests.still_clock import TestClock


class Fact:
    """What is read, and when it was."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.known = False
        self.read_at: list[float] = []
        self._began = self.clock.monotonic()

    async def read(self) -> bool:
        self.read_at.append(round(self.clock.monotonic() - self._began, 1))
        return self.known

    async def asked_for(self, warm: Warm[bool], seconds: float) -> None:
        """Somebody asks ten times a second."""
        for _ in range(round(seconds * 10)):
            await warm.get()
            self.clock.jump(0.1)


async def test_a_fact_that_is_not_known_is_asked_for_again_soon_and_then_ever_more_seldom() -> None:
    fact = Fact()
    warm = Warm(fact.read, timedelta(seconds=5), fact.clock, bool)

    await fact.asked_for(warm, 20)

    pauses = [round(after - before, 1) for before, after in zip(fact.read_at, fact.read_at[1:], strict=False)]
    assert all(abs(pause - due) <= 0.11 for pause, due in zip(pauses, (0.5, 1, 2, 4, 5, 5), strict=False)), pauses
    assert len(pauses) >= 5


async def test_a_fact_that_is_known_is_kept_and_one_failure_later_is_asked_for_soon_again() -> None:
    fact = Fact()
    warm = Warm(fact.read, timedelta(seconds=5), fact.clock, bool)
    await fact.asked_for(warm, 3)
    fact.known = True
    await fact.asked_for(warm, 6)
    known_at = fact.read_at[-1]
    fact.known = False

    await fact.asked_for(warm, 6)

    assert 2 < known_at < 9
    assert fact.read_at[-2] - known_at > 4.9
    assert fact.read_at[-1] - fact.read_at[-2] < 0.65
