"""A comparison names what disagrees, names nothing while it is under way, and says what it could not ask."""

from datetime import timedelta

import pytest

from services.common.domain.fill import Discrepancy, ReconciliationResult, TradeStatus
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Side
from services.common.ports.chain import ChainUnavailable
from services.common.ports.venue import VenueUnavailable
from tests.builders import ACCOUNT, TOKEN
from tests.reconciler_world import API_LAG, EVERY, OTHER_TOKEN, SHARE, Sums, World

LATER = API_LAG.total_seconds() + 1


@pytest.fixture
async def world() -> World:
    """An account that holds ten settled shares, long ago."""
    made = await World().open()
    await made.held()
    await made.clock.run(LATER)
    return made


async def compared(world: World) -> ReconciliationResult:
    return await world.start().run_now()


async def test_books_that_agree_name_nothing_and_the_result_is_kept(world: World):
    result = await compared(world)

    assert (result.discrepancies, result.complete, result.positions_checked) == ((), True, 1)
    assert (result.block_number, result.started_at) == (world.chain.finalized, world.clock.now())
    assert await world.stores.results.latest(ACCOUNT) == result


@pytest.mark.parametrize("shares", [0, 9 * SHARE, 10 * SHARE + 1], ids=["nothing", "less", "more"])
async def test_a_token_of_which_the_chain_has_another_amount_is_named(world: World, shares: int):
    world.chain.shares[TOKEN] = shares

    assert (await compared(world)).discrepancies == (Discrepancy(TOKEN, "chain", 10 * SHARE, shares),)


async def test_a_token_of_which_the_data_api_has_another_amount_is_named(world: World):
    world.activity.shares[TOKEN] = 12 * SHARE

    assert (await compared(world)).discrepancies == (Discrepancy(TOKEN, "data_api", 10 * SHARE, 12 * SHARE),)


async def test_a_position_that_our_books_do_not_know_is_named(world: World):
    world.activity.shares["999"] = 3 * SHARE

    assert (await compared(world)).discrepancies == (Discrepancy("999", "data_api", 0, 3 * SHARE),)


async def test_a_position_that_every_source_denies_is_named_by_each(world: World):
    world.chain.shares.clear()
    world.activity.shares.clear()

    assert [item.source for item in (await compared(world)).discrepancies] == ["chain", "data_api"]


async def test_the_data_api_has_its_time_to_show_a_change_and_the_chain_has_none(world: World):
    await world.held(token=OTHER_TOKEN)
    world.chain.shares[OTHER_TOKEN] = world.activity.shares[OTHER_TOKEN] = 0

    early = await compared(world)
    await world.clock.run(LATER)
    late = await compared(world)

    assert [item.source for item in early.discrepancies] == ["chain"]
    assert [item.source for item in late.discrepancies] == ["chain", "data_api"]


async def test_a_match_that_is_not_settled_is_no_discrepancy_of_its_token_and_hides_none_of_another(world: World):
    copy = await world.matched()
    world.mines(copy, Sums(10 * SHARE, 5 * SHARE))
    world.activity.shares["999"] = SHARE

    result = await compared(world)

    assert (await world.copy(copy)).state is CopyState.EXECUTED
    assert [item.token_id for item in result.discrepancies] == ["999"]


async def test_an_order_that_filled_while_its_answer_was_lost_is_no_discrepancy_given_up_or_not(world: World):
    copy = await world.sent()
    world.mines(copy, Sums(10 * SHARE, 5 * SHARE))
    assert (await compared(world)).discrepancies == ()

    now = world.clock.now()
    await world.stores.copies.fail(copy.ref, None, "presumed_dead", True, False, None, now + timedelta(hours=1), now)
    await world.clock.run(1)
    assert (await compared(world)).discrepancies == ()

    # While it is watched the chain's logs tell of it.
    await world.clock.run(3_700)
    assert (await compared(world)).discrepancies == ()
    found = await world.copy(copy)
    assert (found.state, found.needs_review, found.filled_micros) == (CopyState.EXECUTED, True, 10 * SHARE)


async def test_a_sale_under_way_is_no_discrepancy(world: World):
    copy = await world.sent(Side.SELL)
    world.mines(copy, Sums(10 * SHARE, 5 * SHARE))

    assert (await compared(world)).discrepancies == ()


async def test_a_settlement_of_another_process_in_the_middle_of_a_comparison_is_no_discrepancy(world: World):
    copy = await world.matched()
    world.settles(copy, Sums(10 * SHARE, 5 * SHARE), "t7", 600)
    assert await world.stores.leases.take(f"reconcile:{ACCOUNT}", "other", timedelta(hours=1))
    found, other = world.stores.positions.of, world.start("other")

    async def meanwhile(accounts):
        positions = await found(accounts)
        world.stores.positions.of = found  # type: ignore[method-assign]
        await other._settler.turn(_always)
        return positions

    world.stores.positions.of = meanwhile  # type: ignore[method-assign]
    result = await world.start("mine").run_now()

    assert (await world.copy(copy)).state is CopyState.RECONCILED
    assert result.discrepancies == ()


async def _always() -> bool:
    return True


@pytest.mark.parametrize(("away", "name"), [("chain", "chain"), ("activity", "data_api")])
async def test_a_source_that_is_away_makes_the_result_incomplete_and_hides_not_the_other(
    world: World, away: str, name: str
):
    getattr(world, away).away = True
    world.chain.shares[TOKEN] = world.activity.shares[TOKEN] = SHARE

    result = await compared(world)

    assert (result.complete, result.unreachable) == (False, (name,))
    assert [item.source for item in result.discrepancies] == [{"chain": "data_api", "data_api": "chain"}[name]]


async def test_a_result_says_how_many_copies_were_settled_since_the_last_one(world: World):
    reconciler = world.start()
    await reconciler.run_now()
    for number in range(3):
        world.settles(await world.matched(), Sums(SHARE, SHARE), f"s{number}")
        await reconciler.turn()

    assert (await reconciler.run_now()).settled == 3
    assert (await reconciler.run_now()).settled == 0


async def test_marks_and_the_highest_equity_are_noted(world: World):
    world.shows(600_000, 700_000)
    world.chain.cash_micros = 20 * SHARE
    await compared(world)
    world.shows(100_000, 200_000)
    await compared(world)

    position = await world.position()
    assert position is not None
    assert position.mark_micros == 150_000
    assert (await world.exposure()).high_water_micros == 20 * SHARE + 6_500_000


async def test_what_a_sale_brings_before_it_is_booked_makes_no_best_that_never_was(world: World):
    world.shows(600_000, 700_000)
    sale = await world.matched(Side.SELL)
    world.trades(sale, Sums(10 * SHARE, 6 * SHARE), TradeStatus.MINED)
    world.mines(sale, Sums(10 * SHARE, 6 * SHARE))
    world.chain.cash_micros = 26 * SHARE

    await compared(world)

    assert (await world.copy(sale)).state is CopyState.EXECUTED
    assert (await world.exposure()).high_water_micros == 26 * SHARE


async def test_what_a_purchase_costs_before_it_is_booked_raises_no_best(world: World):
    world.shows(600_000, 700_000)
    purchase = await world.matched(token=OTHER_TOKEN)
    world.mines(purchase, Sums(10 * SHARE, 5 * SHARE))
    world.chain.cash_micros = 15 * SHARE

    await compared(world)

    assert (await world.exposure()).high_water_micros == 15 * SHARE + 6_500_000


async def test_cash_that_cannot_be_read_makes_the_result_incomplete_as_there_may_be_no_best(world: World):
    async def away(wallet: str, block: int | None = None) -> int:
        raise ChainUnavailable("away")

    world.chain.collateral_balance = away  # type: ignore[method-assign]
    result = await compared(world)

    assert (result.complete, result.unreachable) == (False, ("chain",))
    assert (await world.exposure()).high_water_micros == 0


async def test_cash_that_is_not_final_yet_makes_no_best(world: World):
    world.shows(600_000, 700_000)
    world.chain.cash_micros, world.chain.unfinal_micros = 20 * SHARE, 6 * SHARE

    await compared(world)

    assert (await world.exposure()).high_water_micros == 20 * SHARE + 6_500_000


async def test_a_price_that_cannot_be_read_stays_as_it_was(world: World):
    world.shows(600_000, 700_000)
    await compared(world)

    async def away(token_id: str):
        raise VenueUnavailable("away")

    world.markets.book = away  # type: ignore[method-assign]
    result = await compared(world)

    position = await world.position()
    assert position is not None
    assert (position.mark_micros, result.complete) == (650_000, True)


async def test_comparisons_come_every_so_often_and_settling_in_every_turn(world: World):
    reconciler = world.start()
    for _ in range(int(EVERY.total_seconds()) * 2 + 1):
        await reconciler.turn()
        await world.clock.run(1)

    assert (await world.stores.results.page([ACCOUNT], 100, 0)).total == 3 + 1


async def test_a_venue_that_is_away_stops_no_comparison(world: World):
    await world.matched()
    world.venue.away = True

    await world.start().turn()

    result = await world.stores.results.latest(ACCOUNT)
    assert result is not None
    assert (result.complete, result.started_at) == (True, world.clock.now())


async def test_one_process_at_a_time_works_on_an_account_and_the_next_takes_over(world: World):
    one, two = world.start("one"), world.start("two")
    await one.turn()
    copy = await world.matched()
    world.settles(copy, Sums(SHARE, SHARE), "t5", 700)

    await two.turn()
    assert (await world.copy(copy)).state is CopyState.EXECUTED

    await one.give_back()
    await two.turn()
    assert (await world.copy(copy)).state is CopyState.RECONCILED
    await one.turn()
    assert len(await world.stores.positions.ledger(ACCOUNT)) == 2


async def test_a_process_that_died_gives_its_account_up_when_its_lease_is_over(world: World):
    await world.start("dead").turn()
    copy = await world.matched()
    world.settles(copy, Sums(SHARE, SHARE), "t5", 700)

    await world.clock.run(31)
    await world.start("alive").turn()

    assert (await world.copy(copy)).state is CopyState.RECONCILED


async def test_a_comparison_that_is_asked_for_is_made_whoever_has_the_lease(world: World):
    await world.start("one").turn()
    copy = await world.matched()
    world.settles(copy, Sums(SHARE, SHARE), "t5", 700)
    await world.clock.run(1)

    result = await world.start("two").run_now()

    assert (result.settled, result.complete) == (0, True)
    assert (await world.copy(copy)).state is CopyState.EXECUTED
