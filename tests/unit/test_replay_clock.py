"""Virtual time: waiting costs nothing, order depends on nothing but time, and a deadlock is an error."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.cli.replay.clock import Stalled, VirtualClock, VirtualLoop

START = datetime(2026, 3, 25, 7, 30, tzinfo=UTC)


def run(work):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def test_ten_years_pass_at_once_and_exactly():
    async def work():
        clock = VirtualClock(START)
        await clock.sleep(timedelta(days=365, milliseconds=7))
        await clock.sleep_until(START + timedelta(days=3_660))
        await clock.sleep_until(START)
        return clock.now()

    assert run(work()) == START + timedelta(days=3_660)


def test_timers_fire_in_the_order_of_their_time():
    async def work():
        heard = []

        async def after(seconds):
            await asyncio.sleep(seconds)
            heard.append(seconds)

        await asyncio.gather(*(after(seconds) for seconds in (5, 1, 3, 2, 4)))
        return heard

    assert run(work()) == [1, 2, 3, 4, 5]


def test_a_timeout_is_virtual_too():
    async def work():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run(work()) == 3_600


def test_waiting_for_what_cannot_come_is_an_error():
    async def work():
        await asyncio.Event().wait()

    loop = VirtualLoop()
    try:
        with pytest.raises(Stalled):
            loop.run_until_complete(work())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def test_salts_count_up_and_time_is_whole_milliseconds():
    async def work():
        clock = VirtualClock(START)
        await asyncio.sleep(0.0014)
        return clock.now(), [clock.salt(), clock.salt()]

    assert run(work()) == (START + timedelta(milliseconds=1), [1, 2])
