"""`/admin/clock`: what time it is at the venue, how fast it runs, and jumps; how far it is off."""

from __future__ import annotations

from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.venue.clock import Clock, VirtualClock

FASTEST = 1_000_000
FARTHEST_MS = 400 * 86_400_000


class BadClock(ValueError):
    """A wish that the clock cannot fulfil; the text is for whoever asked."""


class ClockAdmin:
    """POST takes `advance_ms`, `speed` (both of a virtual clock) and `off_ms`, which shifts what the venue believes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def routes(self) -> list[Route]:
        return [Route("/admin/clock", self.show), Route("/admin/clock", self.change, methods=["POST"])]

    async def show(self, _: Request) -> Response:
        return JSONResponse(self._told())

    async def change(self, request: Request) -> Response:
        try:
            await self._change(await request.body())
        except BadClock as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(self._told())

    async def _change(self, raw: bytes) -> None:
        wanted = _body(raw)
        off_ms, speed, ms = (
            _number(wanted, "off_ms", -FARTHEST_MS),
            _number(wanted, "speed"),
            _number(wanted, "advance_ms"),
        )
        if off_ms is not None:
            self._clock.off_ms = int(off_ms)
        if speed is None and ms is None:
            return
        if not isinstance(self._clock, VirtualClock):
            raise BadClock("the venue keeps the machine's time; start it with --clock virtual")
        if speed is not None:
            self._clock.speed = speed
        if ms is not None:
            await self._clock.advance(int(ms))

    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = {"now_ms": self._clock.now_ms(), "off_ms": self._clock.off_ms, "virtual": False}
        if isinstance(self._clock, VirtualClock):
            told |= {"virtual": True, "speed": self._clock.speed}
        return told


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = cast(object, orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise BadClock("expected a JSON object") from error
    if not isinstance(body, dict):
        raise BadClock("expected a JSON object")
    found = cast(dict[str, Any], body)
    if unknown := sorted(set(found) - _LIMITS.keys()):
        raise BadClock(f"{unknown[0]}: expected one of {', '.join(_LIMITS)}")
    return found


_LIMITS = {"off_ms": FARTHEST_MS, "speed": FASTEST, "advance_ms": FARTHEST_MS}


def _number(body: dict[str, Any], name: str, least: int = 0) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= _LIMITS[name]:
        raise BadClock(f"{name}: expected a number from {least} to {_LIMITS[name]}")
    return value
