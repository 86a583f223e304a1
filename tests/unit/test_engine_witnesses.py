"""Further nodes of the chain: nothing new is copied while they know other blocks, or while none of them answers."""

from collections.abc import AsyncIterator

import pytest

from services.common.domain.lifecycle import CopyState
from services.common.ports.chain import ChainUnavailable
from services.engine.worker import Worker
from tests.engine_world import World


class Scripted:
    """`Witnesses` that say what they are told to say."""

    def __init__(self) -> None:
        self.say: bool | ChainUnavailable | None = True

    async def agree(self) -> bool | None:
        if isinstance(self.say, ChainUnavailable):
            raise self.say
        return self.say


class Watched(World):
    """A world in which the chain has witnesses."""

    def __init__(self) -> None:
        super().__init__()
        self.witnesses = self.others = Scripted()


@pytest.fixture
async def world() -> AsyncIterator[Watched]:
    made = Watched()
    await made.open()
    yield made
    made.kill()


@pytest.mark.parametrize("said", [False, None, ChainUnavailable("away")])
async def test_a_copy_waits_until_they_agree_and_is_then_sent(world: Watched, said: bool | ChainUnavailable | None):
    world.others.say = said
    engine = world.start()
    copy = await world.buys(1)
    await world.run(3)
    waiting = await world.copy(copy)
    assert ((waiting.state, waiting.fence), world.venue.posts) == ((CopyState.DETECTED, 0), [])
    assert [verdict.reason for verdict in (await engine.desk.gatekeeper.admission()).closed] == ["endpoints_agree"]

    world.others.say = True
    await world.run(6)

    assert (await world.copy(copy)).state is CopyState.EXECUTED


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (True, ""),
        (False, "a further endpoint of the chain knows other blocks"),
        (None, "no further endpoint of the chain answers"),
    ],
)
async def test_health_says_why(world: Watched, said: bool | None, told: str):
    world.others.say = said
    engine = world.start()
    await engine.lookout.refresh()

    assert await _why(engine) == told


async def test_health_says_of_a_chain_that_is_away_only_that(world: Watched):
    world.others.say, world.chain.away = ChainUnavailable("away"), True
    engine = world.start()
    await engine.lookout.refresh()

    assert await _why(engine) == ""


async def _why(engine: Worker) -> str:
    try:
        await engine.lookout.endpoints_agree()
    except ChainUnavailable as error:
        return str(error)
    return ""
