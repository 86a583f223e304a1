"""The breaker between the engine and the venue: it counts transport faults, and holds new work until a read gets through."""

from services.common.domain.intent import Outcome
from services.common.ports.clock import Clock

TROUBLE = 3
COOL_S = 1.0


class Breaker:
    """Opens after faults in a row. Open means that nothing new is claimed; it never fails what is under way."""

    def __init__(self, clock: Clock, trouble: int = TROUBLE, cool_s: float = COOL_S) -> None:
        self._clock = clock
        self._trouble = trouble
        self._cool_s = cool_s
        self._faults = 0
        self._opened_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self._opened_at is not None

    def sent(self, outcome: Outcome) -> None:
        """An order was sent: anything but an answer is a fault of the transport."""
        if outcome in {Outcome.UNKNOWN, Outcome.NOT_SENT}:
            self.fault()
        else:
            self._faults = 0

    def fault(self) -> None:
        """A call did not get through."""
        self._faults += 1
        if self._faults >= self._trouble:
            self._opened_at = self._clock.monotonic()

    def read(self) -> None:
        """A read got through: half-open after a while, and closed by it."""
        if self._opened_at is None or self._clock.monotonic() - self._opened_at >= self._cool_s:
            self._opened_at = None
            self._faults = 0
