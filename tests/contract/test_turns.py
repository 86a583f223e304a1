"""Claims are fair between leaders, on every store: by turns, whatever lies in the collection beside."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.domain.copy import Copy, CopyKind
from services.common.ports.stores import Stores
from services.common.store.claims import ORDER, claimable
from services.common.store.client import MongoStores
from services.monitor.turns import FURTHEST, SPACING, Turns
from tests.builders import ACCOUNT, LEADER, NOON, a_copy, a_trade, an_account

LEASE = timedelta(seconds=5)
OTHER_LEADER = "0x" + "2" * 40
MANY = 40


def of(number: int, leader: str, now: datetime, token: str = "", kind: CopyKind = CopyKind.ENTRY) -> Copy:
    trade = a_trade(number, leader=leader, token_id=token or str(number), traded_at=now)
    return a_copy(number, kind=kind, trade=trade, now=now)


async def claims(stores: Stores, count: int) -> list[int]:
    """The numbers of the trades, as their copies are claimed."""
    taken = [await stores.copies.claim(ACCOUNT, "w", LEASE, fresh=True) for _ in range(count)]
    return [copy.trade.block_number - 100 for copy in taken if copy is not None]


@pytest.mark.parametrize("kind", [CopyKind.ENTRY, CopyKind.DEBT])
async def test_a_single_trade_has_its_turn_before_the_rest_of_anothers_burst(
    stores: Stores, now: datetime, kind: CopyKind
) -> None:
    await stores.accounts.create(an_account())
    turns, now = Turns(), now - timedelta(minutes=1)
    burst = turns.given([of(number, LEADER, now, kind=kind) for number in range(1, MANY + 1)], now)
    single = turns.given([of(99, OTHER_LEADER, now, kind=kind)], now + 2 * SPACING)
    await stores.copies.insert([*burst, *single])

    assert await claims(stores, 5) in ([1, 2, 3, 99, 4], [1, 2, 99, 3, 4])


async def test_copies_without_a_turn_go_by_when_they_were_detected(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    late, early = of(1, LEADER, now), of(2, LEADER, now - timedelta(seconds=3))
    await stores.copies.insert([late, early])

    assert await claims(stores, 2) == [2, 1]


async def test_what_is_not_claimable_yet_is_passed_over_whatever_its_turn_is(stores: Stores, now: datetime) -> None:
    await stores.accounts.create(an_account())
    later, ready = of(1, LEADER, now - timedelta(hours=1)), of(2, LEADER, now)
    await stores.copies.insert([replace(later, claimable_at=now + timedelta(hours=1)), ready])

    assert await claims(stores, 2) == [2]


async def test_a_claim_is_read_off_one_index_without_sorting_however_many_are_stored(
    stores: Stores, now: datetime
) -> None:
    if not isinstance(stores, MongoStores):
        pytest.skip("an index of MongoDB")
    await stores.accounts.create(an_account())
    await stores.copies.insert([replace(of(number, LEADER, now), claimable_at=None) for number in range(1_000)])
    await stores.copies.insert([of(2_000 + number, LEADER, now - timedelta(minutes=1)) for number in range(3)])

    kinds = [{"state": "executing"}, {"state": {"$in": ["detected", "claimed"]}, "rank": 2}]
    wanted = {**claimable(ACCOUNT, kinds), "_id": {"$nin": []}}
    find = {"find": "user_activities", "filter": wanted, "sort": dict(ORDER), "limit": 1}
    told = await stores.database.command({"explain": find, "verbosity": "executionStats"})

    plan = str(told["queryPlanner"]["winningPlan"])
    assert "'SORT'" not in plan
    assert "account_1_rank_1_turn_1_claimableAt_1" in plan
    assert told["executionStats"]["totalKeysExamined"] <= 2
    assert told["executionStats"]["totalDocsExamined"] == 1


LEADERS = st.sampled_from([LEADER, OTHER_LEADER])
TOKENS = st.sampled_from(["7", "8", "9"])


@given(st.lists(st.tuples(LEADERS, TOKENS, st.integers(0, 300)), max_size=30))
def test_turns_keep_the_order_of_each_token_and_space_each_leader(trades):
    turns, now, told = Turns(), NOON, []
    for number, (leader, token, wait_ms) in enumerate(trades, 1):
        now += timedelta(milliseconds=wait_ms)
        (copy,) = turns.given([of(number, leader, now, token)], now)
        told.append((copy, now))
        assert turns.given([copy], now + SPACING) == [copy]

    for token in "789":
        mine = [copy.turn for copy, _ in told if copy.trade.token_id == token]
        assert mine == sorted(mine)
    for copy, at in told:
        # Nobody is put off by more than the trades before his in the token, or of his own.
        ahead = [one for one, _ in told if one.trade.block_number < copy.trade.block_number]
        assert at <= copy.turn <= at + SPACING * len(ahead)


def test_no_turn_lies_further_ahead_than_a_trade_lives():
    turns = Turns()

    last = turns.given([of(number, LEADER, NOON) for number in range(2_000)], NOON)[-1]

    assert last.turn == NOON + FURTHEST
    assert turns.given([of(3_000, LEADER, NOON)], NOON + timedelta(minutes=1))[0].turn == NOON + timedelta(minutes=1)
