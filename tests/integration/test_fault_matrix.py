"""Every fault of the venue's HTTP by everything that an order can come to: what the answer proves is never more than what is true."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from services.common.domain.intent import Intent, Outcome
from services.common.domain.money import mul_div
from services.common.ports.venue import Answer
from tests.contract.venue_scenes import SHARE, Scene, over_the_network
from tests.venue_chain import BUY
from tests.venue_process import Venue
from tests.venue_trader import Trader

pytestmark = pytest.mark.xdist_group("fault matrix")

STATUSES = (425, 429, 500, 502, 503, 520)
FORMS = ("object", "list", "null", "text", "number", "cut")
LATE_MS = 15_000
"""Much later than the engine waits for an answer."""

NOTHING_DONE: tuple[dict[str, Any], ...] = (
    {"kind": "drop_before"},
    *({"kind": "error_before", "status": status} for status in STATUSES),
    *({"kind": "html_before", "status": status} for status in (403, 502)),
)
ALL_DONE: tuple[dict[str, Any], ...] = (
    {"kind": "drop_after"},
    *({"kind": "error_after", "status": status} for status in STATUSES),
    *({"kind": "html_after", "status": status} for status in (403, 502)),
    {"kind": "truncated_body"},
    {"kind": "reset_body"},
    {"kind": "empty_body"},
    *({"kind": "wrong_json", "form": form} for form in FORMS),
)
TRUE: tuple[dict[str, Any], ...] = (
    {"kind": "delay", "ms": 30},
    {"kind": "slow_body", "ms": 60},
    {"kind": "wrong_type"},
)
LATE: tuple[dict[str, Any], ...] = ({"kind": "delay", "ms": LATE_MS}, {"kind": "slow_body", "ms": 2 * LATE_MS})

OUTCOMES = ("matched", "killed", "refused", "known already")


@pytest.fixture
async def scene(venue: Venue) -> AsyncIterator[Scene]:
    async with over_the_network(venue, hostile=True) as made:
        yield made


async def prepared(scene: Scene, outcome: str) -> Intent:
    """An order that will come to this, where nothing goes wrong."""
    shares, beyond = {"refused": (1, 3), "killed": (10, -3)}.get(outcome, (10, 3))
    order = await scene.an_order(shares * SHARE, beyond_ticks=beyond)
    if outcome == "known already":
        assert (await scene.post(order)).outcome is Outcome.ACKED
    return order


async def truth(scene: Scene, outcome: str) -> tuple[Outcome, Outcome]:
    """What the first and the second answer are, where nothing goes wrong."""
    order = await prepared(scene, outcome)
    return (await scene.post(order)).outcome, (await scene.post(order)).outcome


async def struck(web: httpx.AsyncClient, scene: Scene, fault: dict[str, Any], order: Intent) -> tuple[Answer, Answer]:
    """The answer under a fault, and the one to the same bytes afterwards."""
    added = await web.post("/admin/faults", json={"endpoint": "clob.post_order", **fault})
    assert added.status_code == 200, added.text
    return await scene.post(order), await scene.post(order)


async def given(scene: Scene, order: Intent) -> int:
    """What the order has paid: a BUY is capped in dollars, and may get more shares than it asked for."""
    trades = await scene.clob.trades(order.order_hash, scene.token, order.attempts[0].at)
    return sum(mul_div(trade.shares_micros, trade.price_micros, SHARE) for trade in trades)


async def sellers(web: httpx.AsyncClient, scene: Scene) -> None:
    """Somebody who sells enough for all: he buys the other side for what the best ask leaves of a dollar."""
    book = await scene.markets.book(scene.token)
    assert book is not None
    assert book.best_ask_micros is not None
    other = scene.market.complement(scene.token)
    maker = await Trader.join(web, 20_000)
    await maker.place(other, BUY, 20_000 * SHARE, 1_000_000 - book.best_ask_micros, "GTC")


Judge = Callable[[tuple[Outcome, Outcome]], tuple[Outcome, Outcome]]
CLASSES: dict[str, tuple[tuple[dict[str, Any], ...], Judge]] = {
    "nothing was done": (NOTHING_DONE, lambda true: (Outcome.UNKNOWN, true[0])),
    "all was done": (ALL_DONE, lambda true: (Outcome.UNKNOWN, true[1])),
    "the answer is whole": (TRUE, lambda true: true),
}


async def wrong(web: httpx.AsyncClient, scene: Scene, outcome: str, rounds: int) -> list[object]:
    """Faults under which an order that comes to `outcome` was taken for something else, or filled beyond what it may."""
    true, found = await truth(scene, outcome), list[object]()
    for name, (faults, judge) in CLASSES.items():
        for fault in faults * rounds:
            order = await prepared(scene, outcome)
            first, again = await struck(web, scene, fault, order)
            if (first.outcome, again.outcome) != judge(true):
                found.append((name, fault, first, again))
            if await given(scene, order) > order.fields.maker_amount:
                found.append(("filled twice", fault))
    return found


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_no_fault_makes_an_answer_prove_more_than_is_true(web: httpx.AsyncClient, scene: Scene, outcome: str):
    await sellers(web, scene)

    assert await wrong(web, scene, outcome, 1) == []


@pytest.mark.nightly
@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_no_fault_makes_an_answer_prove_more_every_night(web: httpx.AsyncClient, scene: Scene, outcome: str):
    await sellers(web, scene)

    assert await wrong(web, scene, outcome, 20) == []


@pytest.mark.parametrize("fault", LATE, ids=lambda fault: fault["kind"])
async def test_an_answer_that_comes_too_late_proves_nothing(
    web: httpx.AsyncClient, scene: Scene, fault: dict[str, Any]
):
    await sellers(web, scene)
    orders = [await prepared(scene, outcome) for outcome in OUTCOMES]
    await web.post("/admin/faults", json={"endpoint": "clob.post_order", "times": len(orders), **fault})

    first = await asyncio.gather(*(scene.post(order) for order in orders))
    again = [await scene.post(order) for order in orders]

    assert [answer.outcome for answer in first] == [Outcome.UNKNOWN] * len(orders)
    assert [answer.outcome for answer in again] == [(await truth(scene, outcome))[1] for outcome in OUTCOMES]
