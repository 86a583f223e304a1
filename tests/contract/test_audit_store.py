"""Trails are found by who writes checkpoints: every head as it grows, everything at the beginning, and what has moved out too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from services.cli import audit_verify
from services.common.audit.spelling import line, write_trail
from services.common.domain import changes, control, log_ins
from services.common.domain.account import Account, Pause, PauseScope
from services.common.domain.checkpoint import Checkpoint, Head, following
from services.common.domain.contents import instant
from services.common.domain.copy import Copy
from services.common.domain.refused_tokens import MOST, Refusal
from services.common.domain.user import User, UserRole
from services.common.ports.answers import Change
from services.common.ports.stores import Stores
from tests.audit_world import PUBLIC
from tests.builders import ACCOUNT, NOON, a_copy, a_follow, an_account
from tests.contract.lifecycle_world import executing
from tests.patience import PATIENT_S

ALICE = "0x" + "d" * 40


def refusal(at: datetime, reason: str = "expired", subject: str = ALICE) -> Refusal:
    return Refusal(reason, subject, 1, at, at)


async def populated(stores: Stores, now: datetime) -> None:
    """One document of every kind with a trail."""
    await stores.accounts.create(control.created(an_account(), "config", now))
    await stores.follows.create(changes.made(a_follow(), "config"))
    await stores.users.upsert(User(ALICE, UserRole.USER, 1, now))
    await stores.copies.insert([a_copy(1, now=now)])
    await stores.log_ins.note(ALICE, "login:user", now)
    await stores.refused_tokens.note(log_ins.day_of(now), [refusal(now)], now)


async def some(stream: AsyncIterator[Change[Head]], count: int) -> list[Change[Head]]:
    async with asyncio.timeout(PATIENT_S):
        return [await anext(stream) for _ in range(count)]


async def test_every_trail_is_found_at_the_beginning_and_every_change_after_it(stores: Stores, now: datetime) -> None:
    await populated(stores, now)
    async with aclosing(cast(Any, stores.audit.heads(None))) as stream:
        (resync,) = await some(stream, 1)
        heads = {head.trail: head async for head in stores.audit.every_head()}
        await stores.accounts.change(ACCOUNT, lambda account: control.started(account, "2", "ops", now))
        (change,) = await some(stream, 1)

    assert resync.value is None
    assert sorted(heads) == sorted(
        [
            f"accounts/{ACCOUNT}",
            f"follows/{a_follow().follow_id}",
            f"user_activities/{a_copy(1).copy_id}",
            f"users/{ALICE}",
            f"log_ins/{now.date().isoformat()}",
            f"refused_tokens/{now.date().isoformat()}",
        ]
    )
    account = await stores.accounts.get(ACCOUNT)
    assert account is not None
    assert change.value == Head(f"accounts/{ACCOUNT}", 2, account.trail[-1].digest)


async def test_what_changed_while_nobody_looked_comes_after_the_token(stores: Stores, now: datetime) -> None:
    await populated(stores, now)
    async with aclosing(cast(Any, stores.audit.heads(None))) as stream:
        (resync,) = await some(stream, 1)
    await stores.users.advance_epoch(ALICE, now)

    async with aclosing(cast(Any, stores.audit.heads(resync.token))) as stream:
        (change,) = await some(stream, 1)

    assert change.value is not None
    assert (change.value.trail, change.value.seq) == (f"users/{ALICE}", 2)


async def test_a_long_trail_keeps_its_eldest_entries_apart_and_loses_none(stores: Stores, now: datetime) -> None:
    await populated(stores, now)
    for number in range(120):
        pause = Pause(PauseScope.MARKET, f"market {number % 3}", "ops", now + timedelta(seconds=number))
        await stores.accounts.change(ACCOUNT, lambda account, pause=pause: control.paused(account, pause))

    account = cast(Account, await stores.accounts.get(ACCOUNT))
    told = {one.trail: one async for one in stores.audit.trails()}

    assert len(account.trail) <= 100
    assert [entry.seq for entry in told[f"accounts/{ACCOUNT}"].entries] == list(range(1, 122))


async def test_what_is_stored_is_what_the_trails_vouch_for(stores: Stores, now: datetime) -> None:
    """A copy that has lived, read back from the store and verified by who knows nothing of it."""
    await populated(stores, now)
    copy: Copy = await executing(stores, now)
    until = now + timedelta(days=1)
    assert await stores.copies.fail(copy.ref, None, "presumed_dead", True, False, None, until, now)
    await stores.copies.acknowledge(copy.copy_id, "0xadmin", "é", now)

    told = [one async for one in stores.audit.trails()]
    made = audit_verify.Verifier(PUBLIC)
    for number, one in enumerate(told):
        made.take(number, line(write_trail(one.trail, one.content, one.entries, one.attached)))

    assert made.findings == []
    (mine,) = [one for one in told if one.trail.endswith(copy.copy_id)]
    assert [entry.action.partition(":")[0] for entry in mine.entries] == ["detected", "intent", "failed", "reviewed"]
    assert mine.attached.keys() == {"decision"}


async def test_checkpoints_are_added_once_and_come_in_their_order(stores: Stores, now: datetime) -> None:
    made: list[Checkpoint] = []
    for number in range(3):
        made.append(
            following(made[-1] if made else None, [Head("accounts/a", number + 1, "00")], now, f"token {number}")
        )
    assert await stores.audit.last() is None

    added = [await stores.audit.add(one) for one in (*made, replace(made[1], root="other"))]

    assert added == [True, True, True, False]
    assert await stores.audit.last() == made[2]
    assert [one async for one in stores.audit.after(0)] == made[1:]


async def test_log_ins_of_a_day_at_once_are_all_in_its_trail_and_of_another_in_its_own(stores: Stores) -> None:
    days = [NOON, NOON + timedelta(days=1)]
    await asyncio.gather(*(stores.log_ins.note(f"0x{n}", "login_refused", at) for at in days for n in range(8)))
    for number in range(120):
        await stores.log_ins.note("0xmany", "login:user", NOON + timedelta(seconds=number))

    told = {one.trail: one async for one in stores.audit.trails()}

    first, second = (told[f"log_ins/{at.date().isoformat()}"] for at in days)
    assert [entry.seq for entry in first.entries] == list(range(1, 129))
    assert {entry.actor for entry in second.entries} == {f"0x{n}" for n in range(8)}
    made = audit_verify.Verifier(PUBLIC)
    for number, one in enumerate((first, second)):
        made.take(number, line(write_trail(one.trail, one.content, one.entries, one.attached)))
    assert made.findings == []


async def test_refused_tokens_of_a_day_are_counted_by_all_who_refuse_them_and_never_become_many(stores: Stores) -> None:
    day, later = NOON.date().isoformat(), NOON + timedelta(hours=1)
    await asyncio.gather(*(stores.refused_tokens.note(day, [refusal(NOON)], NOON) for _ in range(6)))
    many = [refusal(later, "revoked", f"0x{number}") for number in range(MOST + 9)]
    await stores.refused_tokens.note(day, [refusal(later), *many], later)

    (told,) = [one async for one in stores.audit.trails()]

    rows: Any = told.content["refusals"]
    assert told.trail == f"refused_tokens/{day}"
    assert rows[0] == ["expired", ALICE, 7, instant(NOON), instant(later)]
    assert (len(rows), rows[-1]) == (MOST + 1, ["others", "", 10, instant(later), instant(later)])
    assert [entry.action for entry in told.entries] == ["refused:1"] * 6 + [f"refused:{MOST + 10}"]
    made = audit_verify.Verifier(PUBLIC)
    made.take(1, line(write_trail(told.trail, told.content, told.entries, told.attached)))
    assert made.findings == []
