"""An answer that is lost, late or wrong: one order each, found and booked by itself."""

import pytest

from services.common.domain.copy import Copy
from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from tests.mesh import Mesh

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("mesh: lost answers"),
]


async def one_order(running: Mesh, copy: Copy) -> None:
    """The venue took one order for this copy, and what it filled is what is booked."""
    log = await running.log()
    orders = [log.orders[order] for order in copy.order_hashes if order in log.orders]
    filled = [order for order in orders if order.shares_micros]
    assert copy.state is CopyState.RECONCILED
    assert [order.order_hash for order in filled] == [copy.order_hashes[-1]]
    assert len([order for order in orders if order.accepted]) == 1
    assert copy.filled_micros == filled[0].shares_micros
    assert (
        sum(fill.shares_micros for fill in await running.stores.positions.fills_of(copy.copy_id)) == copy.filled_micros
    )


async def test_a_trade_is_copied_once_and_booked(running: Mesh):
    copy = await running.copied(await running.take("leader-1", 0))

    await one_order(running, copy)
    assert (await running.at_rest())["problems"] == []


@pytest.mark.parametrize(
    ("leader", "market", "fault"),
    [
        ("leader-1", 0, {"kind": "drop_after"}),
        ("leader-2", 0, {"kind": "drop_before"}),
        ("leader-3", 0, {"kind": "error_after", "status": 502}),
        ("leader-1", 1, {"kind": "error_before", "status": 500}),
        ("leader-2", 1, {"kind": "delay", "ms": 7_000}),
    ],
    ids=["lost after a fill", "lost before", "a 502 after a fill", "a 500 before", "later than anybody waits"],
)
async def test_an_answer_that_is_lost_costs_no_order_and_doubles_none(running: Mesh, leader, market, fault):
    await running.stack.admin.fault(endpoint="clob.post_order", **fault)

    copy = await running.copied(await running.take(leader, market))

    await one_order(running, copy)
    assert copy.intent is not None
    assert copy.intent.attempts[0].outcome is Outcome.UNKNOWN
    assert len(copy.order_hashes) == 1


async def test_in_the_end_every_figure_agrees_with_the_venue(running: Mesh):
    found = await running.at_rest()

    assert found["problems"] == []
    assert (found["duplicates"], found["lost"], found["discrepancies"], found["needs_review"]) == (0, 0, 0, 0)
    assert found["executed"] == found["leader_trades"] == 6
