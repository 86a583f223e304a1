"""`/admin/clock`: what time it is at the venue, how fast it runs, and jumps; how far it is off."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from services.venue.body import Body, asked
from services.venue.clob.answers import endpoint
from services.venue.clock import Clock, VirtualClock
from services.venue.faults.registry import Note
from services.venue.refusals import Refusal

FASTEST = 1_000_000
FARTHEST_MS = 400 * 86_400_000
LIMITS = {"off_ms": FARTHEST_MS, "speed": FASTEST, "advance_ms": FARTHEST_MS}


class ClockAdmin:
    """POST takes `advance_ms`, `speed` (both of a virtual clock) and `off_ms`, which shifts what the venue believes."""

    def __init__(self, clock: Clock, note: Note) -> None:
        self._clock = clock
        self._note = note

    def routes(self) -> list[Route]:
        return [
            Route("/admin/clock", endpoint(self.show)),
            Route("/admin/clock", endpoint(self.change), methods=["POST"]),
        ]

    async def show(self, _: Request) -> Any:
        return self._told()

    async def change(self, request: Request) -> Any:
        body = await asked(request, *LIMITS)
        off_ms, speed, ms = (
            _figure(body, "off_ms", -FARTHEST_MS),
            _figure(body, "speed"),
            _figure(body, "advance_ms"),
        )
        clock, virtual = self._clock, self._clock if isinstance(self._clock, VirtualClock) else None
        if virtual is None and not (speed is None and ms is None):
            raise Refusal("the venue keeps the machine's time; start it with --clock virtual")
        if off_ms is not None:
            clock.off_ms = int(off_ms)
        if virtual and speed is not None:
            virtual.speed = speed
        self._note("switched", name="clock", values=body)
        if virtual and ms is not None:
            await virtual.advance(int(ms))
        return self._told()

    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = {"now_ms": self._clock.now_ms(), "off_ms": self._clock.off_ms, "virtual": False}
        if isinstance(self._clock, VirtualClock):
            told |= {"virtual": True, "speed": self._clock.speed}
        return told


def _figure(body: Body, name: str, least: int = 0) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= LIMITS[name]:
        raise Refusal(f"{name}: expected a number from {least} to {LIMITS[name]}")
    return value
