"""What leaders do, and what becomes of it in our wallet: bursts, parts of a holding, history, trades while we are down."""

import asyncio

import pytest

from services.common.domain.amounts import LOT_MICROS
from services.common.domain.lifecycle import CopyState
from tests.mesh import SHARE, Mesh, eventually, mesh

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("mesh: leaders"),
]


async def test_one_transaction_with_five_fills_of_five_orders_gives_five_copies(running: Mesh):
    orders = await running.rest("leader-1", 0, orders=5)

    copies = [await running.copied(order) for order in orders]

    assert len({copy.trade.tx_hash for copy in copies}) == 1
    assert len({copy.order_hashes for copy in copies}) == 5
    assert [copy.state for copy in copies] == [CopyState.RECONCILED] * 5
    assert [copy.trade.shares_micros for copy in copies] == [60 * SHARE] * 5


async def test_a_leaders_sale_of_a_tenth_sells_a_tenth(running: Mesh):
    bought = await running.copied(await running.take("leader-2", 1, shares_micros=200 * SHARE))
    token = bought.trade.token_id
    held = await running.position_micros(token)

    sold = await running.copied(await running.take("leader-2", 1, side="SELL", fraction_bps=1_000))
    tenth = await eventually(lambda: _changed(running, token, held))

    his = bought.trade.shares_micros
    owed = held * sold.trade.shares_micros // his
    assert held == bought.filled_micros
    assert his // 10 - LOT_MICROS < sold.trade.shares_micros <= his // 10
    assert tenth == held - owed // LOT_MICROS * LOT_MICROS
    assert sold.state is CopyState.RECONCILED
    assert (await running.at_rest())["problems"] == []


async def _changed(running: Mesh, token: str, before: int) -> int | None:
    now = await running.position_micros(token)
    return now if now != before else None


async def test_what_is_bought_and_sold_while_the_engine_is_down_ends_flat(running: Mesh):
    engine = running.stack.children["engine"]
    await engine.stop()

    bought = await running.take("leader-3", 2)
    await eventually(lambda: running.copies(bought))
    await asyncio.sleep(3)  # until the venue too has booked what he sells all of
    sold = await running.take("leader-3", 2, side="SELL", fraction_bps=10_000)
    await eventually(lambda: running.copies(sold))
    await asyncio.sleep(5)
    await running.start("engine")

    entry, debt = await running.copied(bought), await running.copied(sold)
    assert await running.position_micros(entry.trade.token_id) == 0
    assert (entry.state, debt.state) == (CopyState.SKIPPED, CopyState.SKIPPED)
    assert (entry.skip_reason, debt.skip_reason) == ("sizing", "nothing_held")
    assert (await running.at_rest())["problems"] == []


async def test_what_was_bought_before_and_is_sold_while_the_engine_is_down_is_sold_afterwards(running: Mesh):
    bought = await running.copied(await running.take("leader-3", 3))
    token = bought.trade.token_id
    await running.stack.children["engine"].stop()

    again = await running.take("leader-3", 3, shares_micros=50 * SHARE)
    await eventually(lambda: running.copies(again))
    await asyncio.sleep(3)  # until the venue too has booked what he sells all of
    sold = await running.take("leader-3", 3, side="SELL", fraction_bps=10_000)
    await eventually(lambda: running.copies(sold))
    await asyncio.sleep(5)
    await running.start("engine")
    await running.copied(again)
    await running.copied(sold)

    async def flat() -> bool:
        return await running.position_micros(token) < LOT_MICROS

    await eventually(flat)
    assert (await running.at_rest())["problems"] == []


async def test_a_first_start_on_leaders_with_old_trades_buys_nothing(tmp_path_factory: pytest.TempPathFactory):
    async with mesh(tmp_path_factory.mktemp("old"), venue=("--history", "12")) as started:
        old = len((await started.log()).leader_fills)
        new = await started.copied(await started.take("leader-1", 0))
        log, books = await started.log(), await started.books()

    assert old >= 12
    assert new.state in {CopyState.EXECUTED, CopyState.RECONCILED}
    assert list(log.orders) == list(new.order_hashes)
    assert [position.token_id for position in books.positions if position.shares_micros] == [new.trade.token_id]
