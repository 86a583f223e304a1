"""A market that the venue does not know any more: an entry in it is skipped by name, and an exit waits."""

from services.common.domain.exit import ExitState
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Market
from tests.engine_world import World
from tests.exit_world import holding, passes, the_exit
from tests.scripted_venue import SHARE


async def test_a_copy_whose_market_vanished_is_skipped_by_name_and_nothing_is_sent():
    world = await World().open()

    async def unknown(token_id: str) -> Market | None:
        return None

    world.venue.by_token = unknown  # type: ignore[method-assign]
    copy = await world.buys()
    world.start()
    await world.run(5)
    world.kill()

    done = await world.copy(copy)
    assert (done.state, done.skip_reason) == (CopyState.SKIPPED, "viability")
    assert done.decision is not None
    assert {(one.guard, one.reason) for one in done.decision.refusals} >= {("viability", "missing")}
    assert not world.venue.posts


async def test_an_exit_whose_market_is_unknown_waits_and_is_sold_when_it_is_known_again():
    world = await World().open()
    await holding(world, 100)
    by_token = world.venue.by_token

    async def unknown(token_id: str) -> Market | None:
        return None

    world.venue.by_token = unknown  # type: ignore[method-assign]
    debt = await world.sells(2, 40, of=100)
    await passes(world, 15)
    owed, unsold = await the_exit(world), world.venue.bought()

    world.venue.by_token = by_token  # type: ignore[method-assign]
    await passes(world, 90)
    world.kill()

    assert (owed.state, unsold) == (ExitState.OPEN, 100 * SHARE)
    assert (await the_exit(world)).state is ExitState.MET
    assert world.venue.bought() == 60 * SHARE
    assert (await world.copy(debt)).state is CopyState.RECONCILED
