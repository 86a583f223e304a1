"""A resolved market's tokens leave the books once: what pays nothing at once, what pays when it has been paid out."""

from datetime import timedelta

import pytest

from services.common.domain.fill import Discrepancy
from services.common.domain.market import Side, Token
from services.common.ports.venue import VenueUnavailable
from tests.builders import ACCOUNT, CONDITION, TOKEN
from tests.builders_case import a_market
from tests.reconciler_world import EVERY, OTHER_TOKEN, SHARE, Sums, World

YES, NO, HALF = (SHARE, 0), (0, SHARE), (SHARE // 2, SHARE // 2)
TOKENS = (Token(TOKEN, "Yes"), Token(OTHER_TOKEN, "No"))


@pytest.fixture
async def world() -> World:
    """Ten shares at 50 cents, settled, and not a cent beside."""
    made = await World().open()
    await made.held()
    return made


def resolves(world: World, payouts: tuple[int, int]) -> None:
    market = {"condition_id": CONDITION, "event_id": "7", "closed": True, "uma_status": "resolved"}
    world.markets.list(a_market(tokens=TOKENS, payouts=payouts, **market))


def pays(world: World, cash: int, left: int = 0) -> None:
    """Somebody redeems what the wallet has: the Data API shows it no more."""
    world.chain.shares[TOKEN], world.chain.cash_micros = left, cash
    world.activity.shares.pop(TOKEN, None)


async def realized(world: World) -> int | None:
    """What the books, the line and the day each say was gained, where they say the same and nothing is held any more."""
    position, exposure = await world.position(), await world.exposure()
    lines = [line for line in await world.stores.positions.ledger(ACCOUNT, TOKEN) if line.order_hash == "resolved"]
    if position is None or position.shares_micros or position.cost_micros or exposure.held or len(lines) != 1:
        return None
    assert sum(line.shares_micros for line in await world.stores.positions.ledger(ACCOUNT, TOKEN)) == 0
    (line,) = lines
    lost = exposure.day(world.clock.now()).lost_micros
    return position.realized_micros if position.realized_micros == line.realized_micros == -lost else None


@pytest.mark.parametrize(
    ("payouts", "gained"),
    [(YES, 5 * SHARE), (HALF, 0), (NO, -5 * SHARE)],
    ids=["won", "half and half", "lost"],
)
async def test_what_was_redeemed_is_booked_once_and_every_source_agrees(world: World, payouts, gained: int):
    resolves(world, payouts)
    pays(world, cash=10 * payouts[0])
    reconciler = world.start()

    results = [await reconciler.run_now() for _ in range(3)]
    await world.start("another").run_now()
    await world.clock.run(120)
    results.append(await reconciler.run_now())

    assert await realized(world) == gained
    assert [result.discrepancies for result in results] == [()] * 4
    assert (await world.exposure()).high_water_micros == 10 * payouts[0]


async def test_a_loser_is_booked_though_it_stays_in_the_wallet_and_its_loss_counts_on_its_day_alone(world: World):
    resolves(world, NO)

    await world.start().turn()
    lost = await realized(world)
    await world.clock.run(timedelta(days=1).total_seconds())
    result = await world.start().run_now()

    assert lost == -5 * SHARE
    assert result.discrepancies == ()
    assert (await world.exposure()).day(world.clock.now()).lost_micros == 0
    assert (world.chain.shares[TOKEN], world.activity.shares[TOKEN]) == (10 * SHARE, 10 * SHARE)


async def test_a_winner_that_nobody_has_redeemed_stays_on_the_books_at_what_it_pays(world: World):
    resolves(world, YES)

    result = await world.start().run_now()

    position = await world.position()
    assert position is not None
    assert (position.shares_micros, position.mark_micros, position.payout_micros) == (10 * SHARE, SHARE, None)
    assert (await world.exposure()).held[TOKEN].shares_micros == 10 * SHARE
    assert ((await world.exposure()).high_water_micros, result.discrepancies) == (10 * SHARE, ())


async def test_of_a_winner_a_part_of_which_is_gone_nobody_knows_what_became_and_dust_is_no_part(world: World):
    resolves(world, YES)
    pays(world, cash=7 * SHARE, left=3 * SHARE)
    result = await world.start().run_now()
    assert Discrepancy(TOKEN, "chain", 10 * SHARE, 3 * SHARE) in result.discrepancies
    assert await realized(world) is None

    pays(world, cash=10 * SHARE, left=1)
    await world.start().run_now()

    assert await realized(world) == 5 * SHARE


async def test_a_token_that_is_gone_from_a_market_that_is_open_stays_on_the_books_and_is_named(world: World):
    pays(world, cash=0)

    result = await world.start().run_now()

    assert Discrepancy(TOKEN, "chain", 10 * SHARE, 0) in result.discrepancies
    assert await realized(world) is None


async def test_what_a_sale_has_taken_is_not_taken_for_a_payout(world: World):
    sale = await world.matched(Side.SELL)
    world.mines(sale, Sums(10 * SHARE, 6 * SHARE))
    resolves(world, YES)

    await world.start().run_now()
    before = await world.exposure()
    world.trades(sale, Sums(10 * SHARE, 6 * SHARE))
    await world.clock.run(1)
    await world.start().run_now()

    assert before.held[TOKEN].shares_micros == 10 * SHARE
    lines = await world.stores.positions.ledger(ACCOUNT, TOKEN)
    assert (sum(line.realized_micros for line in lines), len(lines)) == (SHARE, 2)


@pytest.mark.parametrize("source", ["chain", "markets"])
async def test_while_a_source_is_away_nothing_is_paid_and_later_it_is(world: World, source: str, monkeypatch):
    async def away(token_id: str):
        raise VenueUnavailable("away")

    resolves(world, YES)
    pays(world, cash=10 * SHARE)
    with monkeypatch.context() as patch:
        patch.setattr(world.markets, "by_token", away) if source == "markets" else patch.setattr(
            world.chain, "away", True
        )
        await world.start().turn()
    assert await realized(world) is None

    await world.start().run_now()

    assert await realized(world) == 5 * SHARE


async def test_who_has_lost_the_lease_books_nothing(world: World):
    resolves(world, NO)
    await world.stores.leases.give_back(f"reconcile:{ACCOUNT}", "one")
    assert await world.stores.leases.take(f"reconcile:{ACCOUNT}", "another", EVERY)

    await world.start("one").run_now()

    assert await realized(world) is None
