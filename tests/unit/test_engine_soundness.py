"""What health says of a clock that is off and of a chain that is behind, while everything answers."""

from datetime import timedelta
from typing import Any

import pytest

from services.common.health import Unsound
from services.common.ports.chain import Head
from services.common.ports.stores import StoreUnavailable
from services.engine.soundness import sound
from tests.builders import NOON
from tests.engine_world import World

CLOCK, HEAD = "clock", "head"


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


def ahead_by(seconds: float) -> Any:
    async def told() -> Any:
        return NOON + timedelta(seconds=seconds)

    return told


@pytest.mark.parametrize(
    ("need", "database_s", "venue_s", "head_s", "said"),
    [
        (CLOCK, 0, 0, 0, ""),
        (CLOCK, 2, -2, 0, ""),
        (CLOCK, 2.001, 0, 0, "clock: database_skew_ms -2001 (at most 2000)"),
        (CLOCK, 0, 3, 0, "clock: venue_skew_ms -3000 (at most 2000)"),
        (CLOCK, 0, -3, 0, "clock: venue_skew_ms 3000 (at most 2000)"),
        (HEAD, 0, 0, -15, ""),
        (HEAD, 0, 0, -15.001, "chain: head_ms 15001 (at most 15000)"),
        (HEAD, 5, 0, -11, "chain: head_ms 16000 (at most 15000)"),
    ],
)
async def test_what_is_too_far_off_is_said(
    world: World, need: str, database_s: float, venue_s: float, head_s: float, said: str
):
    engine = world.start()
    world.stores.now = ahead_by(database_s)
    world.venue.server_time = ahead_by(venue_s)

    async def head() -> Head:
        return Head(1_000, NOON + timedelta(seconds=head_s), 990, 137)

    world.chain.head = head
    await engine.lookout.refresh()

    assert await told(engine, need) == said


async def test_what_does_not_answer_is_not_said_twice(world: World):
    engine = world.start()

    async def away() -> Any:
        raise StoreUnavailable("away")

    world.stores.now, world.venue.away, world.chain.away = away, True, True
    await engine.lookout.refresh()

    assert [await told(engine, need) for need in (CLOCK, HEAD)] == ["", ""]


async def told(engine: Any, need: str) -> str:
    try:
        await sound(getattr(engine.desk.gatekeeper, need))()
    except Unsound as error:
        return str(error)
    return ""
