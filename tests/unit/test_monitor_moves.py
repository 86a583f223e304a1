"""What leaders give away without a sale: merges, conversions and transfers are seen, each once, and payouts are not."""

import pytest

from services.common.domain.copy import CopyKind
from services.common.domain.follow import FollowState
from services.common.domain.market import Side, Token
from services.common.ports.venue import VenueUnavailable
from tests.builders import ACCOUNT, LEADER, TOKEN, a_follow
from tests.builders_case import a_market
from tests.controlled import as_it_is_not
from tests.monitor_world import EXCHANGE, OTHER_LEADER, SHARE, STRANGER, World, a_fill

OTHER_TOKEN = "8" * 70
NOBODY = "0x" + "0" * 40
CONDITION = "0x" + "c" * 64


@pytest.fixture
async def world():
    made = World()
    await made.follow(a_follow(), a_follow(leader=OTHER_LEADER))
    made.markets.list(a_market(condition_id=CONDITION, tokens=(Token(TOKEN, "Yes"), Token(OTHER_TOKEN, "No"))))
    return made


async def seen(world: World) -> list[tuple[str, str, int]]:
    """What every copy is of: leader, token and shares, debts only."""
    copies = await world.copies(ACCOUNT)
    assert {copy.kind for copy in copies} <= {CopyKind.DEBT}
    return [(copy.trade.leader, copy.trade.token_id, copy.trade.shares_micros // SHARE) for copy in copies]


async def swept(world: World, *, times: int = 1) -> None:
    monitor = await world.start()
    await world.clock.run(1)
    for _ in range(times):
        await monitor.chain.sweep()


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([(LEADER, STRANGER, TOKEN, 40)], [(LEADER, TOKEN, 40)]),
        (
            [(LEADER, NOBODY, TOKEN, 7), (LEADER, NOBODY, OTHER_TOKEN, 7)],
            [(LEADER, TOKEN, 7), (LEADER, OTHER_TOKEN, 7)],
        ),
        ([(LEADER, STRANGER, TOKEN, 40), (STRANGER, LEADER, TOKEN, 15)], [(LEADER, TOKEN, 25)]),
        ([(LEADER, STRANGER, TOKEN, 40), (STRANGER, LEADER, TOKEN, 40)], []),
        ([(STRANGER, LEADER, TOKEN, 40)], []),
        ([(LEADER, LEADER, TOKEN, 40)], []),
        ([(LEADER, OTHER_LEADER, TOKEN, 40)], [(LEADER, TOKEN, 40)]),
        (
            [(LEADER, STRANGER, TOKEN, 4), (OTHER_LEADER, STRANGER, TOKEN, 6)],
            [(LEADER, TOKEN, 4), (OTHER_LEADER, TOKEN, 6)],
        ),
    ],
    ids=[
        "a transfer",
        "a merge",
        "the net of it",
        "there and back",
        "a gift",
        "to himself",
        "to another leader",
        "two",
    ],
)
async def test_what_a_leader_gives_away_is_a_debt_by_its_net_decrease(world: World, moves, expected):
    world.mines(moves=moves)

    await swept(world)

    assert await seen(world) == expected
    for copy in await world.copies(ACCOUNT):
        assert (copy.trade.is_fill, copy.trade.usdc_micros, copy.trade.side) == (False, 0, Side.SELL)


async def test_it_is_one_debt_however_often_and_from_wherever_it_is_seen(world: World):
    tx_hash = world.mines(moves=[(LEADER, STRANGER, TOKEN, 40)])

    await swept(world, times=3)
    await swept(world)
    monitor = await world.start()
    await monitor.watch.see(world.hint(tx_hash, "activity"))

    assert await seen(world) == [(LEADER, TOKEN, 40)]


async def test_a_sale_with_its_transfer_and_a_sweep_is_one_debt(world: World):
    world.mines(
        a_fill(1, side=Side.SELL, shares=10 * SHARE, usdc=5 * SHARE),
        moves=[(LEADER, EXCHANGE, TOKEN, 10), (LEADER, STRANGER, TOKEN, 90)],
    )

    await swept(world)

    assert await seen(world) == [(LEADER, TOKEN, 10)]
    assert (await world.copies(ACCOUNT))[0].trade.is_fill


async def test_a_sale_of_one_token_hides_no_merge_of_another(world: World):
    world.mines(
        a_fill(1, side=Side.SELL, shares=10 * SHARE, usdc=5 * SHARE),
        moves=[(LEADER, EXCHANGE, TOKEN, 10), (LEADER, STRANGER, OTHER_TOKEN, 3)],
    )

    await swept(world)

    assert await seen(world) == [(LEADER, TOKEN, 10), (LEADER, OTHER_TOKEN, 3)]


async def test_a_transfer_that_comes_live_needs_no_sweep(world: World):
    tx_hash = world.mines(moves=[(LEADER, STRANGER, TOKEN, 40)])
    monitor = await world.start()
    world.chain.live.append((await world.chain.sightings_of([LEADER], 0, 10**12))[0])
    world.chain.swept.clear()
    await world.clock.run(1)

    with pytest.raises(Exception, match="the socket died"):
        await monitor.chain.follow([LEADER])
    await world.settle()

    assert [copy.trade.tx_hash for copy in await world.copies(ACCOUNT)] == [tx_hash]


async def test_a_reverted_transaction_gives_nothing_away(world: World):
    world.mines(moves=[(LEADER, STRANGER, TOKEN, 40)], ok=False)

    await swept(world)

    assert await seen(world) == []


async def test_a_payout_of_a_resolved_market_is_no_sale_and_a_transfer_of_another_beside_it_is_one(world: World):
    world.mines(moves=[(LEADER, NOBODY, TOKEN, 40)], redeemed=[CONDITION])
    world.mines(moves=[(LEADER, NOBODY, OTHER_TOKEN, 9)], redeemed=["0x" + "d" * 64])
    world.mines(moves=[(LEADER, NOBODY, "5" * 70, 9)], redeemed=["0x" + "d" * 64])

    await swept(world)

    assert await seen(world) == [(LEADER, OTHER_TOKEN, 9)]


async def test_a_payout_whose_market_cannot_be_asked_for_waits(world: World, monkeypatch: pytest.MonkeyPatch):
    world.mines(moves=[(LEADER, NOBODY, OTHER_TOKEN, 9)], redeemed=["0x" + "d" * 64])
    monitor = await world.start()
    before = await world.cursor()
    await world.clock.run(1)

    async def away(token_id: str) -> None:
        raise VenueUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(world.markets, "by_token", away)
        with pytest.raises(VenueUnavailable):
            await monitor.chain.sweep()
    assert (await world.cursor()).cursor_block == before.cursor_block

    await monitor.chain.sweep()

    assert await seen(world) == [(LEADER, OTHER_TOKEN, 9)]


async def test_a_closing_follow_still_hears_of_it_and_a_closed_one_does_not(world: World):
    await world.stores.follows.change(a_follow().follow_id, as_it_is_not(state=FollowState.CLOSING))
    await world.stores.follows.change(a_follow(leader=OTHER_LEADER).follow_id, as_it_is_not(state=FollowState.CLOSED))
    world.mines(moves=[(LEADER, STRANGER, TOKEN, 4), (OTHER_LEADER, STRANGER, TOKEN, 6)])

    await swept(world)

    assert await seen(world) == [(LEADER, TOKEN, 4)]
