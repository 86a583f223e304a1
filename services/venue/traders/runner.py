"""Playing a script against the clock, and knowing when all of it is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import structlog

from services.venue.background import watched
from services.venue.clock import Clock
from services.venue.traders.demo import demo
from services.venue.traders.steps import Action, Step

SCRIPTS: Mapping[str, Callable[[int], tuple[Step, ...]]] = {"demo": demo}
SETTLED_WITHIN_S = 60.0

log = structlog.get_logger(__name__)


class NotNow(Exception):
    """A script that cannot be started: unknown, or another one is playing."""


class State(StrEnum):
    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Placed:
    """One order that a trader has sent: what the exchange answered, and how much of it is matched at once."""

    trader: str
    order_hash: str
    matched_micros: int
    error: str = ""


class Acts(Protocol):
    """Who carries actions out: the desk."""

    async def act(self, action: Action) -> list[Placed]: ...

    def mined_micros(self, order_hash: str) -> int:
        """How many shares of the order are settled on chain."""
        ...

    async def next_fill(self) -> None:
        """Returns when anything more is mined."""
        ...


class Runner:
    """One script at a time. `note` writes a line of the journal."""

    def __init__(self, desk: Acts, seed: int, note: Callable[..., object], clock: Clock) -> None:
        self._desk = desk
        self._seed = seed
        self._note = note
        self._clock = clock
        self._state = State.IDLE
        self._name = ""
        self._steps: Sequence[Step] = ()
        self._played = 0
        self._speed = 1
        self._started_at_ms = 0
        self._ended_at_ms = 0
        self._placed: list[Placed] = []
        self._task: asyncio.Task[None] | None = None

    def start(self, name: str, *, delay_s: float = 0.0, speed: int = 1) -> None:
        """Begins after `delay_s`, and plays `speed` times as fast as written; raises NotNow."""
        if name not in SCRIPTS:
            raise NotNow(f"no script is called {name!r}; there are: {', '.join(SCRIPTS)}")
        if self._state is State.RUNNING:
            raise NotNow(f"{self._name!r} is playing")
        self._name, self._state, self._played = name, State.RUNNING, 0
        self._speed = max(speed, 1)
        self._steps = SCRIPTS[name](self._seed)
        self._placed = []
        self._started_at_ms = self._clock.now_ms() + int(delay_s * 1_000)
        self._ended_at_ms = 0
        self._task = watched(asyncio.create_task(self._play()), f"script {name}")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def report(self) -> dict[str, Any]:
        """Where the script is. `leader_orders` are those that were matched, `refused` those that were not taken."""
        return {
            "name": self._name,
            "state": str(self._state),
            "steps": len(self._steps),
            "played": self._played,
            "started_at_ms": self._started_at_ms,
            "ended_at_ms": self._ended_at_ms,
            "leader_orders": sum(one.matched_micros > 0 for one in self._leaders()),
            "unsettled": len(self._unsettled()),
            "refused": [f"{one.trader}: {one.error}" for one in self._placed if one.error],
        }

    async def _play(self) -> None:
        self._note("script_started", name=self._name, steps=len(self._steps))
        try:
            for step in self._steps:
                due_ms = self._started_at_ms + step.at_ms // self._speed
                await self._clock.sleep(max(0, due_ms - self._clock.now_ms()) / 1_000)
                await self._step(step)
            await self._settle()
        finally:
            self._state, self._ended_at_ms = State.DONE, self._clock.now_ms()
            self._note("script_done", **self.report())

    async def _step(self, step: Step) -> None:
        placed = await self._desk.act(step.action)
        for one in placed:
            if one.error:
                log.warning("a scripted order was refused", trader=one.trader, error=one.error)
        self._placed += placed
        self._played += 1

    async def _settle(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_WITHIN_S):
                while self._unsettled():
                    await self._desk.next_fill()

    def _unsettled(self) -> list[Placed]:
        return [one for one in self._placed if self._desk.mined_micros(one.order_hash) < one.matched_micros]

    def _leaders(self) -> list[Placed]:
        return [one for one in self._placed if one.trader.startswith("leader-")]
