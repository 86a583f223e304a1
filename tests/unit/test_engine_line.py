"""The order of copies in one process: the next of a token is ready while one is decided, and never overtakes it."""

import asyncio
from dataclasses import replace

import pytest

from services.common.domain.copy import CopyKind
from services.engine.line import MOST_PAUSES, PAUSE, Line
from tests.builders import TOKEN, a_copy
from tests.patience import PATIENT_S
from tests.still_clock import TestClock, settle

FIRST, SECOND, DEBT = a_copy(1), a_copy(2), a_copy(3, kind=CopyKind.DEBT)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def line(clock: TestClock) -> Line:
    return Line(clock)


@pytest.mark.parametrize("decided", [True, False], ids=["decided", "put back"])
async def test_the_next_copy_follows_the_one_before_only_if_that_was_decided(line: Line, decided: bool):
    line.take(FIRST)
    line.take(SECOND)
    waiting = asyncio.ensure_future(line.reached(SECOND.ref))
    await settle()
    waited = not waiting.done()

    left = line.leave(FIRST.ref, decided=decided)

    assert (await line.reached(SECOND.ref), await waiting) == (decided, decided)
    assert (waited, left, line.leave(FIRST.ref, decided=True)) == (True, True, False)


async def test_a_copy_that_a_frozen_process_claims_again_waits_for_nobody_who_is_gone(line: Line):
    again = replace(FIRST, fence=FIRST.fence + 1)
    line.take(FIRST)
    line.take(again)

    line.leave(FIRST.ref, decided=False)

    async with asyncio.timeout(PATIENT_S):
        assert await line.reached(again.ref)
    assert line.leave(again.ref, decided=True)


async def test_one_copy_of_a_token_is_claimed_ahead_and_none_beside_a_sale(line: Line):
    alone = line.busy_tokens
    line.take(FIRST)
    one = (line.busy_tokens, line.entries)
    line.take(SECOND)
    two = line.busy_tokens
    line.leave(FIRST.ref, decided=True)
    line.leave(SECOND.ref, decided=True)
    line.take(DEBT)

    assert (alone, one, two) == ((), ((), (FIRST.copy_id,)), (TOKEN,))
    assert (line.busy_tokens, line.entries) == ((TOKEN,), ())


async def test_books_wait_for_decisions_and_not_for_ever(line: Line, clock: TestClock):
    line.take(FIRST)
    booked = asyncio.ensure_future(_book(line))
    await clock.run(PAUSE.total_seconds() * (MOST_PAUSES - 1))
    early = booked.done()
    await clock.run(PAUSE.total_seconds() * 2)

    assert (early, booked.done()) == (False, True)


async def _book(line: Line) -> None:
    async with line.booking():
        return
