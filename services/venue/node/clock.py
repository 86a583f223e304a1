"""What time the blocks say it is."""

from __future__ import annotations

from collections.abc import Callable


class BlockClock:
    """A clock in seconds that can be set, and then goes on from there."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._offset = 0.0

    def seconds(self) -> int:
        return int(self._now() + self._offset)

    def set(self, timestamp: int) -> None:
        self._offset = timestamp - self._now()

    def shift(self, seconds: int) -> int:
        """Moves it, back too; by how much it is off the real time now."""
        self._offset += seconds
        return int(self._offset)
