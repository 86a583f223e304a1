"""Takes the work of one account as it comes: exits first, as much at once as is allowed, and nothing while the gate is closed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.common.crashpoints import crashpoint
from services.common.domain.copy import Copy, CopyKind, CopyRef
from services.common.domain.lifecycle import CopyState
from services.common.loop import one_turn
from services.common.ports.chain import ChainUnavailable
from services.common.ports.clock import Clock
from services.common.ports.stores import Stores, StoreUnavailable
from services.common.ports.venue import VenueUnavailable
from services.engine import metrics
from services.engine.claims import Claim, held
from services.engine.debts import Debts
from services.engine.decider import Decider
from services.engine.executor import Executor
from services.engine.gate import Admission
from services.engine.gatekeeper import Gatekeeper
from services.engine.line import Line
from services.engine.lookout import Lookout
from services.engine.resolve import Resolver
from services.engine.snapshot import AccountGone, Around, Snapshot
from services.engine.timing import Timing

log = structlog.get_logger()

CONDITIONS = ("trading_state", "readiness", "clock", "chain", "version", "signer", "venue", "brakes")


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that works on one account."""

    account_id: str
    line: Line
    gatekeeper: Gatekeeper
    snapshot: Snapshot
    decider: Decider
    executor: Executor
    resolver: Resolver
    debts: Debts


class Worker:
    """One account's worker in one process; other processes may have theirs for the same account."""

    def __init__(self, desk: Desk, stores: Stores, lookout: Lookout, clock: Clock, timing: Timing, name: str) -> None:
        self.desk = desk
        self._stores = stores
        self._lookout = lookout
        self._clock = clock
        self._timing = timing
        self._name = name
        self._woken = asyncio.Event()
        self._stopping = False
        self._tasks: set[asyncio.Task[bool]] = set()
        self._readings: set[asyncio.Task[None]] = set()
        self._exits_seen: float | None = None
        self._exits_due = True
        self._left_out = False
        self._gauges = {name: metrics.GATE_CLOSED.labels(desk.account_id, name) for name in CONDITIONS}

    @property
    def tasks(self) -> frozenset[asyncio.Task[bool]]:
        """The work in hand, one task for each copy."""
        return frozenset(self._tasks)

    @property
    def lookout(self) -> Lookout:
        return self._lookout

    async def warm(self) -> None:
        """Read ahead what the next decisions will need."""
        await asyncio.gather(self._lookout.refresh(), self.desk.snapshot.refresh(), self.desk.gatekeeper.refresh())

    def expect(self, token_id: str) -> None:
        """There is work on this token."""
        self.wake()
        reading = asyncio.create_task(self._read_ahead(token_id))
        self._readings.add(reading)
        reading.add_done_callback(self._readings.discard)

    def wake(self) -> None:
        """There may be work."""
        self._woken.set()

    async def run(self) -> None:
        """Turn after turn, until `stop`."""
        while not self._stopping:
            self._woken.clear()
            await one_turn("worker", self.turn)
            await self._rest()

    async def stop(self) -> None:
        """Claim nothing more, and wait for what is in flight; untouched claims are given back by their own tasks."""
        self._stopping = True
        self.wake()
        crashpoint("mid_shutdown")
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._timing.drain.total_seconds())

    async def turn(self) -> None:
        """Claim whatever may be claimed, then see to the exits."""
        admission = await self.desk.gatekeeper.admission()
        self._tell(admission)
        self.desk.line.claiming = True
        try:
            while not self._stopping and self._has_room() and await self._take(admission):
                pass
        finally:
            self.desk.line.claiming = False
        if admission.fresh and self._exits_are_due():
            await self._see_to_exits()

    async def exhaust(self, is_work: Callable[[], bool]) -> None:
        """Turn after turn until there is nothing left to do at this instant; for a virtual clock, which only moves in between."""
        self.wake()
        while self._woken.is_set() and is_work():
            self._woken.clear()
            await one_turn("worker", self.turn)
            if self._tasks:
                # What they come to may make more possible.
                self.wake()
            await self.idle()

    async def idle(self) -> None:
        """Wait until nothing is in hand."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _has_room(self) -> bool:
        self._left_out = len(self._tasks) >= self._timing.at_once
        return not self._left_out

    async def _take(self, admission: Admission) -> bool:
        since, busy = self._clock.monotonic(), self.desk.line.busy_tokens
        self._left_out = bool(busy)
        crashpoint("before_claim")
        looks: dict[CopyRef, asyncio.Task[Around]] = {}
        copy = await self._stores.copies.claim(
            self.desk.account_id,
            self._name,
            self._timing.lease,
            fresh=admission.fresh,
            barred_leaders=admission.barred_leaders,
            barred_markets=admission.barred_markets,
            only_exits=admission.only_exits,
            busy_tokens=busy,
            in_hand=self.desk.line.entries,
            on_taken=lambda taken: self._look(taken, looks),
        )
        if copy is None:
            return False
        crashpoint("after_claim")
        if copy.state is not CopyState.EXECUTING:
            self.desk.line.take(copy)
        task = asyncio.create_task(one_turn("copy", lambda: self._work(copy, since, looks.get(copy.ref))))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, copy))
        return True

    def _look(self, copy: Copy, looks: dict[CopyRef, asyncio.Task[Around]]) -> None:
        if copy.state is not CopyState.EXECUTING and copy.kind is not CopyKind.DEBT:
            looks[copy.ref] = task = asyncio.create_task(self._around(copy))
            # What fails is told to whoever waits for it, and a copy that has to go back is not waited for.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _around(self, copy: Copy) -> Around:
        around, _ = await asyncio.gather(self.desk.snapshot.around(copy), self._prepare())
        return around

    async def _prepare(self) -> None:
        place, known = self.desk.line.place, self.desk.line.account
        account = await self.desk.snapshot.prepared(known)
        if known is None:
            self.desk.line.read(account, place)

    async def _read_ahead(self, token_id: str) -> None:
        try:
            await asyncio.gather(self.desk.snapshot.read_ahead(token_id), self._prepare())
        except (AccountGone, StoreUnavailable, VenueUnavailable):
            # The decision asks again, and says so.
            return

    def _done(self, task: asyncio.Task[bool], copy: Copy) -> None:
        self._tasks.discard(task)
        if self._left_out or copy.kind is not CopyKind.ENTRY:
            self.wake()

    async def _work(self, copy: Copy, since: float, look: asyncio.Task[Around] | None) -> None:
        try:
            async with held(self._stores.copies, copy, since, self._clock, self._timing) as claim:
                if copy.state is CopyState.EXECUTING:
                    await self.desk.resolver.resume(claim, copy)
                elif not await self.desk.line.reached(copy.ref):
                    await self._give_back(claim, "order")
                elif self._stopping:
                    await self._give_back(claim, "shutdown")
                else:
                    await self._begin(claim, copy, look)
        finally:
            self._leave(copy, decided=False)
        self._exits_due = self._exits_due or copy.kind is not CopyKind.ENTRY

    async def _begin(self, claim: Claim, copy: Copy, look: asyncio.Task[Around] | None) -> None:
        try:
            if look is None:
                await self.desk.debts.owe(claim, copy)
                self._leave(copy, decided=True)
                return
            chosen = await self.desk.decider.decide(claim, copy, look)
            self._leave(copy, decided=not (claim.given_back or claim.lost))
        except (VenueUnavailable, ChainUnavailable) as error:
            log.warning("fact_away", copy=copy.copy_id, error=type(error).__name__, text=str(error)[:200])
            await self._give_back(claim, type(error).__name__)
            return
        if chosen is not None and chosen.intent is not None:
            await self.desk.executor.send(claim, chosen, chosen.intent)

    def _leave(self, copy: Copy, *, decided: bool) -> None:
        if self.desk.line.leave(copy.ref, decided=decided) and self._left_out:
            self.wake()

    async def _give_back(self, claim: Claim, reason: str) -> None:
        crashpoint("mid_release")
        metrics.PUT_BACK.labels(reason).inc()
        await self._stores.copies.release(claim.ref, self._timing.sweep, self._lookout.now())

    def _exits_are_due(self) -> bool:
        now = self._clock.monotonic()
        rested = self._exits_seen is None or now - self._exits_seen >= self._timing.sweep.total_seconds()
        return self._exits_due or rested

    async def _see_to_exits(self) -> None:
        self._exits_due, self._exits_seen = False, self._clock.monotonic()
        account = await self._stores.accounts.get(self.desk.account_id)
        if account is None:
            raise StoreUnavailable(f"account {self.desk.account_id} is not stored")
        if await self.desk.debts.turn(account):
            self._exits_due = True
            self.wake()

    async def _rest(self) -> None:
        """Until someone wakes us, or it is time to sweep."""
        waits = {
            asyncio.ensure_future(self._woken.wait()),
            asyncio.ensure_future(self._clock.sleep(self._timing.sweep)),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _tell(self, admission: Admission) -> None:
        closed = {verdict.guard for verdict in admission.closed}
        for condition, gauge in self._gauges.items():
            gauge.set(condition in closed)
