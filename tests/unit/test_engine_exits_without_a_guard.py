"""Every guard that judges exits is on in a running engine: what it alone refuses waits, and is sold as soon as it is replaced."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from services.common.domain.account import OpenIntent
from services.common.domain.copy import Copy
from services.common.domain.exit import ExitState
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.engine import decider
from services.engine.case import Case
from services.engine.guards import GUARDS
from services.engine.pipeline import decide
from services.engine.pricing import drafted
from tests.builders import CONDITION, LEADER, NOON, TOKEN, an_intent
from tests.engine_world import World
from tests.exit_world import holding, the_exit
from tests.scripted_venue import SHARE
from tests.unit.test_engine_without_a_guard import without

Sight = Callable[[Case], Case]

OWN = OpenIntent("0therc0py", "0xelse", CONDITION, TOKEN, LEADER, Side.BUY, SHARE, SHARE, 0, 990_000, NOON)
SENT = an_intent(attempts=(Attempt(1, NOON, Outcome.ACKED),))


def of(part: str, **changes: Any) -> Sight:
    """A case of which one part says something else."""

    def seen(case: Case) -> Case:
        known = getattr(case, part)
        return replace(case, **{part: known and replace(known, **changes)})

    return seen


def limits(**figures: int) -> Sight:
    return lambda case: of("account", limits=replace(case.account.limits, **figures))(case)


def draft(change: Callable[[Any], dict[str, int]]) -> Sight:
    return lambda case: of("draft", **change(case.draft))(case)


def one_share_less(order: Any) -> dict[str, int]:
    shares = order.shares_micros - SHARE
    return {"shares_micros": shares, "usdc_micros": shares * order.limit_micros // 1_000_000}


def an_order_of_our_own(case: Case) -> Case:
    exposure = case.account.exposure
    own = replace(OWN, at=case.now)
    return of("account", exposure=replace(exposure, open={**exposure.open, own.copy_id: own}))(case)


SCENES: dict[str, Sight] = {
    "idempotency": of("copy", intent=SENT),
    "viability": of("market", accepting_orders=False),
    "market_data": of("book", mid_then_micros=300_000),
    "position": lambda case: replace(case, settled_micros=0),
    "sizing": draft(one_share_less),
    "venue_validity": draft(lambda order: {"usdc_micros": order.usdc_micros - 10_000}),
    "slippage": lambda case: of("copy", trade=replace(case.trade, usdc_micros=case.trade.usdc_micros * 19 // 10))(case),
    "price_collar": lambda case: of("copy", policy=replace(case.policy, exit_floor_bps=0))(case),
    "message_rate": limits(max_orders_per_second=0),
    "credit": draft(lambda order: {"fee_micros": order.usdc_micros + 1}),
    "self_trade": an_order_of_our_own,
    "deadline": limits(send_budget_ms=60_000),
}


async def sees(world: World, sight: Sight, patch: pytest.MonkeyPatch) -> Copy:
    """The first attempt to sell 40 of the 100 shares that are held, after the engine has decided on it with this sight."""
    await holding(world, 100)
    patch.setattr(decider, "drafted", lambda case: sight(drafted(case)))
    await world.sells(2, 40, of=100)
    await world.run(1)
    return (await world.attempts())[0]


@pytest.fixture
async def world():
    made = await World().open()
    yield made
    made.kill()


def test_every_guard_that_judges_exits_has_its_scene():
    # One that judges entries alone is wrapped twice.
    assert list(SCENES) == [guard.__name__ for guard in GUARDS if not hasattr(guard.__wrapped__, "__wrapped__")]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", SCENES)
async def test_what_a_guard_alone_refuses_is_not_sold_yet(world: World, name: str, monkeypatch: pytest.MonkeyPatch):
    attempt = await sees(world, SCENES[name], monkeypatch)

    assert attempt.decision
    assert [verdict.guard for verdict in attempt.decision.refusals] == [name]
    assert (attempt.state in {CopyState.DETECTED, CopyState.CLAIMED}, len(world.venue.posts)) == (True, 1)
    assert (await the_exit(world)).state is ExitState.OPEN


@pytest.mark.parametrize("name", SCENES)
async def test_without_that_guard_it_is_sold(world: World, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decider, "decide", partial(decide, guards=without(name)))

    attempt = await sees(world, SCENES[name], monkeypatch)

    assert len(world.venue.posts) == 2, attempt.decision and attempt.decision.refusals
    assert attempt.state is CopyState.EXECUTED
