"""Exits in the engine's world: what the leader buys and sells in one token, and what of it is ours."""

from services.common.domain.account import ExposureChange
from services.common.domain.copy import Copy
from services.common.domain.exit import Exit, exit_id
from services.common.domain.follow import follow_id
from services.common.domain.lifecycle import CopyState
from tests.builders import LEADER, TOKEN
from tests.engine_world import ACCOUNT, World
from tests.scripted_venue import SHARE

OTHER_LEADER = "0x" + "2" * 40
FOLLOW = follow_id(ACCOUNT, LEADER)


async def buys(world: World, shares: int = 100, number: int = 1, **changes: object) -> Copy:
    """The leader buys at 0.50 what gives us so many shares at our limit, which is 0.52."""
    return await world.buys(number, shares * 52 // 50, **changes)


async def holding(world: World, shares: int = 100, number: int = 1, **changes: object) -> Copy:
    """The engine runs, and has bought so many shares for a trade of the leader; they are settled."""
    copy = await buys(world, shares, number, **changes)
    if not world.workers:
        world.start()
    await world.run(2)
    await world.settles()
    assert (await world.copy(copy)).filled_micros == shares * SHARE
    return copy


async def passes(world: World, seconds: int = 12) -> None:
    """Time passes, and whatever is executed settles soon after."""
    for _ in range(seconds):
        await world.run(1)
        await world.settles()


async def the_exit(world: World, follow: str = FOLLOW) -> Exit:
    found = await world.stores.exits.get(exit_id(follow, TOKEN))
    assert found is not None
    return found


async def sold(world: World) -> list[float]:
    """What each attempt has sold, in shares."""
    return [attempt.filled_micros / SHARE for attempt in await world.attempts()]


async def fails(world: World, copy: Copy) -> None:
    """The settlement of the copy's trades fails."""
    done = await world.copy(copy)
    now = world.clock.now()
    change = ExposureChange(now, drop=copy.copy_id)
    # The venue's trade is undone.
    world.venue.fills.pop(done.order_hashes[-1], None)
    assert await world.stores.copies.settle(
        copy.copy_id, done.fence, CopyState.FAILED, (), (), (), 0, 0, 0, change, False, now
    )
