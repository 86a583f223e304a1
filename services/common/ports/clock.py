"""The port of time and chance: production reads the machine, replay and simulation a virtual clock and a seed."""

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time (aware UTC), monotonic seconds, waiting, and the salt of an order."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, duration: timedelta) -> None: ...

    def salt(self) -> int:
        """A fresh order salt below 2^53 (it travels as a JSON number)."""
        ...
