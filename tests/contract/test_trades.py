"""Leaders' trades by what a reorg leaves alone: their copies are found by the leader's order, and a trade stands in one place."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.common.domain.copy import Copy, CopyKind
from services.common.domain.trade import trade_key
from services.common.ports.stores import Stores
from services.common.store.client import MongoStores
from services.common.store.trades import copies_of
from tests.builders import a_copy, a_trade

OTHER_ACCOUNT = "0x" + "b" * 40
ORDER, OTHER_ORDER = "0x" + "7" * 64, "0x" + "8" * 64


def of(number: int, order: str, now: datetime, **changes: object) -> Copy:
    tx_hash = f"0x{number:064x}"
    trade = a_trade(number, key=trade_key(137, tx_hash, order), tx_hash=tx_hash, order_hash=order)
    return a_copy(number, trade=trade, now=now, **changes)  # type: ignore[arg-type]


async def test_a_trade_is_found_by_its_order_however_many_copies_there_are_of_it(stores: Stores, now: datetime) -> None:
    mine, twice, another = of(1, ORDER, now), of(2, ORDER, now), of(3, OTHER_ORDER, now)
    others = of(1, ORDER, now, account=OTHER_ACCOUNT)
    await stores.copies.insert([mine, twice, another, others])

    assert set(await stores.trades.of_orders([ORDER])) == {mine.trade, twice.trade}
    assert set(await stores.trades.of_orders([ORDER, OTHER_ORDER])) == {mine.trade, twice.trade, another.trade}
    assert await stores.trades.of_orders(["0x" + "9" * 64]) == ()
    assert await stores.trades.of_orders([]) == ()


async def test_a_trade_is_found_off_one_index_however_many_are_stored(stores: Stores, now: datetime) -> None:
    if not isinstance(stores, MongoStores):
        pytest.skip("an index of MongoDB")
    await stores.copies.insert([of(number, f"0x{number:064x}", now) for number in range(1, 200)])

    find = {"find": "user_activities", "filter": copies_of([f"0x{7:064x}"])}
    told = await stores.database.command({"explain": find, "verbosity": "executionStats"})

    assert "trade.orderHash_1" in str(told["queryPlanner"]["winningPlan"])
    assert told["executionStats"]["totalDocsExamined"] == 1


async def test_a_trade_is_as_its_first_copy_has_it(stores: Stores, now: datetime) -> None:
    first = of(1, ORDER, now)
    later = of(1, ORDER, now + timedelta(seconds=9), account=OTHER_ACCOUNT)
    later = replace(later, trade=replace(later.trade, tx_hash="0x" + "2" * 64))
    await stores.copies.insert([later, first])

    assert await stores.trades.of_orders([ORDER]) == (first.trade,)


async def test_an_attempt_to_sell_is_no_copy_of_the_trade_it_is_held_against(stores: Stores, now: datetime) -> None:
    await stores.copies.insert([of(1, ORDER, now, kind=CopyKind.EXIT)])

    assert await stores.trades.of_orders([ORDER]) == ()


async def test_a_trade_moves_from_where_it_stands_and_to_one_place(stores: Stores) -> None:
    assert await stores.trades.place("a trade") == ""

    moved = await asyncio.gather(*(stores.trades.move("a trade", "first", after) for after in ("second", "third")))

    assert sorted(moved) == [False, True]
    place = await stores.trades.place("a trade")
    assert place == ("second" if moved[0] else "third")
    assert not await stores.trades.move("a trade", "first", "fourth")
    assert await stores.trades.move("a trade", "first", place)
    assert await stores.trades.move("a trade", place, "fourth")
    assert await stores.trades.place("a trade") == "fourth"
    assert await stores.trades.place("another trade") == ""


async def test_of_two_that_note_trades_of_one_fill_the_second_is_told_of_the_first(
    stores: Stores, now: datetime
) -> None:
    one, two = of(1, ORDER, now).trade, of(2, ORDER, now).trade
    assert one.fill == two.fill

    told = await asyncio.gather(*(stores.trades.claim(trade, {}) for trade in (one, two)))

    first, second = (one, two) if not told[0] else (two, one)
    assert sorted(told, key=len) == [{}, {first.key: first.tx_hash}]
    assert await stores.trades.claim(second, {}) == {first.key: first.tx_hash}
    assert await stores.trades.claim(of(3, OTHER_ORDER, now).trade, {}) == {}


async def test_a_trade_is_noted_beside_those_that_its_maker_knows_and_no_others(stores: Stores, now: datetime) -> None:
    trades = [of(number, ORDER, now).trade for number in range(1, 5)]
    places = {trade.key: trade.tx_hash for trade in trades}
    alone, both = ({trade.key: trade.tx_hash for trade in trades[:number]} for number in (1, 2))
    await stores.trades.claim(trades[0], {})

    assert await stores.trades.claim(trades[1], alone) == alone
    assert await stores.trades.claim(trades[2], alone) == both
    told = await asyncio.gather(*(stores.trades.claim(trade, both) for trade in trades[2:]))

    assert sorted(map(len, told)) == [2, 3]
    assert set(await stores.trades.claim(trades[0], {})) == set(max(told, key=len)) <= set(places)
