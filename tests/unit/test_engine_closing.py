"""Closing positions by request: what is asked for once is sold once, whatever dies and however often it is asked."""

import pytest

from services.common.domain.close_request import request_key
from services.common.domain.exit import Cause, ExitState, exit_id, unowned
from services.common.domain.follow import Leaving
from services.engine import closing
from services.engine.closing import Closing, NotHeld, OtherRequest
from tests.builders import TOKEN, a_follow
from tests.controlled import left
from tests.engine_world import ACCOUNT, POLICY, World
from tests.exit_world import FOLLOW, OTHER_LEADER, buys, holding, passes, sold, the_exit
from tests.scripted_venue import OTHER_TOKEN, SHARE

NOBODY = unowned(ACCOUNT)


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


async def close(world: World, request_id: str = "r1", *tokens: str) -> tuple[str, ...]:
    accounts = [await world.account()]
    return await Closing(world.stores).close(accounts, tokens or (TOKEN,), request_id, "ops", world.clock.now())


async def test_a_request_sells_what_every_follow_holds_of_the_token(world: World):
    await world.stores.follows.create(a_follow(ACCOUNT, OTHER_LEADER, policy=POLICY))
    await holding(world, 100)
    await holding(world, 75, number=2, leader=OTHER_LEADER)

    assert await close(world) == (ACCOUNT,)
    await passes(world, 20)

    assert sorted(await sold(world)) == [75, 100]
    assert world.venue.bought() == 0
    assert [step.cause for step in (await the_exit(world)).steps] == [Cause.REQUEST]


async def test_the_same_request_never_sells_twice_and_another_does(world: World):
    await holding(world, 100)
    await close(world)
    await passes(world)
    await holding(world, 50, number=2)

    assert await close(world) == (ACCOUNT,)
    await passes(world)
    assert await sold(world) == [100]
    await close(world, "r2")
    await passes(world)

    assert await sold(world) == [100, 50]


async def test_what_another_follow_buys_after_a_request_is_not_meant_by_its_repetition(world: World):
    await world.stores.follows.create(a_follow(ACCOUNT, OTHER_LEADER, policy=POLICY))
    await holding(world, 100)
    await close(world)
    await passes(world)
    await holding(world, 75, number=2, leader=OTHER_LEADER)

    await close(world)
    await passes(world)

    assert world.venue.bought() == 75 * SHARE


@pytest.mark.parametrize("again", [True, False], ids=["asked again", "never asked again"])
async def test_a_crash_in_the_middle_of_a_request_sells_all_of_it_once(
    world: World, again: bool, monkeypatch: pytest.MonkeyPatch
):
    await world.stores.follows.create(a_follow(ACCOUNT, OTHER_LEADER, policy=POLICY))
    await holding(world, 100)
    await holding(world, 75, number=2, leader=OTHER_LEADER)
    world.kill()

    def dies(name: str) -> None:
        raise RuntimeError(name)

    monkeypatch.setattr(closing, "crashpoint", dies)
    with pytest.raises(RuntimeError, match="mid_close_positions"):
        await close(world)
    monkeypatch.undo()
    world.start("second")
    if again:
        await close(world)

    await passes(world, 20)

    assert sorted(await sold(world)) == [75, 100]
    kept = await world.stores.close_requests.get(request_key(ACCOUNT, "r1"))
    assert kept is not None
    assert kept.done


async def test_a_request_of_one_name_is_of_one_set_of_tokens(world: World):
    await holding(world, 100)
    await close(world)

    with pytest.raises(OtherRequest):
        await close(world, "r1", TOKEN, OTHER_TOKEN)


async def test_what_nobody_holds_is_not_closed_and_nothing_is_kept(world: World):
    await holding(world, 100)

    with pytest.raises(NotHeld) as refused:
        await close(world, "r1", TOKEN, OTHER_TOKEN)

    assert refused.value.token_id == OTHER_TOKEN
    assert await world.stores.close_requests.get(request_key(ACCOUNT, "r1")) is None


async def test_tokens_that_no_follow_owns_are_sold_by_an_exit_without_one(world: World):
    await holding(world, 100)
    await world.stores.follows.change(FOLLOW, left(Leaving.KEEP, world.clock.now()))
    await passes(world)

    await close(world)
    await passes(world)

    (attempt,) = await world.attempts()
    assert (attempt.follow_id, attempt.filled_micros) == (NOBODY, 100 * SHARE)
    met = await world.stores.exits.get(exit_id(NOBODY, TOKEN))
    assert met is not None
    assert met.state is ExitState.MET


async def test_an_exit_without_a_follow_leaves_what_follows_own(world: World):
    await holding(world, 100)
    await world.stores.follows.change(FOLLOW, left(Leaving.KEEP, world.clock.now()))
    await passes(world)
    await world.stores.follows.create(a_follow(ACCOUNT, OTHER_LEADER, policy=POLICY))
    await holding(world, 75, number=2, leader=OTHER_LEADER)
    world.chain.balances[ACCOUNT, TOKEN, None] = 60 * SHARE

    await close(world)
    await passes(world, 20)

    assert await sold(world) == [60]
    assert (await world.attempts())[0].follow_id != NOBODY
    ended = await world.stores.exits.get(exit_id(NOBODY, TOKEN))
    assert ended is not None
    assert ended.state is ExitState.EXTERNAL


async def test_a_purchase_on_its_way_is_closed_when_it_has_come(world: World):
    world.venue.script, world.venue.hidden = ["lost_after"], True
    await buys(world, 100)
    world.start()
    await world.run(1)
    await close(world)
    await passes(world, 5)
    assert (await the_exit(world)).state is ExitState.OPEN

    world.venue.hidden = False
    await passes(world, 60)

    assert world.venue.bought() == 0


async def test_a_market_that_is_resolved_is_redeemed_and_not_closed(world: World):
    await holding(world, 100)
    world.venue.closed = True

    await close(world)
    await passes(world)

    assert (await the_exit(world)).state is ExitState.RESOLVED
    assert await sold(world) == []
