"""What guards are told by a running engine: marks, places, acknowledgements; and what a day that has cost too much does to its account."""

from dataclasses import replace

import pytest

from services.common.domain.account import AccountState, ExposureChange, Holding, Limits
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Book, Level, Market
from services.common.ports.venue import VenueUnavailable
from services.engine.decision_record import read_case
from tests.builders import CONDITION
from tests.engine_world import ACCOUNT, World
from tests.scripted_venue import SHARE

DOLLAR = 1_000_000
HELD = "9" * 70


async def a_world(**limits: int) -> World:
    return await World(Limits(**{"max_order_micros": 10**12, **limits})).open()


async def holding(world: World, shares: int, dollars: int, lost: int = 0) -> None:
    """The account holds shares of another market, and has lost so many dollars today."""
    held = Holding(HELD, "0xheld", "7", shares * SHARE, dollars * DOLLAR)
    await world.stores.accounts.apply(ACCOUNT, ExposureChange(world.clock.now(), held=held, lost_micros=lost * DOLLAR))


async def refused(world: World, number: int = 1) -> list[tuple[str, str]]:
    """Why the copy of the leader's next BUY was refused; nothing where it was not."""
    copy = await world.buys(number)
    await world.run(2)
    kept = (await world.copy(copy)).decision
    assert kept is not None
    return [(verdict.guard, verdict.reason) for verdict in kept.refusals]


async def test_a_day_that_cost_too_much_leaves_the_account_only_selling():
    world = await a_world()
    await holding(world, 10, 5, lost=201)
    world.start()

    assert await refused(world) == [("daily_loss", "loss_cap")]

    account = await world.account()
    assert account.state is AccountState.REDUCING
    assert account.trail[-1].action == "reducing:daily_loss"
    later = await world.buys(2)
    await world.run(3)
    assert (await world.copy(later)).state is CopyState.DETECTED


async def test_a_mark_that_is_missing_refuses_and_leaves_the_account_as_it_is(monkeypatch: pytest.MonkeyPatch):
    world = await a_world()
    await holding(world, 500, 250)
    book = world.venue.book

    async def away(token_id: str) -> Book | None:
        if token_id == HELD:
            raise VenueUnavailable("away")
        return await book(token_id)

    monkeypatch.setattr(world.venue, "book", away)
    world.start()

    assert await refused(world) == [("daily_loss", "marks_missing")]
    assert (await world.account()).state is AccountState.ACTIVE


async def opened(world: World, dollars: int) -> None:
    """The day began with so much lost on what is held."""
    await world.stores.accounts.apply(ACCOUNT, ExposureChange(world.clock.now(), opening_micros=dollars * DOLLAR))


async def test_what_holdings_had_lost_before_today_is_no_loss_of_today():
    world = await a_world()
    await holding(world, 1, 251)
    await opened(world, 55)
    world.start()

    assert await refused(world) == []
    assert (await world.account()).state is AccountState.ACTIVE


async def test_a_gain_that_the_day_began_with_and_that_is_lost_again_leaves_the_account_only_selling():
    world = await a_world()
    await holding(world, 1, 151)
    await opened(world, -55)
    world.start()

    assert await refused(world) == [("daily_loss", "loss_cap")]
    assert (await world.account()).state is AccountState.REDUCING


async def test_a_loss_that_may_be_of_yesterday_refuses_and_leaves_the_account_as_it_is_until_that_is_known():
    world = await a_world()
    world.clock.jump(12 * 3_600)
    await holding(world, 1, 251)
    world.start()

    assert await refused(world) == [("daily_loss", "opening_missing")]
    assert (await world.account()).state is AccountState.ACTIVE

    await opened(world, 55)
    assert await refused(world, 2) == []


@pytest.mark.parametrize(
    ("bids", "asks", "mark"),
    [((490_000,), (510_000,), 500_000), ((970_000,), (), 970_000), ((), (20_000,), None)],
    ids=["mid", "what is bid, where nothing is offered", "none where nobody bids"],
)
async def test_a_holding_is_worth_what_its_book_says(monkeypatch: pytest.MonkeyPatch, bids, asks, mark):
    world = await a_world()
    await holding(world, 10, 5)
    book = world.venue.book

    async def thin(token_id: str) -> Book | None:
        found = await book(token_id)
        if token_id != HELD or found is None:
            return found
        sides = (tuple(Level(price, SHARE) for price in side) for side in (bids, asks))
        return Book(token_id, *sides, found.read_at)

    monkeypatch.setattr(world.venue, "book", thin)
    world.start()
    copy = await world.buys()
    await world.run(2)

    kept = (await world.copy(copy)).decision
    assert kept
    assert read_case(kept.case).marks == ({} if mark is None else {HELD: mark})


async def test_a_holding_in_a_resolved_market_is_worth_what_it_pays(monkeypatch: pytest.MonkeyPatch):
    world = await a_world()
    await holding(world, 400, 250)
    by_token = world.venue.by_token

    async def resolved(token_id: str) -> Market | None:
        market = await by_token(token_id)
        if token_id != HELD or market is None:
            return market
        yes, no = market.tokens
        return replace(market, tokens=(yes, replace(no, token_id=HELD)), closed=True, payouts=(0, DOLLAR))

    monkeypatch.setattr(world.venue, "by_token", resolved)
    world.start()

    assert await refused(world) == []


async def test_the_places_of_what_is_held_in_a_neg_risk_event_are_kept_with_the_decision(
    monkeypatch: pytest.MonkeyPatch,
):
    world = await a_world()
    await holding(world, 10, 5)
    by_token = world.venue.by_token

    async def neg_risk(token_id: str) -> Market | None:
        market = await by_token(token_id)
        if market is None:
            return None
        if token_id != HELD:
            return replace(market, neg_risk=True)
        yes, no = market.tokens
        return replace(market, neg_risk=True, condition_id="0xheld", tokens=(yes, replace(no, token_id=HELD)))

    monkeypatch.setattr(world.venue, "by_token", neg_risk)
    world.start()
    copy = await world.buys()
    await world.run(2)

    kept = (await world.copy(copy)).decision
    assert kept
    case = read_case(kept.case)
    assert (case.outcomes, case.market and case.market.condition_id) == ({HELD: 1}, CONDITION)
