"""Own exits in the engine: rules of a follow, its deletion, and reports of what holds a sale back."""

from dataclasses import replace

import pytest

from services.common.domain.exit import Cause, ExitState, exit_id
from services.common.domain.follow import FollowState, Leaving
from services.common.domain.lifecycle import CopyState
from services.engine import own_exits
from tests.builders import TOKEN, a_follow
from tests.controlled import as_it_is_not, left
from tests.engine_world import ACCOUNT, POLICY, World
from tests.exit_world import FOLLOW, OTHER_LEADER, buys, holding, passes, sold, the_exit
from tests.scripted_venue import SHARE


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


async def under(world: World, **rules: int) -> None:
    """The follow has these rules from now on."""
    assert await world.stores.follows.change(FOLLOW, as_it_is_not(policy=replace(POLICY, **rules)))


async def leave(world: World, leaving: Leaving) -> None:
    await world.stores.follows.change(FOLLOW, left(leaving, world.clock.now()))


async def state(world: World) -> FollowState:
    follow = await world.stores.follows.get(FOLLOW)
    assert follow is not None
    return follow.state


@pytest.mark.parametrize(
    ("rules", "spread", "cause"),
    [
        ({"take_profit_bps": 2_000}, (640_000, 650_000), Cause.TAKE_PROFIT),
        ({"stop_loss_bps": 2_000}, (300_000, 310_000), Cause.STOP_LOSS),
        ({"max_holding_ms": 5_000}, (490_000, 500_000), Cause.TIME),
    ],
)
async def test_a_rule_sells_all_that_the_follow_holds_at_the_market_once(world: World, rules, spread, cause):
    await holding(world, 100)
    await under(world, **rules)
    world.venue.spread = spread

    await passes(world, 30)

    assert await sold(world) == [100]
    assert [(step.cause, step.fraction) for step in (await the_exit(world)).steps] == [(cause, 1)]
    (attempt,) = await world.attempts()
    assert attempt.intent.limit_micros >= spread[0] * 9 // 10
    assert (await the_exit(world)).state is ExitState.MET


async def test_a_price_that_is_not_known_asks_for_nothing_and_time_sells_when_it_is_known_again(world: World):
    await holding(world, 100)
    await under(world, stop_loss_bps=2_000, take_profit_bps=100, max_holding_ms=6_000)
    world.venue.spread = (100_000, 900_000)

    await passes(world, 2)
    assert await world.stores.exits.get(exit_id(FOLLOW, TOKEN)) is None
    await passes(world, 5)

    assert [step.cause for step in (await the_exit(world)).steps] == [Cause.TIME]
    assert sum(await sold(world)) == 0
    world.venue.spread = (490_000, 500_000)
    await passes(world, 20)
    assert sum(await sold(world)) == 100


async def test_what_is_bought_after_an_own_exit_has_its_own(world: World):
    await holding(world, 100)
    await under(world, max_holding_ms=5_000)
    await passes(world, 10)
    await holding(world, 50, number=2)
    await passes(world, 2)
    assert await sold(world) == [100]

    await passes(world, 10)

    assert await sold(world) == [100, 50]


async def test_engines_that_see_one_rule_together_sell_once(world: World):
    await holding(world, 100)
    world.start("second")
    world.start("third")
    await under(world, max_holding_ms=1_000)

    await passes(world, 20)

    assert world.venue.bought() == 0
    assert len((await the_exit(world)).steps) == 1


async def test_an_engine_that_dies_after_the_step_sells_once(world: World, monkeypatch: pytest.MonkeyPatch):
    await holding(world, 100)
    await under(world, max_holding_ms=1_000)

    def dies(*_: object, **__: object) -> None:
        monkeypatch.undo()
        world.kill()
        raise RuntimeError("killed")

    monkeypatch.setattr(own_exits.log, "info", dies)
    await passes(world, 5)
    assert await sold(world) == []
    world.start("second")

    await passes(world, 20)

    assert await sold(world) == [100]


async def test_a_follow_without_rules_costs_no_look_at_what_it_holds(world: World, monkeypatch: pytest.MonkeyPatch):
    await holding(world, 100)
    asked: list[str] = []
    of_token = world.stores.copies.of_token

    async def counted(account: str, token: str, follow: str | None = None):
        asked.append(token)
        return await of_token(account, token, follow)

    monkeypatch.setattr(world.stores.copies, "of_token", counted)
    await passes(world, 5)

    assert asked == []


async def test_a_follow_that_is_deleted_and_closed_sells_what_it_holds_and_is_over(world: World):
    await world.stores.follows.create(a_follow(ACCOUNT, OTHER_LEADER, policy=POLICY))
    await holding(world, 100)
    await holding(world, 75, number=2, leader=OTHER_LEADER)
    await leave(world, Leaving.CLOSE)
    assert await state(world) is FollowState.CLOSING

    await passes(world)

    assert await sold(world) == [100]
    assert world.venue.bought() == 75 * SHARE
    assert await state(world) is FollowState.CLOSED
    assert [step.cause for step in (await the_exit(world)).steps] == [Cause.UNFOLLOW]


async def test_a_follow_that_is_deleted_follows_the_leader_out_until_it_is_flat(world: World):
    await holding(world, 100)
    world.kill()
    await leave(world, Leaving.CLOSE)
    debt = await world.sells(2, 50, of=100)
    world.start()

    await passes(world)

    assert sum(await sold(world)) == 100
    assert (await world.copy(debt)).state is CopyState.RECONCILED


async def test_a_purchase_on_its_way_when_its_follow_is_deleted_is_sold_too(world: World):
    world.venue.script, world.venue.hidden = ["lost_after"], True
    await buys(world, 100)
    world.start()
    await world.run(1)
    await leave(world, Leaving.CLOSE)
    await passes(world, 5)
    assert await state(world) is FollowState.CLOSING

    world.venue.hidden = False
    await passes(world, 60)

    assert world.venue.bought() == 0
    assert await state(world) is FollowState.CLOSED


async def test_a_follow_that_is_deleted_and_kept_sells_nothing_and_is_over(world: World):
    await holding(world, 100)
    await leave(world, Leaving.KEEP)

    await passes(world)

    assert await sold(world) == []
    assert await state(world) is FollowState.CLOSED
    assert (await the_exit(world)).state is ExitState.KEPT


async def test_keeping_ends_an_exit_that_is_under_way_and_forgives_what_it_owed(world: World):
    await holding(world, 100)
    world.venue.script = ["half", *["unmatched"] * 50]
    debt = await world.sells(2, 100, of=100)
    await passes(world, 3)
    await leave(world, Leaving.KEEP)

    await passes(world, 30)

    world.venue.script = []
    assert (await the_exit(world)).state is ExitState.KEPT
    assert await state(world) is FollowState.CLOSED
    assert world.venue.bought() == 50 * SHARE
    assert (await world.copy(debt)).state is CopyState.RECONCILED
    assert all(attempt.state is not CopyState.DETECTED for attempt in await world.attempts())


async def test_what_is_kept_is_not_sold_for_a_follow_that_is_made_again(world: World):
    await holding(world, 100)
    await world.sells(2, 40, of=100)
    await passes(world)
    await leave(world, Leaving.KEEP)
    await passes(world)
    await world.stores.follows.change(FOLLOW, as_it_is_not(state=FollowState.ACTIVE))
    await holding(world, 50, number=3)

    await world.sells(4, 30, of=30)
    await passes(world)

    assert await sold(world) == [40, 50]
    assert world.venue.bought() == 60 * SHARE


async def test_closing_may_still_become_keeping(world: World):
    await holding(world, 100)
    world.venue.script = ["unmatched"] * 50
    await leave(world, Leaving.CLOSE)
    await passes(world, 3)

    await leave(world, Leaving.KEEP)
    await passes(world, 30)

    assert world.venue.bought() == 100 * SHARE
    assert await state(world) is FollowState.CLOSED


async def test_a_sale_that_a_guard_holds_back_keeps_its_last_report(world: World):
    await holding(world, 100)
    await under(world, exit_slippage_bps=100, exit_floor_bps=100)
    world.venue.spread = (300_000, 310_000)
    await world.sells(2, 100, of=100)

    await passes(world, 3)

    (attempt,) = await world.attempts()
    assert (attempt.state in {CopyState.DETECTED, CopyState.CLAIMED}, attempt.intent) == (True, None)
    assert attempt.decision is not None
    assert [verdict.guard for verdict in attempt.decision.refusals] == ["slippage"]
