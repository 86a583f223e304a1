"""The terms that an account has with the venue: what answers to its orders have said of the venue's mode, and what the venue says when asked."""

from datetime import timedelta

from services.common.domain.intent import Outcome
from services.common.polymarket.modes import Mode, mode_of
from services.common.ports.clock import Clock
from services.common.ports.venue import Answer, Clob, Permission, VenueUnavailable
from services.engine.warm import Warm

KEPT = timedelta(seconds=5)
ASKED_EVERY_S = 30.0
KNOWN_FOR_S = 600.0
"""How long an answer stands where the venue tells nothing new: it changes once in months."""

HOLDS_S = {
    Mode.RESTARTING: 15.0,
    Mode.POST_ONLY: 15.0,
    Mode.CANCEL_ONLY: 15.0,
    Mode.DISABLED: 15.0,
    Mode.GEOBLOCKED: 60.0,
    Mode.BANNED: 600.0,
    Mode.CLOSED_ONLY: 600.0,
}
"""How long a mode is believed in. Nothing tells when it ends but an order that is taken, so the next one is the probe."""


class Terms:
    """One account's terms. A mode ends with an order that the venue takes, or when it is time to try again."""

    def __init__(self, clob: Clob, clock: Clock) -> None:
        self._clob = clob
        self._clock = clock
        self._mode: tuple[float, Mode] | None = None
        self._asked = 0.0
        self._told: tuple[float, Permission] | None = None
        self.permission = Warm(self._ask, KEPT, clock)

    def answered(self, answer: Answer) -> None:
        """An order was sent, and this is what the venue said."""
        mode = mode_of(answer.http_status, answer.code)
        if mode is not None:
            self._mode = self._clock.monotonic(), mode
        elif answer.outcome is Outcome.ACKED:
            self._mode = None

    @property
    def mode(self) -> Mode | None:
        """The mode that orders have met lately."""
        if self._mode is None or self._clock.monotonic() - self._mode[0] > HOLDS_S[self._mode[1]]:
            return None
        return self._mode[1]

    async def holds(self) -> tuple[bool, str, bool | None]:
        """Whether orders are taken, why not where they are not, and whether only sales are; None is not known."""
        told, mode = await self.permission.get(), self.mode
        if told is not None and told.blocked:
            mode = Mode.GEOBLOCKED
        if mode is not None and mode is not Mode.CLOSED_ONLY:
            return False, mode, None if told is None else told.closed_only
        closed_only = None if told is None else told.closed_only or mode is Mode.CLOSED_ONLY
        return True, "", closed_only

    async def _ask(self) -> Permission | None:
        now = self._clock.monotonic()
        if self._told is not None and now - self._asked < ASKED_EVERY_S:
            return self._told[1]
        self._asked = now
        try:
            self._told = now, await self._clob.permission()
        except VenueUnavailable:
            if self._told is not None and now - self._told[0] > KNOWN_FOR_S:
                self._told = None
        return self._told[1] if self._told else None
