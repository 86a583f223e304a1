"""The venue's virtual clock: who sleeps is woken in his order and at his time, and time stands while it is held."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.venue.clock import Clock, VirtualClock
from tests.patience import PATIENT_S

NOON_MS = 1_795_564_800_000
HOUR_MS = 3_600_000


@asynccontextmanager
async def flowing(clock: Clock) -> AsyncIterator[None]:
    running = asyncio.create_task(clock.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def woken(clock: Clock, seconds: float, heard: list[tuple[float, int]]) -> None:
    await clock.sleep(seconds)
    heard.append((seconds, clock.now_ms()))


async def test_a_jump_wakes_everybody_on_the_way_in_his_order_and_at_his_time() -> None:
    clock, heard = VirtualClock(NOON_MS, speed=0), list[tuple[float, int]]()
    sleepers = [asyncio.create_task(woken(clock, seconds, heard)) for seconds in (1_800, 0.25, 60, 7_200)]
    await asyncio.sleep(0)

    await clock.advance(HOUR_MS)

    assert heard == [(0.25, NOON_MS + 250), (60, NOON_MS + 60_000), (1_800, NOON_MS + 1_800_000)]
    assert clock.now_ms() == NOON_MS + HOUR_MS
    assert not sleepers[3].done()
    sleepers[3].cancel()


async def test_who_sleeps_again_and_again_is_woken_each_time_of_a_jump() -> None:
    clock, times = VirtualClock(NOON_MS, speed=0), list[int]()

    async def every_ten_minutes() -> None:
        while True:
            await clock.sleep(600)
            times.append(clock.now_ms() - NOON_MS)

    task = asyncio.create_task(every_ten_minutes())
    await asyncio.sleep(0)

    await clock.advance(HOUR_MS)

    assert times == [600_000 * number for number in range(1, 7)]
    task.cancel()


async def test_time_flows_as_fast_as_it_is_told() -> None:
    clock = VirtualClock(NOON_MS, speed=36_000)
    async with flowing(clock):
        began = time.monotonic()
        await clock.sleep(3_600)
        took = time.monotonic() - began

    assert 0.09 < took < PATIENT_S
    assert clock.now_ms() >= NOON_MS + HOUR_MS


async def test_time_that_stands_wakes_nobody_until_it_flows_again() -> None:
    clock = VirtualClock(NOON_MS, speed=0)
    async with flowing(clock):
        sleeper = asyncio.create_task(clock.sleep(1))
        await asyncio.sleep(0.02)
        assert not sleeper.done()
        assert clock.now_ms() == NOON_MS

        clock.speed = 1_000
        async with asyncio.timeout(PATIENT_S):
            await sleeper


async def test_what_holds_the_clock_takes_none_of_its_time() -> None:
    clock, seen = VirtualClock(NOON_MS, speed=0), list[int]()

    async def settles() -> None:
        await clock.sleep(60)
        with clock.held():
            await asyncio.sleep(0.03)
            seen.append(clock.now_ms())

    async def sleeps_longer() -> None:
        await clock.sleep(61)
        seen.append(clock.now_ms())

    tasks = [asyncio.create_task(settles()), asyncio.create_task(sleeps_longer())]
    await asyncio.sleep(0)

    await clock.advance(HOUR_MS)

    assert seen == [NOON_MS + 60_000, NOON_MS + 61_000]
    assert all(task.done() for task in tasks)


async def test_a_deadline_is_met_by_the_clock_and_not_by_the_machine() -> None:
    clock = VirtualClock(NOON_MS, speed=0)

    async def waits() -> None:
        async with clock.timeout(125):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(waits())
    await asyncio.sleep(0)
    await clock.advance(124_999)
    assert not waiting.done()

    await clock.advance(1)
    with pytest.raises(TimeoutError):
        await waiting


async def test_a_deadline_that_was_met_leaves_nothing_behind() -> None:
    clock = VirtualClock(NOON_MS, speed=0)
    async with clock.timeout(5):
        await asyncio.sleep(0)

    await clock.advance(HOUR_MS)


async def test_a_clock_can_be_off() -> None:
    clock = Clock()
    clock.off_ms = -HOUR_MS

    assert abs(clock.now_ms() - (time.time() * 1_000 - HOUR_MS)) < PATIENT_S * 1_000
