"""Fills, ledger, positions and results: booked once, listed in one order, read back to the last micro."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.common.domain.account import ExposureChange, Holding
from services.common.domain.fill import Discrepancy, LedgerLine, Position, ReconciliationResult, TradeStatus
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Stores
from tests.builders import ACCOUNT, TOKEN, a_trade
from tests.contract.lifecycle_world import books, executed, settled
from tests.patience import PATIENT_S

OTHER = "0x" + "b" * 40


async def test_a_settlement_keeps_fills_lines_and_positions_as_they_were_given(stores: Stores, now: datetime) -> None:
    copy = await executed(stores, now)
    made = books(copy, now)
    fill = replace(made.fills[0], tx_hash="0xt", block_number=7, booked=True)
    position = replace(made.positions[0], title="A title", ends_at=now, mark_micros=1, neg_risk=True)

    assert await settled(
        stores, copy, copy.fence, CopyState.RECONCILED, now, replace(made, fills=(fill,), positions=(position,))
    )

    assert await stores.positions.fills([ACCOUNT]) == (fill,)
    assert await stores.positions.fills_of(copy.copy_id) == (fill,)
    assert await stores.positions.ledger(ACCOUNT) == made.lines
    assert await stores.positions.get(ACCOUNT, TOKEN) == position
    assert await stores.positions.of([ACCOUNT]) == (position,)


async def test_a_trade_is_booked_once_and_takes_its_later_status(stores: Stores, now: datetime) -> None:
    copy = await executed(stores, now)
    made = books(copy, now)
    await settled(stores, copy, copy.fence, CopyState.RECONCILED, now, made)
    failed = replace(made.fills[0], status=TradeStatus.FAILED, tx_hash="0xretried")

    again = replace(made, fills=(failed,), positions=(), change=ExposureChange(now))
    assert await settled(stores, copy, copy.fence + 1, CopyState.EXECUTED, now, again)

    assert await stores.positions.fills([ACCOUNT]) == (failed,)
    assert await stores.positions.ledger(ACCOUNT) == made.lines


async def test_one_trade_of_two_orders_is_two_fills(stores: Stores, now: datetime) -> None:
    copy = await executed(stores, now)
    made = books(copy, now)
    fills = tuple(replace(made.fills[0], order_hash=order_hash) for order_hash in ("0x1", "0x2"))

    await settled(stores, copy, copy.fence, CopyState.RECONCILED, now, replace(made, fills=fills))

    assert await stores.positions.fills([ACCOUNT]) == fills


async def test_a_settlement_that_is_refused_books_nothing(stores: Stores, now: datetime) -> None:
    copy = await executed(stores, now)

    assert not await settled(stores, copy, copy.fence - 1, CopyState.RECONCILED, now)

    assert await stores.positions.fills([ACCOUNT]) == ()
    assert await stores.positions.ledger(ACCOUNT) == ()
    assert await stores.positions.of([ACCOUNT]) == ()


async def test_a_position_that_was_computed_on_an_older_one_is_refused_with_its_settlement(
    stores: Stores, now: datetime
) -> None:
    first, frozen = await executed(stores, now, 1), await executed(stores, now, 2)
    stale = books(frozen, now, "t2")
    await settled(stores, first, first.fence, CopyState.RECONCILED, now, books(first, now, "t1"))

    assert not await settled(stores, frozen, frozen.fence, CopyState.RECONCILED, now, stale)
    assert [line.trade_id for line in await stores.positions.ledger(ACCOUNT)] == ["t1"]
    assert await stores.copies.get(frozen.copy_id) == frozen

    fresh = replace(stale.positions[0], shares_micros=20_000_000)
    again = replace(stale, positions=(fresh,))
    assert await settled(stores, frozen, frozen.fence, CopyState.RECONCILED, now, again)
    assert await stores.positions.get(ACCOUNT, TOKEN) == fresh


async def two_tokens(stores: Stores, now: datetime) -> None:
    for number in (2, 1):
        copy = await executed(stores, now, number, trade=a_trade(number, token_id=str(number)))
        await settled(stores, copy, copy.fence, CopyState.RECONCILED, now, books(copy, now, trade_id=f"t{number}"))


async def test_listings_have_one_order_and_know_their_account(stores: Stores, now: datetime) -> None:
    await two_tokens(stores, now)

    assert [fill.trade_id for fill in await stores.positions.fills([ACCOUNT, OTHER])] == ["t1", "t2"]
    assert [line.trade_id for line in await stores.positions.ledger(ACCOUNT)] == ["t1", "t2"]
    assert [line.trade_id for line in await stores.positions.ledger(ACCOUNT, "2")] == ["t2"]
    assert [position.token_id for position in await stores.positions.of([ACCOUNT])] == ["1", "2"]
    assert await stores.positions.fills([OTHER]) == ()
    assert await stores.positions.ledger(OTHER) == ()
    assert await stores.positions.of([]) == ()
    assert await stores.positions.get(OTHER, "1") is None


async def test_a_mark_changes_the_price_of_what_is_held_and_makes_nothing(stores: Stores, now: datetime) -> None:
    await two_tokens(stores, now)
    before = await stores.positions.get(ACCOUNT, "1")
    assert before is not None

    for _ in range(2):
        await stores.positions.mark(ACCOUNT, "1", 420_000, now)
    await stores.positions.mark(ACCOUNT, "9", 420_000, now)

    assert await stores.positions.get(ACCOUNT, "1") == replace(before, mark_micros=420_000)
    assert len(await stores.positions.of([ACCOUNT])) == 2


async def test_changes_of_positions_are_watched(stores: Stores, now: datetime) -> None:
    await two_tokens(stores, now)
    watching = stores.positions.watch(None)
    first = asyncio.ensure_future(anext(watching))

    async with asyncio.timeout(PATIENT_S):
        mark = 0
        while not first.done():
            mark += 1
            await stores.positions.mark(ACCOUNT, "1", mark, now)
            await asyncio.sleep(0.02)

    seen = first.result().value
    await watching.aclose()
    assert seen is not None
    assert (seen.token_id, 1 <= (seen.mark_micros or 0) <= mark) == ("1", True)


def a_result(number: int, now: datetime, **changes: Any) -> ReconciliationResult:
    at = now + timedelta(seconds=number)
    made = ReconciliationResult(f"result {number}", ACCOUNT, now, at, number, (), 0, True)
    return replace(made, **changes)


async def test_a_result_is_kept_once_as_it_was_given(stores: Stores, now: datetime) -> None:
    result = a_result(
        1,
        now,
        discrepancies=(Discrepancy(TOKEN, "chain", 1, 2**63),),
        complete=False,
        block_number=9,
        unreachable=("data_api", "chain"),
    )

    assert await stores.results.add(result)
    assert not await stores.results.add(result)
    assert not await stores.results.add(a_result(1, now))
    assert await stores.results.latest(ACCOUNT) == result


async def test_results_are_paged_newest_first(stores: Stores, now: datetime) -> None:
    made = [a_result(number, now) for number in range(5)]
    for result in [*made, a_result(9, now, account_id=OTHER)]:
        await stores.results.add(result)

    page = await stores.results.page([ACCOUNT], 2, 1)

    assert page.items == (made[3], made[2])
    assert page.total == 5
    assert (await stores.results.page([ACCOUNT, OTHER], 1, 0)).items == (a_result(9, now, account_id=OTHER),)
    assert await stores.results.page([], 5, 0) == await stores.results.page(["none"], 5, 0)
    assert await stores.results.latest("none") is None


async def test_results_of_one_instant_are_listed_in_one_order(stores: Stores, now: datetime) -> None:
    for number in (2, 1, 3):
        await stores.results.add(a_result(number, now, finished_at=now))

    found = (await stores.results.page([ACCOUNT], 9, 0)).items

    assert [result.result_id for result in found] == ["result 3", "result 2", "result 1"]


async def test_a_page_of_nothing_is_empty_and_counts_all(stores: Stores, now: datetime) -> None:
    copy = await executed(stores, now)
    await stores.results.add(a_result(1, now))

    assert await stores.copies.page([ACCOUNT], 0, 0) == await stores.copies.page([ACCOUNT], 5, 1)
    assert (await stores.copies.page([ACCOUNT], 5, 0)).items == (await stores.copies.get(copy.copy_id),)
    assert ((await stores.results.page([ACCOUNT], 0, 0)).items, (await stores.results.page([ACCOUNT], 0, 0)).total) == (
        (),
        1,
    )
    assert await stores.copies.unsettled(ACCOUNT, 0) == ()


async def test_a_comparison_is_asked_for_and_whoever_asks_last_is_heard(stores: Stores, now: datetime) -> None:
    assert await stores.results.asked(ACCOUNT) is None

    for at in (now, now + timedelta(seconds=1)):
        await stores.results.ask(ACCOUNT, at)
        await stores.results.ask("another", now)

    assert await stores.results.asked(ACCOUNT) == now + timedelta(seconds=1)


def resolved(position: Position, now: datetime) -> tuple[Position, LedgerLine, ExposureChange]:
    """All of it taken off the books, for a dollar a share."""
    shares, cost, token = position.shares_micros, position.cost_micros, position.token_id
    after = replace(position, shares_micros=0, cost_micros=0, realized_micros=shares - cost, payout_micros=1_000_000)
    line = LedgerLine(ACCOUNT, token, token, "resolved", "", -shares, shares, 0, shares - cost, now)
    gone = Holding(token, position.condition_id, position.event_id, -shares, -cost)
    return after, line, ExposureChange(now, held=gone, lost_micros=cost - shares)


async def test_a_resolution_takes_a_token_off_the_books_once_whoever_books_it(stores: Stores, now: datetime) -> None:
    copy = await executed(stores, now)
    made = books(copy, now)
    await settled(stores, copy, copy.fence, CopyState.RECONCILED, now, made)
    after, line, change = resolved(made.positions[0], now)

    done = await asyncio.gather(*(stores.positions.resolve(after, line, change) for _ in range(4)))

    assert sorted(done) == [False, False, False, True]
    assert not await stores.positions.resolve(after, line, change)
    assert await stores.positions.get(ACCOUNT, TOKEN) == after
    assert set(await stores.positions.ledger(ACCOUNT)) == {*made.lines, line}
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert (account.exposure.held, account.exposure.day(now).lost_micros) == ({}, change.lost_micros)


async def test_a_resolution_that_was_computed_on_an_older_position_books_nothing(stores: Stores, now: datetime) -> None:
    first, second = await executed(stores, now, 1), await executed(stores, now, 2)
    made, more = books(first, now, "t1"), books(second, now, "t2")
    await settled(stores, first, first.fence, CopyState.RECONCILED, now, made)
    stale = resolved(made.positions[0], now)
    grown = replace(more.positions[0], shares_micros=2 * made.positions[0].shares_micros)
    assert await settled(stores, second, second.fence, CopyState.RECONCILED, now, replace(more, positions=(grown,)))
    before = await stores.accounts.get(ACCOUNT)

    assert not await stores.positions.resolve(*stale)
    assert not await stores.positions.resolve(*resolved(replace(grown, account_id=OTHER), now))

    assert await stores.positions.get(ACCOUNT, TOKEN) == grown
    assert [line.trade_id for line in await stores.positions.ledger(ACCOUNT)] == ["t1", "t2"]
    assert await stores.accounts.get(ACCOUNT) == before
