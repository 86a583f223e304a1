"""A fill that a reorg moves to another transaction is one copy, whoever sees it and where; one that only looks the same is another."""

import asyncio
from itertools import pairwise

import pytest

from tests.monitor_world import World, a_fill


@pytest.fixture
async def world() -> World:
    made = World()
    await made.follow()
    return made


async def test_a_fill_that_a_reorg_moves_to_another_transaction_is_one_copy(world: World):
    monitor = await world.start()
    before, after = world.mines(a_fill(1)), world.mines(a_fill(1))
    await monitor.watch.see(world.hint(before))

    world.chain.unmined.add(before)
    seeing = asyncio.ensure_future(monitor.watch.see(world.hint(after)))
    await world.clock.run(30)

    assert await seeing
    assert [copy.trade.tx_hash for copy in await world.copies()] == [before]


@pytest.mark.parametrize("who", ["the same process", "one that starts anew", "one beside it"])
async def test_a_fill_that_moves_is_one_copy_whoever_sees_it_where(world: World, who: str):
    first, beside = await world.start(), await world.start()
    places = [world.mines(a_fill(1)) for _ in range(3)]
    await first.watch.see(world.hint(places[0]))

    for before, after in pairwise(places):
        world.chain.unmined.add(before)
        watch = {"the same process": first, "one beside it": beside}.get(who, await world.start()).watch
        seeing = asyncio.ensure_future(watch.see(world.hint(after)))
        await world.clock.run(30)
        assert await seeing

    assert [copy.trade.tx_hash for copy in await world.copies()] == places[:1]


async def test_a_fill_that_has_moved_hides_no_other_of_the_same_amounts(world: World):
    monitors = [await world.start() for _ in range(3)]
    before, after, another = (world.mines(a_fill(1)) for _ in range(3))
    await monitors[0].watch.see(world.hint(before))
    world.chain.unmined.add(before)
    moving = asyncio.ensure_future(monitors[1].watch.see(world.hint(after)))
    await world.clock.run(30)
    await moving

    for number, monitor in enumerate(monitors):
        for tx_hash in (another, after) if number else (after, another):
            assert await monitor.watch.see(world.hint(tx_hash))

    assert [copy.trade.tx_hash for copy in await world.copies()] == [before, another]


async def test_two_processes_that_see_one_move_agree_on_it(world: World):
    monitors = [await world.start() for _ in range(2)]
    before, *after = (world.mines(a_fill(1)) for _ in range(3))
    await monitors[0].watch.see(world.hint(before))
    world.chain.unmined.add(before)

    # Two fills that look the same, and one of them is where the first has gone: each process begins with another.
    seeing = [asyncio.ensure_future(one.watch.see(world.hint(tx))) for one, tx in zip(monitors, after, strict=True)]
    await world.clock.run(60)
    assert all([await one for one in seeing])

    assert len(await world.copies()) == 2


@pytest.mark.parametrize("stalled", ["when it has read the receipt", "when it has read what is stored"])
async def test_a_fill_that_moves_before_its_first_copy_is_stored_is_one_copy(
    world: World, stalled: str, monkeypatch: pytest.MonkeyPatch
):
    """Two processes, each with a receipt of it; the one whose transaction goes away comes in before or after the other."""
    first, second = await world.start(), await world.start()
    before, after = world.mines(a_fill(1)), world.mines(a_fill(1))
    of, name = (world.chain, "receipt") if "receipt" in stalled else (world.stores.trades, "of_orders")
    read, go_on = getattr(of, name), asyncio.Event()

    async def read_and_wait(asked: object) -> object:
        answer = await read(asked)
        await go_on.wait()
        return answer

    monkeypatch.setattr(of, name, read_and_wait)
    stalling = asyncio.ensure_future(first.watch.see(world.hint(before)))
    await world.settle()
    monkeypatch.setattr(of, name, read)
    world.chain.unmined.add(before)
    seeing = asyncio.ensure_future(second.watch.see(world.hint(after)))
    await world.clock.run(30)
    assert await seeing
    go_on.set()
    await world.clock.run(30)
    await stalling

    assert len(await world.copies()) == 1


async def test_an_order_that_fills_twice_for_the_same_amounts_is_two_copies(world: World):
    monitor = await world.start()

    for _ in range(2):
        await monitor.watch.see(world.hint(world.mines(a_fill(1))))

    assert len(await world.copies()) == 2


async def test_a_node_that_lags_behind_makes_no_trade_an_alias_of_another(world: World):
    monitor = await world.start()
    one, two = world.mines(a_fill(1)), world.mines(a_fill(1))
    await monitor.watch.see(world.hint(one))

    world.chain.unmined.add(one)
    seeing = asyncio.ensure_future(monitor.watch.see(world.hint(two)))
    await world.clock.run(3)
    world.chain.unmined.clear()
    await world.clock.run(3)

    assert await seeing
    assert len(await world.copies()) == 2
