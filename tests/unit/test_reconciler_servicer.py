"""What the reconciler shows, to whom, and what a position is worth."""

import asyncio
from dataclasses import replace

import pytest
from polycopy.reconciler.v1 import reconciler_pb2 as pb

from services.common.domain.fill import Position
from services.common.domain.user import UserRole
from services.common.rpc.caller import Caller, Principal, calling
from services.common.rpc.errors import InvalidArgument, NotFound
from services.reconciler import wire
from services.reconciler.servicer import ReconcilerServicer
from tests.builders import ACCOUNT, CONDITION, NOON, TOKEN, an_account
from tests.reconciler_world import SHARE, World
from tests.still_clock import settle

OTHER_ACCOUNT = "0x" + "b" * 40
OWNER, STRANGER = (Caller("", Principal(address, UserRole.USER)) for address in (ACCOUNT, "0x" + "9" * 40))
ADMIN = Caller("", Principal("0x" + "9" * 40, UserRole.ADMIN))
POSITION = Position(ACCOUNT, ACCOUNT, TOKEN, CONDITION, 10 * SHARE, 4 * SHARE, 12 * SHARE, -7, 3, NOON)


@pytest.fixture
async def world() -> World:
    made = await World().open()
    await made.held()
    await made.stores.accounts.create(an_account(OTHER_ACCOUNT))
    return made


@pytest.fixture
def servicer(world: World) -> ReconcilerServicer:
    return ReconcilerServicer(world.stores, lambda: {ACCOUNT: world.start()}, asyncio.Event())


@pytest.mark.parametrize(("who", "count"), [(OWNER, 1), (STRANGER, 0), (ADMIN, 1)])
async def test_positions_and_results_are_shown_to_their_owner(servicer: ReconcilerServicer, who: Caller, count: int):
    calling(who)

    positions = await servicer.ListPositions(pb.ListPositionsRequest(), None)  # type: ignore[arg-type]
    results = await servicer.ListReconciliations(pb.ListReconciliationsRequest(), None)  # type: ignore[arg-type]

    assert (len(positions.positions), results.count) == (count, count)


async def test_results_come_in_pages_the_newest_first(world: World, servicer: ReconcilerServicer):
    for _ in range(3):
        await world.clock.run(1)
        await world.start().run_now()
    calling(OWNER)

    page = await servicer.ListReconciliations(pb.ListReconciliationsRequest(limit=2, offset=1), None)  # type: ignore[arg-type]

    assert (page.count, page.limit, page.offset, len(page.results)) == (4, 2, 1, 2)
    assert page.results[0].started_at.ToDatetime() > page.results[1].started_at.ToDatetime()
    with pytest.raises(InvalidArgument):
        await servicer.ListReconciliations(pb.ListReconciliationsRequest(limit=201), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("account", ["", ACCOUNT])
async def test_a_comparison_is_made_when_it_is_asked_for(world: World, servicer: ReconcilerServicer, account: str):
    world.chain.shares[TOKEN] = 3 * SHARE

    answer = await servicer.RunReconciliation(pb.RunReconciliationRequest(account_id=account), None)  # type: ignore[arg-type]

    (result,) = answer.results
    assert (result.account_id, result.complete, result.block_number) == (ACCOUNT, True, world.chain.finalized)
    (found,) = result.discrepancies
    assert (found.token_id, found.source, found.ours_micros, found.theirs_micros) == (
        TOKEN,
        "chain",
        10 * SHARE,
        3 * SHARE,
    )


async def test_an_account_that_is_not_reconciled_here_is_not_found(servicer: ReconcilerServicer):
    with pytest.raises(NotFound):
        await servicer.RunReconciliation(pb.RunReconciliationRequest(account_id=OTHER_ACCOUNT), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("who", "hears"), [(OWNER, True), (STRANGER, False)])
async def test_a_change_of_a_position_is_streamed_to_its_owner(
    world: World, servicer: ReconcilerServicer, who: Caller, hears: bool
):
    calling(who)
    stream = servicer.WatchPositions(pb.WatchPositionsRequest(), None)  # type: ignore[arg-type]
    coming = asyncio.ensure_future(anext(stream))
    await settle()

    await world.held(shares=2 * SHARE, usdc=SHARE)
    await settle()

    assert coming.done() is hears
    if hears:
        told = coming.result()
        assert (told.position_updated.asset_id, told.position_updated.position.size_micros) == (TOKEN, 12 * SHARE)
        await stream.aclose()
        again = servicer.WatchPositions(pb.WatchPositionsRequest(resume_token=told.resume_token), None)  # type: ignore[arg-type]
        later = asyncio.ensure_future(anext(again))
        await world.held(shares=SHARE, usdc=SHARE)
        assert (await later).position_updated.position.size_micros == 13 * SHARE
        await again.aclose()
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)


@pytest.mark.parametrize(
    ("changes", "value", "profit", "percent"),
    [
        ({"mark_micros": 600_000}, 6 * SHARE, 2 * SHARE, 50 * SHARE),
        ({"mark_micros": 100_000}, SHARE, -3 * SHARE, -75 * SHARE),
        ({"mark_micros": None}, None, None, None),
        ({"mark_micros": 600_000, "cost_micros": 0}, 6 * SHARE, 6 * SHARE, None),
        ({"mark_micros": 600_000, "shares_micros": 0, "cost_micros": 0}, 0, 0, None),
    ],
    ids=["a gain", "a loss", "no price", "no cost", "nothing held"],
)
def test_what_follows_from_a_price_is_absent_without_one(changes, value, profit, percent):
    message = wire.write_position(replace(POSITION, **changes))

    names = ("current_value_micros", "cash_pnl_micros", "percent_pnl_micros")
    assert [getattr(message, name) if message.HasField(name) else None for name in names] == [value, profit, percent]
    assert (message.realized_pnl_micros, message.total_bought_micros, message.fees_micros) == (-7, 12 * SHARE, 3)
