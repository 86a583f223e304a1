"""The monitor's one door: whatever the hints, each fill is one copy for every account that follows."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.domain.copy import CopyKind
from services.common.domain.follow import FollowState, Grouping
from services.common.domain.market import Side
from services.common.domain.trade import Role
from services.common.ports.chain import ChainUnavailable
from services.common.ports.stores import StoreUnavailable
from services.common.ports.venue import VenueUnavailable
from services.common.store.memory import MemoryStores
from tests.builders import ACCOUNT, LEADER, NOON, TOKEN, a_follow, an_account
from tests.builders_case import a_market
from tests.controlled import as_it_is_not
from tests.monitor_world import OTHER_ACCOUNT, OTHER_LEADER, SHARE, STRANGER, World, a_fill

SOURCES = ("chain", "activity", "rtds", "sweep")


@pytest.fixture
async def world() -> World:
    made = World()
    await made.follow()
    return made


async def test_the_same_fill_from_every_source_is_one_copy(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))

    for source in SOURCES * 3:
        assert await monitor.watch.see(world.hint(tx, source))

    assert len(await world.copies()) == len(monitor.announced) == 1


async def test_ten_sources_that_speak_at_once_cost_one_receipt(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))

    await asyncio.gather(*(monitor.watch.see(world.hint(tx, source)) for source in SOURCES * 10))

    assert world.chain.receipts_read == [tx]
    assert len(await world.copies()) == 1


async def test_two_processes_that_see_the_same_fill_store_one_copy_and_announce_it_once(world: World):
    one, two, tx = await world.start(), await world.start(), world.mines(a_fill(1))

    await asyncio.gather(one.watch.see(world.hint(tx)), two.watch.see(world.hint(tx, "rtds")))

    assert len(await world.copies()) == len(one.announced + two.announced) == 1


async def test_five_fills_of_five_orders_in_one_transaction_are_five_copies(world: World):
    monitor, tx = await world.start(), world.mines(*(a_fill(order) for order in range(1, 6)))

    # Five identical rows, as the Data API and RTDS give them.
    for _ in range(5):
        await monitor.watch.see(world.hint(tx, "activity"))

    stored = await world.copies()
    assert len({copy.idempotency_key for copy in stored}) == 5
    assert sum(copy.trade.shares_micros for copy in stored) == 50 * SHARE


async def test_a_leader_on_both_sides_of_one_transaction_is_copied_for_both(world: World):
    monitor = await world.start()
    tx = world.mines(a_fill(1, side=Side.SELL, taker=STRANGER), a_fill(2))

    await monitor.watch.see(world.hint(tx))

    stored = {(copy.kind, copy.trade.role) for copy in await world.copies()}
    assert stored == {(CopyKind.DEBT, Role.MAKER), (CopyKind.ENTRY, Role.TAKER)}


async def test_every_leader_and_account_gets_what_it_follows(world: World):
    await world.follow(a_follow(OTHER_ACCOUNT), a_follow(OTHER_ACCOUNT, OTHER_LEADER))
    monitor = await world.start()
    tx = world.mines(a_fill(1), a_fill(2, OTHER_LEADER), a_fill(3, STRANGER))

    # The hint names one leader; the receipt tells of all.
    await monitor.watch.see(world.hint(tx))

    stored = {(copy.account_id, copy.trade.leader) for copy in await world.copies()}
    assert stored == {(ACCOUNT, LEADER), (OTHER_ACCOUNT, LEADER), (OTHER_ACCOUNT, OTHER_LEADER)}


async def test_a_hint_whose_receipt_has_no_fill_of_the_leader_creates_nothing(world: World):
    monitor = await world.start()
    strange, reverted = world.mines(a_fill(1, STRANGER, taker=LEADER)), world.mines(a_fill(2), ok=False)

    assert await monitor.watch.see(world.hint(strange))
    assert await monitor.watch.see(world.hint(reverted))

    assert await world.copies() == []


async def test_a_receipt_that_is_not_there_yet_is_asked_for_again(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1), in_s=30)
    seeing = asyncio.ensure_future(monitor.watch.see(world.hint(tx, "rtds")))

    await world.clock.run(29)
    assert not seeing.done()
    await world.clock.run(4)

    assert await seeing
    assert len(await world.copies()) == 1


async def test_a_transaction_that_is_never_mined_is_given_up_and_looked_at_again_by_the_next_hint(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))
    world.chain.unmined.add(tx)
    seeing = asyncio.ensure_future(monitor.watch.see(world.hint(tx)))
    await world.clock.run(100)
    assert await seeing is False

    world.chain.unmined.clear()

    assert await monitor.watch.see(world.hint(tx))
    assert len(await world.copies()) == 1


async def test_a_chain_or_a_store_that_is_away_leaves_the_transaction_to_the_next_hint(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))
    world.chain.away = True
    with pytest.raises(ChainUnavailable):
        await monitor.watch.see(world.hint(tx))
    world.chain.away, world.stores.database.unavailable = False, True
    with pytest.raises(StoreUnavailable):
        await monitor.watch.see(world.hint(tx))
    world.stores.database.unavailable = False
    assert not monitor.watch.knows(tx)

    await monitor.watch.see(world.hint(tx))

    assert len(await world.copies()) == 1


async def test_a_hint_in_the_background_that_fails_ends_nothing(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))
    world.chain.away = True
    monitor.watch.offer(world.hint(tx))
    await world.settle()

    world.chain.away = False
    monitor.watch.offer(world.hint(tx))
    await world.settle()

    assert len(await world.copies()) == 1


async def test_a_copy_carries_the_names_of_its_market_and_does_without_where_they_are_away(world: World):
    monitor = await world.start()
    named, unnamed = world.mines(a_fill(1)), world.mines(a_fill(2))
    market = a_market()
    world.markets.list(_of_token(market))
    await monitor.watch.see(world.hint(named))

    async def away(token_id: str):
        raise VenueUnavailable("away")

    world.markets.by_token = away  # type: ignore[method-assign]
    await monitor.watch.see(world.hint(unnamed))

    assert [(copy.title, copy.outcome) for copy in await world.copies()] == [("Rain?", "Yes"), ("", "")]


def _of_token(market):
    tokens = (type(market.tokens[0])(TOKEN, "Yes"), market.tokens[1])
    return type(market)(**{name: getattr(market, name) for name in market.__slots__} | {"tokens": tokens})


async def test_a_market_that_does_not_answer_holds_no_trade_up(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))

    async def never(token_id: str):
        await asyncio.Event().wait()

    world.markets.by_token = never  # type: ignore[method-assign]
    await monitor.watch.see(world.hint(tx))

    assert len(await world.copies()) == 1


async def test_an_account_that_follows_from_just_before_a_trade_gets_it_though_it_was_handled(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1))
    await monitor.watch.see(world.hint(tx))

    await world.follow(a_follow(OTHER_ACCOUNT, created_at=NOON - timedelta(seconds=1)))
    await monitor.roster.refresh()
    await monitor.watch.see(world.hint(tx, "sweep"))

    assert {copy.account_id for copy in await world.copies()} == {ACCOUNT, OTHER_ACCOUNT}


async def test_a_leader_who_joins_while_his_transaction_is_being_handled_is_not_missed(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1), a_fill(2, OTHER_LEADER), in_s=5)
    seeing = asyncio.ensure_future(monitor.watch.see(world.hint(tx)))
    await world.clock.run(4)

    await world.follow(a_follow(leader=OTHER_LEADER))
    await monitor.roster.refresh()
    await world.clock.run(5)

    assert await seeing
    assert {copy.trade.leader for copy in await world.copies()} == {LEADER, OTHER_LEADER}


async def test_a_follow_that_closes_takes_no_more_entries(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1), a_fill(2, side=Side.SELL))
    await world.stores.follows.change(a_follow().follow_id, as_it_is_not(state=FollowState.CLOSING))
    await monitor.roster.refresh()

    await monitor.watch.see(world.hint(tx))

    assert [copy.kind for copy in await world.copies()] == [CopyKind.DEBT]


@pytest.mark.parametrize("off", [timedelta(minutes=-3), timedelta(minutes=3)], ids=["behind", "ahead"])
async def test_a_groups_window_is_the_databases_whatever_the_monitors_clock_says(world: World, off: timedelta):
    world.stores = MemoryStores(lambda: world.clock.now() - off)
    policy = replace(a_follow().policy, grouping=Grouping.TOKEN, group_window_ms=10_000)
    await world.follow(a_follow(policy=policy, created_at=NOON - timedelta(hours=1)))
    monitor = await world.start()

    await monitor.watch.see(world.hint(world.mines(a_fill(1))))

    (copy,) = await world.copies()
    now = await world.stores.now()
    assert copy.detected_at == now
    assert copy.claimable_at is not None
    assert now < copy.claimable_at <= now + timedelta(seconds=10)


async def test_the_last_trade_of_a_leader_says_how_late_it_was_stored_and_counts_once(world: World):
    monitor, tx = await world.start(), world.mines(a_fill(1), a_fill(2))
    await world.clock.run(3)
    await monitor.watch.see(world.hint(tx))

    first, second = monitor.watch.last_of(LEADER), monitor.watch.last_of(LEADER)
    assert first is not None
    assert second is not None
    assert (first.fresh, first.lag_ms, second.fresh) == (2, 3_000, 0)


FILLS = (
    (a_fill(1), a_fill(2)),
    (a_fill(3, OTHER_LEADER), a_fill(4, side=Side.SELL)),
    (a_fill(5, STRANGER),),
    (a_fill(1, shares=4 * SHARE), a_fill(6, OTHER_LEADER, taker=STRANGER), a_fill(1, shares=3 * SHARE, log_index=9)),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(FILLS) - 1), st.sampled_from(SOURCES), st.integers(0, 1), st.booleans()),
        max_size=25,
    )
)
def test_any_interleaving_of_hints_gives_the_same_set_of_copies(hints: Sequence[tuple[int, str, int, bool]]):
    hinted, expected = asyncio.run(_stored(hints)), asyncio.run(_stored([(n, "chain", 0, False) for n in range(4)]))

    named = {f"0x{number + 1:064x}" for number, *_ in hints}
    assert hinted == {key for key in expected if key[1] in named}


async def _stored(hints: Sequence[tuple[int, str, int, bool]]) -> set[tuple[str, str, str, int, CopyKind]]:
    """What two processes store that are told these hints: (transaction, source, process, whether to wait for the answer)."""
    world = World()
    await world.follow(a_follow(), a_follow(OTHER_ACCOUNT, OTHER_LEADER), a_follow(leader=OTHER_LEADER))
    processes, txs = [await world.start(), await world.start()], [world.mines(*fills) for fills in FILLS]
    for number, source, process, waits in hints:
        watch, hint = processes[process].watch, world.hint(txs[number], source)
        if waits:
            await watch.see(hint)
        else:
            watch.offer(hint)
    await world.settle()
    stored = await world.copies()
    keys = {(c.account_id, c.trade.tx_hash, c.trade.order_hash, c.trade.shares_micros, c.kind) for c in stored}
    assert len(keys) == len(stored)
    return keys


async def test_a_leaders_burst_leaves_turns_between_for_whoever_trades_meanwhile(world: World):
    await world.follow(a_follow(leader=OTHER_LEADER))
    await world.stores.accounts.create(an_account())
    monitor = await world.start()
    await monitor.watch.see(world.hint(world.mines(*(a_fill(order) for order in range(1, 41)))))
    await monitor.watch.see(world.hint(world.mines(a_fill(50, OTHER_LEADER, token_id="8"))))

    taken = [await world.stores.copies.claim(ACCOUNT, "w", timedelta(seconds=5), fresh=True) for _ in range(2)]

    assert [copy.trade.leader for copy in taken if copy] == [LEADER, OTHER_LEADER]
