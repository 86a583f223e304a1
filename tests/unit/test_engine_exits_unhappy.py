"""Exits while something dies, goes away or is taken back: what is owed is sold once all the same."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.domain.exit import ExitState
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.ports.chain import FillLog, OrderFilled
from services.engine import debts, standing
from tests.builders import ACCOUNT, LEADER, TOKEN
from tests.engine_world import World
from tests.exit_world import fails, holding, passes, sold, the_exit
from tests.scripted_chain import EXCHANGE
from tests.scripted_venue import SHARE


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


@pytest.mark.parametrize("away", ["chain", "venue"])
async def test_what_cannot_be_read_is_never_guessed_and_the_debt_is_met_later(world: World, away: str):
    await holding(world, 100)
    getattr(world, away).away = True
    debt = await world.sells(2, 40, of=100)
    await world.run(30)
    assert (await world.copy(debt)).state in {CopyState.DETECTED, CopyState.CLAIMED}
    assert world.venue.bought() == 100 * SHARE

    getattr(world, away).away = False
    await passes(world, 20)

    assert world.venue.bought() == 60 * SHARE


async def test_a_sale_whose_receipt_is_not_there_yet_waits_for_it(world: World):
    await holding(world, 100)
    debt = await world.sells(2, 40, of=100)
    receipt = world.chain.receipts.pop(debt.trade.tx_hash)
    await passes(world, 10)
    assert await sold(world) == []

    world.chain.receipts[debt.trade.tx_hash] = receipt
    await passes(world, 10)

    assert await sold(world) == [40]


async def test_a_sale_that_a_reorg_moved_to_another_transaction_is_still_owed(world: World):
    await holding(world, 100)
    debt = await world.sells(2, 40, of=100)
    trade = debt.trade
    moved = replace(world.chain.receipts.pop(trade.tx_hash), tx_hash="0xmoved")
    world.chain.receipts["0xmoved"] = moved
    amounts = (trade.shares_micros, trade.usdc_micros)
    fill = OrderFilled(trade.order_hash, LEADER, EXCHANGE, EXCHANGE, Side.SELL, TOKEN, *amounts, 0, 1)
    log = FillLog(fill, "0xmoved", trade.block_number, "0xb", None)

    async def fills_of_order(order_hash: str, first_block: int) -> tuple[FillLog, ...]:
        return (log,) if order_hash == trade.order_hash else ()

    world.chain.fills_of_order = fills_of_order  # type: ignore[method-assign]
    await passes(world, 10)

    assert await sold(world) == [40]


@pytest.mark.parametrize(("point", "passed"), [("mid_exit_owed", 2), ("after_exit_owed", 1)])
async def test_a_crash_around_the_step_sells_once_and_for_the_leaders_sale(
    world: World, point: str, passed: int, monkeypatch: pytest.MonkeyPatch
):
    await holding(world, 100)
    passages: list[str] = []

    def dies(name: str) -> None:
        passages.append(name)
        if passages == [*passages[:-1], point] and passages.count(point) == 1:
            world.kill()
            raise RuntimeError(point)

    monkeypatch.setattr(debts, "crashpoint", dies)
    debt = await world.sells(2, 40, of=100)
    await world.run(2)
    assert not world.workers
    world.start("second")

    await passes(world, 20)

    assert passages.count(point) == passed
    assert await sold(world) == [40]
    assert (await world.copy(debt)).state in {CopyState.EXECUTED, CopyState.RECONCILED}


async def test_an_engine_that_dies_while_it_sells_sells_once(world: World):
    await holding(world, 100)
    world.venue.script = ["hang"]
    await world.sells(2, 40, of=100)
    await world.run(3)
    world.kill()
    world.start("second")

    await passes(world, 40)

    assert await sold(world) == [40]
    assert len({bytes(post) for post in world.venue.posts[1:]}) == 1


async def test_two_engines_open_one_attempt_at_a_time(world: World):
    await holding(world, 100)
    world.start("second")
    world.venue.script = ["half"]
    await world.sells(2, 80, of=100)

    await passes(world, 20)

    assert sum(await sold(world)) == 80
    assert world.venue.bought() == 20 * SHARE


@pytest.mark.parametrize("final_since", ["long after", "just after"])
async def test_a_step_whose_transaction_a_reorg_has_taken_back_is_owed_no_more(world: World, final_since: str):
    await holding(world, 100)
    world.venue.script = ["unmatched"] * 100
    world.chain.finalized = 0
    debt = await world.sells(2, 40, of=100)
    await passes(world, 4)
    assert (await the_exit(world)).state is ExitState.OPEN

    del world.chain.receipts[debt.trade.tx_hash]
    if final_since == "just after":
        world.chain.finalized = debt.trade.block_number
    await passes(world, 90)
    world.venue.script = []
    await passes(world, 20)

    exit_ = await the_exit(world)
    assert (exit_.state, [step.removed for step in exit_.steps]) == (ExitState.MET, [True])
    assert sum(await sold(world)) == 0


async def test_a_step_that_was_seen_in_a_final_block_is_looked_for_no_more(world: World):
    await holding(world, 100)
    world.venue.script = ["unmatched"] * 100
    debt = await world.sells(2, 40, of=100)
    world.chain.finalized = debt.trade.block_number
    await passes(world, 20)

    del world.chain.receipts[debt.trade.tx_hash]
    world.venue.script = []
    await passes(world, 90)

    assert [step.removed for step in (await the_exit(world)).steps] == [False]
    assert sum(await sold(world)) == 40


@pytest.mark.parametrize("engines", [1, 2])
async def test_a_step_that_is_mined_again_long_after_is_owed_once(world: World, engines: int):
    await holding(world, 100)
    world.venue.script = ["unmatched"] * 100
    world.chain.finalized = 0
    debt = await world.sells(2, 40, of=100)
    await passes(world, 4)
    receipt = world.chain.receipts.pop(debt.trade.tx_hash)
    await passes(world, 90)
    assert (await the_exit(world)).state is ExitState.MET
    world.kill()
    for number in range(engines):
        world.start(f"later {number}")

    world.venue.script = []
    world.chain.receipts[debt.trade.tx_hash] = receipt
    await passes(world, 30)

    exit_ = await the_exit(world)
    assert (exit_.state, [step.removed for step in exit_.steps]) == (ExitState.MET, [False])
    assert sum(await sold(world)) == 40
    assert (await world.copy(debt)).state is CopyState.RECONCILED


async def test_what_a_leader_sold_in_a_block_that_is_gone_before_it_is_looked_at_is_owed_when_it_is_back(world: World):
    await holding(world, 100)
    world.chain.finalized = 0
    debt = await world.sells(2, 40, of=100)
    receipt = world.chain.receipts.pop(debt.trade.tx_hash)
    await passes(world, 40)
    assert (await the_exit(world)).state is ExitState.MET
    later = await world.buys(3)
    await passes(world, 5)
    assert (await world.copy(later)).state is CopyState.RECONCILED
    assert sum(await sold(world)) == 0

    world.chain.receipts[debt.trade.tx_hash] = receipt
    await passes(world, 20)

    assert sum(await sold(world)) == 40
    assert (await world.copy(debt)).state is CopyState.RECONCILED


async def test_a_node_that_lags_takes_no_sale_back_however_long_ago_a_wrong_clock_says_that_it_was_seen(world: World):
    await holding(world, 100)
    world.chain.finalized = 0
    debt = await world.sells(2, 40, of=100)
    stored = world.stores.database.copies[debt.copy_id]
    world.stores.database.copies[debt.copy_id] = replace(stored, detected_at=stored.detected_at - timedelta(hours=1))
    receipt = world.chain.receipts.pop(debt.trade.tx_hash)

    await passes(world, 10)

    assert await world.stores.exits.retracted(ACCOUNT) == ()
    world.chain.receipts[debt.trade.tx_hash] = receipt
    await passes(world, 20)
    assert sum(await sold(world)) == 40


@pytest.mark.parametrize("taken", [True, False], ids=["an attempt took it", "none did"])
async def test_what_is_never_mined_again_ends_by_name(world: World, monkeypatch: pytest.MonkeyPatch, taken: bool):
    monkeypatch.setattr(standing, "FOR_GOOD", timedelta(minutes=3))
    await holding(world, 100)
    world.venue.script = ["unmatched"] * 100
    world.chain.finalized = 0
    debt = await world.sells(2, 40, of=100)
    if taken:
        await passes(world, 4)
    del world.chain.receipts[debt.trade.tx_hash]
    await passes(world, 90)
    waiting = await world.copy(debt)
    assert waiting.state is (CopyState.EXECUTING if taken else CopyState.DETECTED)

    await passes(world, 120)

    done = await world.copy(debt)
    assert (done.state, done.skip_reason or done.failure) == (
        CopyState.FAILED if taken else CopyState.SKIPPED,
        "removed",
    )
    assert (await the_exit(world)).steps == ()
    assert sum(await sold(world)) == 0


@pytest.mark.parametrize(("settles", "state"), [(True, CopyState.RECONCILED), (False, CopyState.FAILED)])
async def test_an_exit_of_a_resolved_market_ends_when_its_sale_has_settled_and_its_debt_with_it(
    world: World, settles: bool, state: CopyState
):
    await holding(world, 100)
    debt = await world.sells(2, 40, of=100)
    await world.run(3)
    (attempt,) = await world.attempts()
    assert attempt.state is CopyState.EXECUTED

    world.venue.closed = True
    await world.run(20)
    assert (await the_exit(world)).state is ExitState.OPEN
    if settles:
        await world.settles()
    else:
        await fails(world, attempt)
    await world.run(20)

    assert (await the_exit(world)).state is (ExitState.MET if settles else ExitState.RESOLVED)
    assert (await world.copy(debt)).state is state


async def test_a_receipt_that_is_missing_for_a_moment_takes_nothing_back(world: World):
    await holding(world, 100)
    world.kill()
    world.chain.finalized = 0
    debt = await world.sells(2, 40, of=100)
    world.start()
    world.venue.script = ["unmatched"] * 3
    await passes(world, 4)
    receipt = world.chain.receipts.pop(debt.trade.tx_hash)
    await passes(world, 15)
    world.chain.receipts[debt.trade.tx_hash] = receipt

    await passes(world, 60)

    assert sum(await sold(world)) == 40
    assert [step.removed for step in (await the_exit(world)).steps] == [False]
