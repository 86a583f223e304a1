"""Every guard is on in a running engine: what it alone refuses is sent as soon as it is replaced by one that allows everything."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from services.common.domain.account import ExposureChange, Limits, OpenIntent
from services.common.domain.copy import Copy
from services.common.domain.intent import Attempt, Outcome
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Book, Fee, Market, Side
from services.common.domain.verdict import Verdict
from services.common.ports.venue import Wallet
from services.engine import decider, pricing
from services.engine.case import Case
from services.engine.guards import GUARDS
from services.engine.pipeline import decide
from services.engine.pricing import drafted
from tests.builders import CONDITION, LEADER, TOKEN, a_copy, a_trade, an_intent
from tests.engine_world import ACCOUNT, POLICY, World
from tests.scripted_venue import SHARE

DOLLAR = 1_000_000
Prepare = Callable[[World, pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Scene:
    """What differs from a trade that every guard allows: ten shares at 50 cents, just now."""

    limits: Mapping[str, int] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    trade: Mapping[str, Any] = field(default_factory=dict)
    copy: Mapping[str, Any] = field(default_factory=dict)
    age_s: float = 0
    exposure: Mapping[str, Any] = field(default_factory=dict)
    prepare: Prepare = lambda world, patch: None


def market(**changes: Any) -> Prepare:
    def prepare(world: World, patch: pytest.MonkeyPatch) -> None:
        by_token = world.venue.by_token

        async def changed(token_id: str) -> Market | None:
            found = await by_token(token_id)
            return found and replace(found, **changes)

        patch.setattr(world.venue, "by_token", changed)

    return prepare


def book(**changes: Any) -> Prepare:
    def prepare(world: World, patch: pytest.MonkeyPatch) -> None:
        read = world.venue.book

        async def changed(token_id: str) -> Book | None:
            found = await read(token_id)
            return found and replace(found, **changes)

        patch.setattr(world.venue, "book", changed)

    return prepare


def a_wide_spread(world: World, patch: pytest.MonkeyPatch) -> None:
    world.venue.spread = (100_000, 500_000)


def nothing_allowed(world: World, patch: pytest.MonkeyPatch) -> None:
    async def wallet() -> Wallet:
        return Wallet(world.venue.cash_micros, 0, world.clock.now())

    patch.setattr(world.venue, "wallet", wallet)


def an_order_that_costs_less_than_it_does(world: World, patch: pytest.MonkeyPatch) -> None:
    def wrong(case: Case) -> Case:
        made = drafted(case)
        return replace(made, draft=made.draft and replace(made.draft, usdc_micros=made.draft.usdc_micros - 10_000))

    patch.setattr(decider, "drafted", wrong)


def a_price_without_a_collar(world: World, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pricing, "collar_bound", lambda case, market, book: None)


SELLING = OpenIntent(
    "0therc0py", "0xelse", "8", TOKEN, LEADER, Side.SELL, SHARE, DOLLAR, 0, 400_000, World().clock.now()
)

SCENES: dict[str, Scene] = {
    "trade_time": Scene(age_s=31),
    "idempotency": Scene(copy={"intent": an_intent(attempts=(Attempt(1, World().clock.now(), Outcome.ACKED),))}),
    "parties": Scene(policy={"denied_markets": (CONDITION,)}),
    "viability": Scene(limits={"min_time_to_end_ms": 3 * 86_400_000}),
    "price_band": Scene(limits={"max_price_micros": 450_000}),
    "market_data": Scene(prepare=book(mid_then_micros=300_000)),
    "edge": Scene(
        limits={"max_spread_ticks": 90, "max_collar_bps": 20_000, "max_trade_age_ms": 120_000},
        age_s=100,
        prepare=a_wide_spread,
    ),
    "position": Scene(limits={"max_market_micros": DOLLAR}),
    "sizing": Scene(trade={"shares_micros": 4 * SHARE, "usdc_micros": 2 * DOLLAR}),
    "venue_validity": Scene(prepare=an_order_that_costs_less_than_it_does),
    "slippage": Scene(limits={"max_fee_bps": 10_000}, trade={"usdc_micros": 4 * DOLLAR}),
    "price_collar": Scene(trade={"usdc_micros": 6 * DOLLAR}, prepare=a_price_without_a_collar),
    "order_size": Scene(limits={"max_order_micros": DOLLAR}),
    "event_exposure": Scene(limits={"max_event_micros": DOLLAR}),
    "leader_day": Scene(limits={"max_leader_day_micros": DOLLAR}),
    "account_exposure": Scene(limits={"max_exposure_bps": 10}),
    "daily_spend": Scene(limits={"max_daily_spend_micros": DOLLAR}),
    "daily_loss": Scene(exposure={"lost_micros": 201 * DOLLAR}),
    "drawdown": Scene(exposure={"high_water_micros": 9_000 * DOLLAR}),
    "in_flight": Scene(limits={"max_in_flight_account": 0}),
    "message_rate": Scene(limits={"max_orders_per_second": 0}),
    "repetition": Scene(limits={"max_repetitions": 0}),
    "credit": Scene(prepare=nothing_allowed),
    "self_trade": Scene(exposure={"put": SELLING}),
    "fee_bound": Scene(prepare=market(fee=Fee(100_000))),
    "deadline": Scene(limits={"intent_lifetime_ms": 4_000}),
}


def without(name: str) -> list[Callable[[Case], Verdict]]:
    """The guards, one of them replaced by one that allows everything."""

    def allows(case: Case) -> Verdict:
        return Verdict(name, True)

    allows.__name__ = name
    return [allows if guard.__name__ == name else guard for guard in GUARDS]


async def played(scene: Scene, patch: pytest.MonkeyPatch) -> tuple[World, Copy]:
    """The copy after the engine has had its turn."""
    world = await World(Limits(**{"max_order_micros": 10**12, **scene.limits})).open()
    scene.prepare(world, patch)
    now = world.clock.now()
    if scene.exposure:
        await world.stores.accounts.apply(ACCOUNT, ExposureChange(now, **scene.exposure))
    trade = replace(a_trade(1, traded_at=now - timedelta(seconds=scene.age_s)), **scene.trade)
    copy = a_copy(1, account=ACCOUNT, trade=trade, policy=replace(POLICY, **scene.policy), now=now)
    await world.stores.copies.insert([replace(copy, **scene.copy)])
    world.start()
    await world.run(1)
    return world, await world.copy(copy)


def test_every_guard_has_its_scene():
    assert list(SCENES) == [guard.__name__ for guard in GUARDS]


@pytest.mark.parametrize("name", SCENES)
async def test_what_a_guard_alone_refuses_is_not_sent(name: str, monkeypatch: pytest.MonkeyPatch):
    world, copy = await played(SCENES[name], monkeypatch)

    assert copy.decision
    assert [verdict.guard for verdict in copy.decision.refusals] == [name]
    assert (copy.state, copy.skip_reason, world.venue.posts) == (CopyState.SKIPPED, name, [])


@pytest.mark.parametrize("name", SCENES)
async def test_without_that_guard_it_is_sent(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decider, "decide", partial(decide, guards=without(name)))

    world, copy = await played(SCENES[name], monkeypatch)

    assert len(world.venue.posts) == 1, copy.decision and copy.decision.refusals
    assert copy.state is CopyState.EXECUTED
