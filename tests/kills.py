"""Killing and freezing the processes of a mesh at their crash points, and what has to hold afterwards."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from services.cli.child import Child
from services.common.domain.copy import Copy
from services.common.domain.lifecycle import Actor, CopyState
from tests.kill_scenarios import GIVEN_UP, SCENARIOS, Scenario
from tests.kill_scene import LEASE, PATIENT, Scene, now
from tests.mesh import eventually
from tests.patience import PATIENT_S

NIGHTLY = 25
ROUNDS = [
    1,
    *(
        pytest.param(number, marks=[pytest.mark.nightly, pytest.mark.xdist_group(f"round {number}")])
        for number in range(2, NIGHTLY + 1)
    ),
]
"""Once with every run of the tests, 25 times a night; each round on a mesh of its own."""

SLOWER = 3
"""How many times slower a machine may be that runs other tests meanwhile."""


async def kill(at: Scene, point: str) -> float:
    """A process is killed at `point` and started again. Its copy moves on within twice the lease, and has one order.

    Gives how long that took from when its process was well, in seconds; zero where nothing was surely left to do.
    """
    async with _struck(at, point) as scenario:
        child = at.child(scenario.service)
        async with _armed(at, scenario):
            order = await scenario.act(at, lambda: at.arm(point))
            async with asyncio.timeout(PATIENT_S):
                assert await child.wait() == -signal.SIGKILL
        died = now()
        await at.running.start(scenario.service)
        well = now()
        await scenario.then(at, order)
        copy = await at.over(order, scenario.ends)
        await one_order(at, scenario, copy)
    return _recovered_s(at, copy, scenario, died, well)


async def freeze(at: Scene, point: str) -> float:
    """A process stands still at `point` beyond its lease; another takes over. What the first does when it wakes changes nothing.

    Gives how long the other took, in seconds; zero where nothing was surely left to do, or nobody might.
    """
    async with _struck(at, point) as scenario:
        frozen, spare = at.child(scenario.service), await at.spare(scenario.service)
        async with _armed(at, scenario):
            order = await scenario.act(at, lambda: at.arm(f"{point}:1:stop"))
            await eventually(_standing(frozen))
        stood = now()
        spare.send(signal.SIGCONT)
        try:
            before = None if scenario.held else await _taken_over(at, scenario, order)
            await asyncio.sleep(max((stood + LEASE * 1.2 - now()).total_seconds(), 0))
        finally:
            frozen.send(signal.SIGCONT)
        await _awake(at, scenario)
        if before is None:
            before = await _taken_over(at, scenario, order)
        spare.send(signal.SIGSTOP)
        after = await at.over(order, scenario.ends)
        assert after.order_hashes == before.order_hashes, told(after)
        await one_order(at, scenario, after)
    return 0.0 if scenario.held else _recovered_s(at, before, scenario, stood, stood)


@asynccontextmanager
async def _struck(at: Scene, point: str) -> AsyncIterator[Scenario]:
    scenario = SCENARIOS[point]
    try:
        yield scenario
    finally:
        await at.running.stack.admin.no_faults()
        if scenario.ends == GIVEN_UP:
            await at.lifetime(PATIENT)


@asynccontextmanager
async def _armed(at: Scene, scenario: Scenario) -> AsyncIterator[None]:
    """Until the process is struck; faults of the venue end with it, unless the order shall never arrive."""
    try:
        yield
    finally:
        at.disarm()
        if scenario.ends != GIVEN_UP:
            await at.running.stack.admin.no_faults()


async def _taken_over(at: Scene, scenario: Scenario, order: str) -> Copy:
    await scenario.then(at, order)
    return await at.over(order, scenario.ends)


async def _awake(at: Scene, scenario: Scenario) -> None:
    """The process that stood still has done what it was about; one that was about to end is started again."""
    if scenario.ending:
        assert await at.child(scenario.service).wait() == 0
        await at.running.start(scenario.service)
    else:
        await asyncio.sleep(LEASE.total_seconds() / 2)


async def one_order(at: Scene, scenario: Scenario, copy: Copy) -> None:
    """It came to what it may, and the venue took at most one order for it, and filled at most one."""
    log = await at.running.log()
    orders = [log.orders[known] for known in copy.order_hashes if known in log.orders]
    assert copy.state in scenario.ends, told(copy)
    assert len([order for order in orders if order.accepted]) <= 1
    assert len([order for order in orders if order.shares_micros]) <= 1
    if scenario.ends == GIVEN_UP:
        at.given_up.add(copy.trade.order_hash)
        assert copy.needs_review
        assert await at.running.stores.copies.acknowledge(copy.copy_id, "tests", "never arrived", now()) is not None


async def all_of_it(at: Scene) -> dict[str, int]:
    """At rest nothing is double, lost or different from the venue's log and the chain; each copy has come to what it may."""
    found = await at.running.at_rest()

    assert (found["problems"], found["open"]) == ([], 0)
    assert (found["duplicates"], found["lost"], found["discrepancies"]) == (0, 0, 0)
    assert found["failed"] == len(at.given_up)
    for copy in (await at.running.books()).trades:
        wanted = CopyState.FAILED if copy.trade.order_hash in at.given_up else CopyState.RECONCILED
        assert copy.state is wanted, told(copy)
    return {name: found[name] for name in ("leader_trades", "duplicates", "lost", "discrepancies")}


def moves_of(copy: Copy, service: str, after: datetime) -> list[datetime]:
    """When a service did something to the copy after a moment."""
    return [entry.at for entry in copy.trail if entry.actor == Actor(service) and entry.at > after]


def told(copy: Copy) -> str:
    """What became of a copy, for whoever reads why a test failed."""
    attempts = [(one.number, str(one.outcome), one.code) for intent in copy.intents for one in intent.attempts]
    trail = [(f"{entry.at:%H:%M:%S.%f}", entry.actor, entry.action) for entry in copy.trail]
    return f"{copy.kind} {copy.state} {copy.skip_reason or copy.failure}: {attempts} {trail}"


def _recovered_s(at: Scene, copy: Copy, scenario: Scenario, struck: datetime, well: datetime) -> float:
    """How long after it could the copy moved on: held to what its scenario allows."""
    moves = moves_of(copy, scenario.service, struck)
    assert moves or not scenario.leaves, told(copy)
    took = moves[0] - _due(copy, well, scenario) if moves else LEASE * 0
    assert took <= scenario.within * (1 if at.strict else SLOWER), told(copy)
    return max(took.total_seconds(), 0.0)


def _due(copy: Copy, well: datetime, scenario: Scenario) -> datetime:
    """When whoever takes over could begin: with a trade that is there, and of an order that is given up not before its time."""
    given_up = scenario.ends == GIVEN_UP and copy.intent is not None
    return max(well, copy.detected_at, copy.intent.deadline_at if given_up and copy.intent else well)


def _standing(child: Child) -> Callable[[], Awaitable[bool]]:
    async def standing() -> bool:
        return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    return standing
