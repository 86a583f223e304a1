"""Who is followed under which policy, and how far each leader has been read."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from services.common.domain.follow import Follow, FollowState, Leaving, Policy, SizingMode, Tier
from services.common.ports.accounts import Leader
from services.common.ports.stores import Stores
from tests.builders import LEADER, a_follow
from tests.controlled import left, over

OTHER = "0x" + "2" * 40
POLICY = Policy(mode=SizingMode.TIERED, tiers=(Tier(0, 100), Tier(9, 50)), denied_markets=("0xc0", "0xc1"))


async def test_a_follow_is_created_once_and_kept_as_it_was_given(stores: Stores) -> None:
    follow = a_follow(policy=POLICY)

    assert await stores.follows.create(follow)
    assert not await stores.follows.create(follow)
    assert not await stores.follows.create(a_follow())
    assert await stores.follows.get(follow.follow_id) == follow
    assert await stores.follows.all() == (follow,)


async def test_an_account_follows_a_leader_once_whatever_the_follow_is_called(stores: Stores) -> None:
    follow = a_follow()
    assert await stores.follows.create(follow)

    assert not await stores.follows.create(replace(follow, follow_id="another name"))
    assert await stores.follows.all() == (follow,)


async def test_a_follow_is_changed_as_it_was_read_whoever_is_at_it_too(stores: Stores, now: datetime) -> None:
    follow = a_follow()
    await stores.follows.create(follow)

    done = await asyncio.gather(
        *(stores.follows.change(follow.follow_id, left(Leaving.CLOSE, now, f"0x{n}")) for n in range(8))
    )

    (winner,) = [found for found in done if found is not None]
    assert len(winner.trail) == 1
    assert await stores.follows.get(follow.follow_id) == winner


async def test_what_is_not_followed_is_not_changed(stores: Stores, now: datetime) -> None:
    assert await stores.follows.get("none") is None
    assert await stores.follows.change("none", left(Leaving.KEEP, now)) is None
    assert await stores.follows.all() == ()


def a_leader(now: datetime, block: int = 100, address: str = LEADER) -> Leader:
    return Leader(address, block, now, seen=3, last_trade_at=now, lag_ms=12)


async def test_the_first_cursor_of_a_leader_is_kept(stores: Stores, now: datetime) -> None:
    first = a_leader(now)

    assert await stores.leaders.start(first)
    assert not await stores.leaders.start(first)
    assert not await stores.leaders.start(a_leader(now, block=200))
    assert await stores.leaders.get(LEADER) == first


async def test_a_cursor_moves_forward_and_never_back(stores: Stores, now: datetime) -> None:
    await stores.leaders.start(a_leader(now))
    ahead = a_leader(now + timedelta(seconds=1), block=101)

    assert await stores.leaders.advance(ahead)
    assert await stores.leaders.advance(ahead)
    assert not await stores.leaders.advance(a_leader(now + timedelta(seconds=2), block=100))
    assert await stores.leaders.get(LEADER) == ahead


async def test_cursors_in_a_race_end_at_the_farthest(stores: Stores, now: datetime) -> None:
    await stores.leaders.start(a_leader(now, block=0))

    await asyncio.gather(*(stores.leaders.advance(a_leader(now, block=block)) for block in (5, 3, 9, 1, 7, 2, 8)))

    found = await stores.leaders.get(LEADER)
    assert found is not None
    assert found.cursor_block == 9


async def test_a_leader_who_was_never_started_has_no_cursor_to_move(stores: Stores, now: datetime) -> None:
    assert not await stores.leaders.advance(a_leader(now))
    assert await stores.leaders.get(LEADER) is None


async def test_leaders_are_listed_by_their_addresses(stores: Stores, now: datetime) -> None:
    for address in (OTHER, LEADER):
        await stores.leaders.start(a_leader(now, address=address))

    assert [leader.address for leader in await stores.leaders.all()] == [LEADER, OTHER]


async def test_a_follow_that_is_left_closes_to_entries_and_is_over_in_the_way_it_is_left(
    stores: Stores, now: datetime
) -> None:
    follow = a_follow(policy=POLICY)
    await stores.follows.create(follow)
    name = follow.follow_id
    assert await stores.follows.change(name, over(Leaving.STAY, now)) is None

    def bare(found: Follow | None) -> Follow | None:
        return found and replace(found, trail=())

    closing = bare(await stores.follows.change(name, left(Leaving.CLOSE, now)))
    assert closing == replace(follow, state=FollowState.CLOSING, leaving=Leaving.CLOSE)
    assert await stores.follows.change(name, left(Leaving.CLOSE, now)) is None
    keeping = bare(await stores.follows.change(name, left(Leaving.KEEP, now)))
    assert keeping == replace(closing, leaving=Leaving.KEEP)
    assert await stores.follows.change(name, over(Leaving.CLOSE, now)) is None
    closed = bare(await stores.follows.change(name, over(Leaving.KEEP, now)))
    assert closed == replace(keeping, state=FollowState.CLOSED)
    for late in (left(Leaving.CLOSE, now), over(Leaving.KEEP, now)):
        assert await stores.follows.change(name, late) is None
    kept = await stores.follows.get(name)
    assert bare(kept) == closed
    assert kept is not None
    assert [(entry.actor, entry.action) for entry in kept.trail] == [
        ("0xowner", "closing:close"),
        ("0xowner", "closing:keep"),
        ("engine", "closed"),
    ]
