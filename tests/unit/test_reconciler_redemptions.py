"""Of a winner that was paid out in part, each transaction that did is booked once; whatever else became of its shares is named."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from services.common.domain.fill import Discrepancy, LedgerLine
from services.common.domain.market import Side, Token
from services.common.ports.chain import OrderFilled, Receipt, Transfer
from services.reconciler.redemptions import LOOKED_AGAIN, NOBODY
from tests.builders import ACCOUNT, CONDITION, NOON, TOKEN
from tests.builders_case import a_market
from tests.reconciler_world import EXCHANGE, OTHER_TOKEN, SHARE, World

ADAPTER = "0x" + "a" * 40
FRIEND = "0x" + "f" * 40
TOKENS = (Token(TOKEN, "Yes"), Token(OTHER_TOKEN, "No"))


@pytest.fixture
async def world() -> World:
    """Ten shares at 50 cents, whose market has been resolved for them."""
    made = await World().open()
    await made.held()
    resolves(made, (SHARE, 0))
    return made


def resolves(world: World, payouts: tuple[int, int]) -> None:
    market = {"condition_id": CONDITION, "event_id": "7", "closed": True, "uma_status": "resolved"}
    world.markets.list(a_market(tokens=TOKENS, payouts=payouts, **market))


def moved(
    world: World,
    number: int,
    shares: int,
    *path: str,
    token: str = TOKEN,
    block: int = 600,
    redeemed: Sequence[str] = (CONDITION,),
) -> str:
    """A transaction moves shares along a path of addresses, and pays out conditions; its hash."""
    tx = f"0x{number:064x}"
    moves = tuple(
        Transfer(sender, receiver, token, shares * SHARE, tx, block, index)
        for index, (sender, receiver) in enumerate(pairwise(path))
    )
    world.chain.receipts[tx] = Receipt(tx, block, "0xb", NOON, True, (), moves, frozenset(redeemed))
    gone = (path[0] == ACCOUNT) - (path[-1] == ACCOUNT)
    world.chain.shares[token] -= gone * shares * SHARE
    world.activity.shares[token] = world.chain.shares[token]
    return tx


async def parts(world: World, token: str = TOKEN) -> list[tuple[str, int, int, int]]:
    """Of each line of a payout: its transaction, and the shares, the cash and the gain that it books."""
    lines = [line for line in await world.stores.positions.ledger(ACCOUNT, token) if line.trade_id == token]
    return [(*_of(line),) for line in lines]


def _of(line: LedgerLine) -> tuple[str, int, int, int]:
    return line.order_hash, -line.shares_micros // SHARE, line.usdc_micros // SHARE, line.realized_micros // SHARE


@pytest.mark.parametrize("path", [(ACCOUNT, NOBODY), (ACCOUNT, ADAPTER, NOBODY)], ids=["by itself", "by an adapter"])
async def test_a_part_that_was_paid_out_is_booked_once_and_every_source_agrees(world: World, path):
    tx = moved(world, 1, 4, *path)
    reconciler = world.start()

    results = [await reconciler.run_now() for _ in range(2)]
    results.append(await world.start("another").run_now())

    position, exposure = await world.position(), await world.exposure()
    assert await parts(world) == [(tx, 4, 4, 2)]
    assert position is not None
    assert (position.shares_micros, position.cost_micros) == (6 * SHARE, 3 * SHARE)
    assert (position.realized_micros, position.payout_micros) == (2 * SHARE, None)
    assert (exposure.held[TOKEN].shares_micros, exposure.held[TOKEN].cost_micros) == (6 * SHARE, 3 * SHARE)
    assert exposure.day(world.clock.now()).lost_micros == -2 * SHARE
    assert [result.discrepancies for result in results] == [()] * 3


async def test_each_part_has_a_line_of_its_own_and_the_last_one_takes_what_is_left(world: World):
    reconciler = world.start()
    one, two = moved(world, 1, 4, ACCOUNT, NOBODY), moved(world, 2, 1, ACCOUNT, NOBODY, block=601)
    await reconciler.run_now()
    three = moved(world, 3, 2, ACCOUNT, NOBODY, block=1_000)
    await reconciler.run_now()
    moved(world, 4, 3, ACCOUNT, NOBODY, block=1_000)
    result = await reconciler.run_now()

    assert sorted(await parts(world)) == sorted(
        [(one, 4, 4, 2), (two, 1, 1, 0), (three, 2, 2, 1), ("resolved", 3, 3, 1)]
    )
    assert (await world.exposure()).held == {}
    assert (await world.exposure()).day(world.clock.now()).lost_micros == -5 * SHARE
    assert result.discrepancies == ()


async def test_both_outcomes_that_one_transaction_pays_out_are_booked(world: World):
    resolves(world, (SHARE // 2, SHARE // 2))
    await world.held(token=OTHER_TOKEN)
    first = moved(world, 1, 4, ACCOUNT, NOBODY)
    both = world.chain.receipts[first]
    moved(world, 1, 6, ACCOUNT, NOBODY, token=OTHER_TOKEN)
    other = world.chain.receipts[first]
    world.chain.receipts[first] = replace(both, transfers=(*both.transfers, *other.transfers))

    result = await world.start().run_now()

    assert (await parts(world), await parts(world, OTHER_TOKEN)) == ([(first, 4, 2, 0)], [(first, 6, 3, 0)])
    assert result.discrepancies == ()


@pytest.mark.parametrize(
    ("path", "redeemed"),
    [
        ((ACCOUNT, FRIEND), ()),
        ((ACCOUNT, FRIEND), (CONDITION,)),
        ((ACCOUNT, NOBODY), ()),
        ((ACCOUNT, NOBODY), ("0x" + "d" * 64,)),
    ],
    ids=["sent away", "sent away beside a payout", "merged", "beside a payout of another market"],
)
async def test_what_went_otherwise_is_named_and_not_booked(world: World, path, redeemed):
    moved(world, 1, 4, *path, redeemed=redeemed)

    result = await world.start().run_now()

    assert await parts(world) == []
    assert Discrepancy(TOKEN, "chain", 10 * SHARE, 6 * SHARE) in result.discrepancies


async def test_of_what_was_partly_sent_away_only_the_part_that_was_paid_out_is_booked(world: World):
    tx = moved(world, 1, 4, ACCOUNT, NOBODY)
    moved(world, 2, 1, ACCOUNT, FRIEND)

    result = await world.start().run_now()

    assert await parts(world) == [(tx, 4, 4, 2)]
    assert Discrepancy(TOKEN, "chain", 6 * SHARE, 5 * SHARE) in result.discrepancies


async def test_shares_that_were_never_on_the_books_are_not_taken_off_them(world: World):
    moved(world, 1, 5, FRIEND, ACCOUNT, redeemed=())
    tx = moved(world, 2, 8, ACCOUNT, NOBODY)

    result = await world.start().run_now()

    assert await parts(world) == [(tx, 3, 3, 1)]
    assert result.discrepancies == ()


async def test_a_transaction_that_reverted_or_sold_the_token_paid_out_nothing(world: World):
    reverted, sold = moved(world, 1, 1, ACCOUNT, NOBODY), moved(world, 2, 1, ACCOUNT, NOBODY)
    fill = OrderFilled("0xo", ACCOUNT, FRIEND, EXCHANGE, Side.SELL, TOKEN, SHARE, SHARE, 0, 1)
    world.chain.receipts[reverted] = replace(world.chain.receipts[reverted], ok=False)
    world.chain.receipts[sold] = replace(world.chain.receipts[sold], fills=(fill,))

    await world.start().run_now()

    assert await parts(world) == []


async def test_a_payout_that_is_not_final_waits(world: World):
    tx = moved(world, 1, 4, ACCOUNT, NOBODY, block=world.chain.finalized + 1)
    reconciler = world.start()
    await reconciler.run_now()
    before = await parts(world)

    world.chain.finalized += 1
    await reconciler.run_now()

    assert (before, await parts(world)) == ([], [(tx, 4, 4, 2)])


async def test_a_node_without_the_receipt_is_asked_again_for_all_of_it(world: World):
    tx = moved(world, 1, 4, ACCOUNT, NOBODY)
    reconciler, known, found = world.start(), world.chain.receipts[tx], world.chain.receipt

    async def unknown(tx_hash: str):
        return None

    world.chain.receipt = unknown  # type: ignore[method-assign]
    await reconciler.run_now()
    assert (await parts(world), known.ok) == ([], True)

    world.chain.receipt = found  # type: ignore[method-assign]
    await reconciler.run_now()
    assert await parts(world) == [(tx, 4, 4, 2)]


async def test_blocks_are_looked_at_from_the_last_fill_on_and_later_the_newest_again(world: World):
    moved(world, 1, 1, ACCOUNT, FRIEND, redeemed=())
    reconciler = world.start()
    await reconciler.run_now()
    world.chain.finalized += 50
    await reconciler.run_now()

    assert world.chain.looked_from == [500, 1_001 - LOOKED_AGAIN]


async def test_who_has_lost_the_lease_books_no_part_and_the_next_one_does(world: World):
    tx = moved(world, 1, 4, ACCOUNT, NOBODY)
    reconciler = world.start()

    async def lost() -> bool:
        return False

    assert await reconciler._resolutions.turn(lost) == 0
    assert await parts(world) == []

    await reconciler.run_now()
    assert await parts(world) == [(tx, 4, 4, 2)]
