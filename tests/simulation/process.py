"""A process that can be killed or frozen between any two effects, and the wires that its effects go through."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
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
OURS = ("copies", "accounts", "follows", "leaders", "exits", "close_requests", "positions", "results", "leases")


class Process:
    """Tasks that share one fate. What is dead gets no further than its next effect or timer, like a process after SIGKILL."""

    def __init__(self, name: str, weather: Weather) -> None:
        self.name = name
        self.weather = weather
        self.alive = True
        self._frozen_until = 0.0
        self._tasks: list[asyncio.Task[Any]] = []
        self.died = asyncio.Event()

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

    async def risk(self) -> None:
        """A place where the process may die or freeze."""
        if self.weather.strikes(self.weather.crash):
            self.kill()
        elif self.weather.strikes(self.weather.stall):
            self.freeze(self.weather.stall_s())
        await self.thawed()


class ProcessClock(SimClock):
    """The clock of one process: its timers do not go off while it is frozen, nor ever once it is dead."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.weather.random)
        self._process = process

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
        if not inspect.iscoroutinefunction(member):
            return member

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._call(lambda: member(*args, **kwargs))

        return call

    async def _call(self, effect: Callable[[], Awaitable[Any]]) -> Any:
        weather = self._process.weather
        if not weather.foul:
            await asyncio.sleep(0.002)
            await self._process.thawed()
            return await effect()
        await self._process.risk()
        fails, applied = weather.strikes(self._chance), weather.random.random() < 0.5
        await asyncio.sleep(weather.random.uniform(0.0005, 0.004))
        if fails and not applied:
            raise AWAY[self._kind]()
        answer = await effect()
        await asyncio.sleep(weather.random.uniform(0.0005, 0.004))
        await self._process.risk()
        if fails:
            raise AWAY[self._kind]()
        return answer


class WiredStores:
    """`Stores` as one process reaches them."""

    def __init__(self, process: Process, stores: MemoryStores) -> None:
        self._own = Wire(process, stores, "store", process.weather.database)
        for name in OURS:
            setattr(self, name, Wire(process, getattr(stores, name), "store", process.weather.database))
        # No reorg moves a trade here: to find none is no matter of luck.
        self.trades = stores.trades

    async def now(self) -> datetime:
        return await self._own.now()

    async def ping(self) -> None:
        await self._own.ping()
