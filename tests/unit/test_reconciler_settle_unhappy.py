"""Settling while something is away, slow, dead or at it twice: each copy is booked once, and holds up no other."""

import asyncio

import pytest

from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import StoreUnavailable
from services.reconciler import settle as settling
from services.reconciler.loop import LEASE
from tests.builders import ACCOUNT
from tests.reconciler_world import BUY, SHARE, World


@pytest.fixture
async def world() -> World:
    return await World().open()


async def test_a_copy_that_cannot_be_read_holds_up_no_other(world: World):
    broken = [await world.matched() for _ in range(4)]
    world.venue.broken = {copy.order_hashes[0] for copy in broken}
    await world.clock.run(1)
    fine = [await world.matched() for _ in range(60)]
    for number, copy in enumerate(fine):
        world.settles(copy, BUY, f"t{number}")

    reconciler = world.start()
    for _ in range(4):
        await world.clock.run(1)
        await reconciler.turn()

    assert {(await world.copy(copy)).state for copy in fine} == {CopyState.RECONCILED}
    assert {(await world.copy(copy)).state for copy in broken} == {CopyState.EXECUTED}


async def test_a_venue_that_is_away_is_not_asked_about_every_copy(world: World):
    for _ in range(20):
        await world.matched()
    world.venue.away = True

    await world.turn()

    assert len(world.venue.asked) <= settling.FAILURES_AT_MOST


@pytest.mark.parametrize("away", ["venue", "chain"])
async def test_what_is_away_settles_nothing_and_everything_when_it_is_back(world: World, away: str):
    copy = await world.matched()
    world.settles(copy, BUY)
    getattr(world, away).away = True
    await world.turn()
    assert (await world.copy(copy)).state is CopyState.EXECUTED

    getattr(world, away).away = False
    await world.turn()

    assert (await world.copy(copy)).state is CopyState.RECONCILED


async def test_a_store_that_is_away_says_so(world: World):
    world.stores.database.unavailable = True

    with pytest.raises(StoreUnavailable):
        await world.turn()


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("point", ["mid_settle", "after_settle"])
async def test_a_crash_around_the_settlement_books_it_once(world: World, point: str, monkeypatch: pytest.MonkeyPatch):
    copy = await world.matched()
    world.settles(copy, BUY)

    def dies(name: str) -> None:
        if name == point:
            raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(settling, "crashpoint", dies)
        await world.start().turn()

    await world.start().turn()
    position = await world.position()
    assert position is not None
    assert (position.shares_micros, (await world.copy(copy)).state) == (10 * SHARE, CopyState.RECONCILED)


async def test_a_copy_whose_fence_has_moved_on_is_not_settled(world: World):
    copy = await world.matched()
    world.settles(copy, BUY)
    stale = world.start()
    found = world.venue.trades

    async def meanwhile(*arguments):
        trades = await found(*arguments)
        world.venue.trades = found  # type: ignore[method-assign]
        await stale._settler.turn(_always)
        return trades

    world.venue.trades = meanwhile  # type: ignore[method-assign]
    await world.start().turn()

    position = await world.position()
    assert position is not None
    assert (position.shares_micros, len(await world.stores.positions.ledger(ACCOUNT))) == (10 * SHARE, 1)


async def _always() -> bool:
    return True


async def test_a_process_that_was_frozen_past_its_lease_writes_nothing(world: World):
    copy = await world.matched()
    world.settles(copy, BUY)
    frozen, other = world.start("frozen"), world.start("other")
    found = world.chain.fills_of_order

    async def freezes(*arguments):
        logs = await found(*arguments)
        world.chain.fills_of_order = found  # type: ignore[method-assign]
        world.clock.jump(60)
        assert await world.stores.leases.take(f"reconcile:{ACCOUNT}", "other", LEASE)
        return logs

    world.chain.fills_of_order = freezes  # type: ignore[method-assign]
    await frozen.turn()
    assert (await world.copy(copy)).state is CopyState.EXECUTED

    await other.turn()
    assert (await world.copy(copy)).state is CopyState.RECONCILED


async def test_settlements_of_two_processes_never_interleave(world: World):
    copies = [await world.matched() for _ in range(10)]
    for number, copy in enumerate(copies):
        world.settles(copy, BUY, f"t{number}")

    await asyncio.gather(*(world.start(name).turn() for name in ("one", "two", "three")))

    position = await world.position()
    assert position is not None
    assert position.shares_micros == 100 * SHARE


async def test_a_turn_over_a_slow_venue_keeps_its_lease(world: World):
    copies = [await world.matched() for _ in range(20)]
    for number, copy in enumerate(copies):
        world.settles(copy, BUY, f"t{number}")
    found = world.venue.trades

    async def slow(*arguments):
        world.clock.jump(4)
        return await found(*arguments)

    world.venue.trades = slow  # type: ignore[method-assign]
    await world.start("one").turn()

    assert not await world.stores.leases.take(f"reconcile:{ACCOUNT}", "two", LEASE)
    assert {(await world.copy(copy)).state for copy in copies} == {CopyState.RECONCILED}
