"""A process that can be killed or frozen between any two effects, and the wires that its effects go through."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from random import Random
from typing import Any

from services.common.ports.chain import ChainUnavailable
from services.common.ports.stores import StoreUnavailable
from services.common.ports.venue import VenueUnavailable
from services.common.store.memory import MemoryStores
from tests.simulation.virtual_time import SimClock
from tests.simulation.weather import Weather

AWAY: dict[str, Callable[[], Exception]] = {
    "store": lambda: StoreUnavailable("simulated"),
    "venue": lambda: VenueUnavailable("simulated"),
    "chain": lambda: ChainUnavailable("simulated"),
}
CALM_S = 0.002
OURS = (
    "copies",
    "accounts",
    "follows",
    "leaders",
    "exits",
    "close_requests",
    "positions",
    "results",
    "leases",
    "trades",
)


class Process:
    """Tasks that share one fate. What is dead gets no further than its next effect or timer, like a process after SIGKILL."""

    def __init__(self, name: str, weather: Weather) -> None:
        self.name = name
        self.weather = weather
        self.alive = True
        self.skew_s = weather.skew_s(weather.dice(name, "clock"))
        self._frozen_until = 0.0
        self._tasks: list[asyncio.Task[Any]] = []
        self.died = asyncio.Event()

    def dice(self, purpose: str) -> Random:
        return self.weather.dice(self.name, purpose)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks.append(asyncio.create_task(work))

    def kill(self) -> None:
        self.alive = False
        self.died.set()
        for task in self._tasks:
            task.cancel()

    def freeze(self, seconds: float) -> None:
        self._frozen_until = max(self._frozen_until, asyncio.get_running_loop().time() + seconds)

    async def thawed(self) -> None:
        """Come through here before and after everything that others can see."""
        loop = asyncio.get_running_loop()
        while self.alive and (left_s := self._frozen_until - loop.time()) > 0:  # noqa: ASYNC110  it may be lengthened
            await asyncio.sleep(left_s)
        if not self.alive:
            await asyncio.Event().wait()

    async def risk(self, dice: Random) -> None:
        """A place where the process may die or freeze."""
        if self.weather.strikes(self.weather.crash, dice):
            self.kill()
        elif self.weather.strikes(self.weather.stall, dice):
            self.freeze(self.weather.stall_s(dice))
        await self.thawed()


class ProcessClock(SimClock):
    """The clock of one process: its timers do not go off while it is frozen, nor ever once it is dead; until somebody has set it right,
    it may be off."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.dice("salt"))
        self._process = process

    def now(self) -> datetime:
        skew_s = self._process.skew_s
        return super().now() + timedelta(seconds=skew_s) if skew_s and self._process.weather.foul else super().now()

    async def sleep(self, duration: timedelta) -> None:
        await super().sleep(duration)
        await self._process.thawed()


class Wire:
    """A port as one process reaches it. A write that fails may have been applied all the same."""

    def __init__(self, process: Process, port: object, kind: str, chance: float) -> None:
        self._process = process
        self._port = port
        self._kind = kind
        self._chance = chance

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._port, name)
        if inspect.iscoroutinefunction(member):
            member = self._wired(member, f"{type(self._port).__name__}.{name}")
        # The next one who asks finds it at once.
        setattr(self, name, member)
        return member

    def _wired(self, member: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Awaitable[Any]]:
        process, dice = self._process, None

        async def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal dice
            if not process.weather.foul:
                await asyncio.sleep(CALM_S)
                await process.thawed()
                return await member(*args, **kwargs)
            dice = dice or process.dice(name)
            return await self._in_foul_weather(lambda: member(*args, **kwargs), dice)

        return call

    async def _in_foul_weather(self, effect: Callable[[], Awaitable[Any]], dice: Random) -> Any:
        process, weather = self._process, self._process.weather
        await process.risk(dice)
        fails, applied = weather.strikes(self._chance, dice), dice.random() < 0.5
        await asyncio.sleep(dice.uniform(0.0005, 0.004))
        if fails and not applied:
            raise AWAY[self._kind]()
        answer = await effect()
        await asyncio.sleep(dice.uniform(0.0005, 0.004))
        await process.risk(dice)
        if fails:
            raise AWAY[self._kind]()
        return answer


class WiredStores:
    """`Stores` as one process reaches them."""

    def __init__(self, process: Process, stores: MemoryStores) -> None:
        self._own = Wire(process, stores, "store", process.weather.database)
        for name in OURS:
            setattr(self, name, Wire(process, getattr(stores, name), "store", process.weather.database))

    async def now(self) -> datetime:
        return await self._own.now()

    async def ping(self) -> None:
        await self._own.ping()
