"""Ending orders that are good till a date, at their second and without looking in between."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress

from services.venue.clock import Clock
from services.venue.events import Event, OrderEvent
from services.venue.model import OrderType
from services.venue.refusals import GTD_AHEAD_S


class Expiry:
    """Subscribe `hear` to the exchange; `run` calls `expire` whenever an order's time is over, until cancelled."""

    def __init__(self, clock: Clock, expire: Callable[[], None]) -> None:
        self._clock = clock
        self._expire = expire
        self._ends: list[int] = []
        self._known: set[int] = set()
        self._sooner = asyncio.Event()

    def hear(self, event: Event) -> None:
        """Remembers when each such order stops, which is a while before the time that it names."""
        if (
            isinstance(event, OrderEvent)
            and event.kind == "PLACEMENT"
            and event.order.posted.order_type is OrderType.GTD
        ):
            end = event.order.posted.expiration - GTD_AHEAD_S
            if end not in self._known:
                self._known.add(end)
                heapq.heappush(self._ends, end)
                self._sooner.set()

    async def run(self) -> None:
        while True:
            self._sooner.clear()
            if not self._ends:
                await self._sooner.wait()
            elif (left_ms := self._ends[0] * 1_000 - self._clock.now_ms()) > 0:
                with suppress(TimeoutError):
                    async with self._clock.timeout(left_ms / 1_000):
                        await self._sooner.wait()
            else:
                self._known.remove(heapq.heappop(self._ends))
                self._expire()
