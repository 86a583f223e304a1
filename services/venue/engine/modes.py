"""How the engine takes orders: as always, only some, or none, by command and by a script of times (venue.md 8)."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from services.venue import refusals
from services.venue.engine.agenda import Agenda
from services.venue.engine.bulletin import Bulletin
from services.venue.events import ModeEvent
from services.venue.model import PostedOrder

# How long post-only lasts where no script says when it ends.
POST_ONLY_S = 120


class Mode(StrEnum):
    NORMAL = "normal"
    RESTARTING = "restarting"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """The mode from that time on, in milliseconds since 1970."""

    at_ms: int
    mode: Mode


class Modes:
    """The mode of now, and those to come. `turn` tells of a change when its time has come."""

    def __init__(self, agenda: Agenda, bulletin: Bulletin) -> None:
        self._agenda = agenda
        self._bulletin = bulletin
        self._now: Callable[[], int] = bulletin.now_ms
        self._mode = Mode.NORMAL
        self._coming: list[Change] = []

    @property
    def mode(self) -> Mode:
        self.turn()
        return self._mode

    @property
    def coming(self) -> tuple[Change, ...]:
        """What the script still holds."""
        return tuple(self._coming)

    def play(self, changes: Iterable[Change]) -> None:
        """Forget the old script, and change at these times."""
        self._coming = []
        for change in changes:
            insort(self._coming, change)
            self._agenda.at(change.at_ms, self.turn)
        self.turn()

    def turn(self) -> None:
        """Take on what is due."""
        while self._coming and self._coming[0].at_ms <= self._now():
            self._change(self._coming.pop(0).mode)

    def check_order(self, posted: PostedOrder) -> None:
        """Raises what this order has to hear in the mode of now."""
        mode = self.mode
        if mode is Mode.CANCEL_ONLY:
            raise refusals.cancel_only()
        if mode is Mode.POST_ONLY and not posted.post_only:
            raise refusals.post_only_mode(self._seconds_left())
        self.check_request()

    def check_request(self) -> None:
        """Raises what every request about orders has to hear, cancels included."""
        mode = self.mode
        if mode is Mode.RESTARTING:
            raise refusals.restarting()
        if mode is Mode.DISABLED:
            raise refusals.disabled()

    def _seconds_left(self) -> int:
        return -(-(self._coming[0].at_ms - self._now()) // 1000) if self._coming else POST_ONLY_S

    def _change(self, mode: Mode) -> None:
        if mode is not self._mode:
            self._mode = mode
            self._bulletin.tell(ModeEvent(str(mode), self._now()))
