"""What the monitor tells: new copies at once, from a token on, and who is watched for whom."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from polycopy.monitor.v1 import monitor_pb2 as pb

from services.common.domain.changes import made
from services.common.domain.copy import Copy
from services.common.domain.follow import FollowState
from services.common.domain.user import UserRole
from services.common.rpc.caller import Caller, Principal, calling
from services.common.rpc.errors import InvalidArgument, NotFound
from services.common.settings import AccountSettings
from services.common.store.memory import MemoryStores
from services.monitor.announce import KEPT, Announcements
from services.monitor.follows import import_first, named
from services.monitor.servicer import MonitorServicer
from tests.builders import ACCOUNT, LEADER, NOON, a_copy, a_follow, an_account
from tests.monitor_world import OTHER_ACCOUNT, OTHER_LEADER, World, a_fill
from tests.patience import PATIENT_S
from tests.still_clock import TestClock, settle


class Listener:
    """Collects what is announced, in the background."""

    def __init__(self, announcements: Announcements, token: str = "") -> None:
        self.heard: list[tuple[str, str]] = []
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self._listen(announcements, token))

    async def _listen(self, announcements: Announcements, token: str) -> None:
        async for at, copy in announcements.listen(token, self.stop):
            self.heard.append((at, copy.copy_id))

    @property
    def copies(self) -> list[str]:
        return [copy for _, copy in self.heard]


def ids(copies: Sequence[Copy]) -> list[str]:
    return [copy.copy_id for copy in copies]


async def announced(announcements: Announcements, *numbers: int) -> list[Copy]:
    copies = [a_copy(number) for number in numbers]
    for copy in copies:
        announcements.announce(copy)
    await settle()
    return copies


async def test_every_listener_hears_what_is_announced_from_now_on():
    announcements = Announcements()
    await announced(announcements, 1)
    one, two = Listener(announcements), Listener(announcements)
    await settle()

    copies = await announced(announcements, 2, 3)

    assert one.copies == two.copies == ids(copies)


async def test_a_listener_resumes_after_its_token():
    announcements = Announcements()
    first = Listener(announcements)
    await settle()
    copies = await announced(announcements, 1, 2, 3)

    resumed = [Listener(announcements, token) for token, _ in first.heard]
    await settle()
    copies += await announced(announcements, 4)

    assert [one.copies for one in resumed] == [ids(copies[place:]) for place in (1, 2, 3)]


@pytest.mark.parametrize("token", ["", "x", ":", "other:1", "epoch:", "epoch:x", "epoch:-1", "epoch:²", "epoch:1:1"])
async def test_a_token_of_another_life_or_of_none_starts_now(token: str):
    announcements = Announcements("epoch")
    await announced(announcements, 1, 2)
    listener = Listener(announcements, token)
    await settle()
    assert listener.copies == []

    copies = await announced(announcements, 3)

    assert listener.copies == ids(copies)


async def test_of_what_is_too_old_the_newest_are_heard():
    announcements = Announcements("epoch")
    copies = await announced(announcements, *range(1, KEPT + 11))

    listener = Listener(announcements, "epoch:1")
    await settle()

    assert listener.copies == ids(copies[-KEPT:])


async def test_a_stream_ends_when_the_service_stops():
    announcements = Announcements()
    listener = Listener(announcements)
    await settle()

    listener.stop.set()

    async with asyncio.timeout(PATIENT_S):
        await listener.task
    assert announcements._wakes == set()


async def served(stores: MemoryStores) -> MonitorServicer:
    await stores.accounts.create(an_account())
    await stores.accounts.create(an_account(OTHER_ACCOUNT))
    await stores.follows.create(a_follow())
    await stores.follows.create(a_follow(OTHER_ACCOUNT, OTHER_LEADER))
    return MonitorServicer(stores, Announcements(), asyncio.Event(), TestClock())


@pytest.mark.parametrize(
    ("who", "accounts"),
    [
        (Caller("", Principal(ACCOUNT, UserRole.USER)), [ACCOUNT]),
        (Caller("", Principal("0x" + "9" * 40, UserRole.USER)), []),
        (Caller("", Principal("0x" + "9" * 40, UserRole.ADMIN)), [ACCOUNT, OTHER_ACCOUNT]),
        (Caller("ops", None), [ACCOUNT, OTHER_ACCOUNT]),
        (Caller("gateway", None), []),
    ],
    ids=["an owner", "a stranger", "an admin", "an operator", "a peer without a person"],
)
async def test_everyone_sees_the_follows_of_his_own_accounts(who: Caller, accounts: list[str]):
    servicer = await served(MemoryStores(TestClock().now))
    calling(who)

    answer = await servicer.ListFollows(pb.ListFollowsRequest(), None)  # type: ignore[arg-type]

    assert [follow.account_id for follow in answer.follows] == accounts


async def test_leaders_are_listed_with_how_far_they_were_read():
    world = World()
    await world.follow(a_follow(), a_follow(leader=OTHER_LEADER))
    monitor = await world.start()
    await world.clock.run(2)
    world.mines(a_fill(1))
    head = await monitor.chain.sweep()
    servicer = MonitorServicer(world.stores, Announcements(), asyncio.Event(), world.clock)

    answer = await servicer.ListLeaders(pb.ListLeadersRequest(), None)  # type: ignore[arg-type]

    one, two = answer.leaders
    assert (one.address, one.cursor_block, one.seen, one.lag_ms) == (LEADER, head, 1, 0)
    assert (two.address, two.seen, two.HasField("last_trade_at"), two.HasField("lag_ms")) == (
        OTHER_LEADER,
        0,
        False,
        False,
    )


async def test_a_stored_copy_goes_out_on_the_stream_with_its_trade():
    world = World()
    await world.follow()
    announcements, stopping = Announcements(), asyncio.Event()
    servicer = MonitorServicer(world.stores, announcements, stopping, world.clock)
    stream = servicer.WatchTrades(pb.WatchTradesRequest(), None)  # type: ignore[arg-type]
    coming = asyncio.ensure_future(anext(stream))
    await settle()

    monitor = await world.start()
    monitor.watch._announce = announcements.announce
    await monitor.watch.see(world.hint(world.mines(a_fill(1))))
    told = await coming

    (copy,) = await world.copies()
    assert (told.copy_id, told.account_id, told.trade.tx_hash) == (
        copy.copy_id,
        ACCOUNT,
        copy.trade.tx_hash,
    )
    await stream.aclose()


def test_the_first_follows_come_from_the_file_or_from_the_addresses(tmp_path: Path):
    file = tmp_path / "accounts.toml"
    file.write_text(f'[[accounts]]\nwallet = "{ACCOUNT}"\n[[accounts.follows]]\nleader = "{LEADER}"\nratio_bps = 7\n')
    by_file = named(AccountSettings(polycopy_config=file), NOON)
    by_address = named(
        AccountSettings(proxy_wallet=ACCOUNT.upper().replace("X", "x"), user_addresses=f"{LEADER},{OTHER_LEADER}"), NOON
    )

    assert [(f.account_id, f.leader, f.policy.ratio_bps, f.created_at) for f in by_file] == [(ACCOUNT, LEADER, 7, NOON)]
    assert [(f.account_id, f.leader, f.state) for f in by_address] == [
        (ACCOUNT, leader, FollowState.ACTIVE) for leader in (LEADER, OTHER_LEADER)
    ]
    assert named(AccountSettings(), NOON) == ()


async def test_what_is_stored_is_not_imported_again(tmp_path: Path):
    stores = MemoryStores(TestClock().now)
    first, later = a_follow(), a_follow(created_at=NOON + timedelta(days=1), version=9)

    assert await import_first(stores.follows, [first]) == 1
    assert await import_first(stores.follows, [later, a_follow(OTHER_ACCOUNT)]) == 1
    assert await stores.follows.get(first.follow_id) == made(first, "config")


async def delete(servicer: MonitorServicer, follow: str, holdings: str) -> pb.Follow:
    request = pb.DeleteFollowRequest(follow_id=follow, holdings=holdings)
    return (await servicer.DeleteFollow(request, None)).follow  # type: ignore[arg-type]


async def test_a_follow_is_deleted_as_often_as_it_is_asked_and_keeping_may_follow_closing():
    stores = MemoryStores(TestClock().now)
    servicer, mine = await served(stores), a_follow().follow_id
    calling(Caller("", Principal(ACCOUNT, UserRole.USER)))

    answers = [await delete(servicer, mine.upper().replace("X", "x"), how) for how in ("close", "close", "keep")]

    assert [(follow.state, follow.holdings) for follow in answers] == [
        ("closing", "close"),
        ("closing", "close"),
        ("closing", "keep"),
    ]
    left, other = await stores.follows.all()
    assert [left.state, other.state] == [FollowState.CLOSING, FollowState.ACTIVE]
    assert [entry.actor for entry in left.trail] == [ACCOUNT, ACCOUNT]


@pytest.mark.parametrize("holdings", ["", "sell", "CLOSE"])
async def test_deleting_a_follow_asks_what_becomes_of_what_it_holds(holdings: str):
    stores = MemoryStores(TestClock().now)
    servicer = await served(stores)
    calling(Caller("ops", None))

    with pytest.raises(InvalidArgument, match="holdings: expected close or keep"):
        await delete(servicer, a_follow().follow_id, holdings)

    assert {follow.state for follow in await stores.follows.all()} == {FollowState.ACTIVE}


@pytest.mark.parametrize("follow", ["none", a_follow(OTHER_ACCOUNT, OTHER_LEADER).follow_id])
async def test_anothers_follow_is_not_told_from_one_that_does_not_exist(follow: str):
    servicer = await served(MemoryStores(TestClock().now))
    calling(Caller("", Principal(ACCOUNT, UserRole.USER)))

    with pytest.raises(NotFound):
        await delete(servicer, follow, "close")
