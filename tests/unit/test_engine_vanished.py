"""A market that the venue does not know any more: an entry in it is skipped by name."""

from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Market
from tests.engine_world import World


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
