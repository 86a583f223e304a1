"""What people hear of copies: each change that they can see once, and a pulse that a busy stream does not hold up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from services.common.clock import SystemClock
from services.common.domain.copy import Copy
from services.common.domain.lifecycle import CopyState
from services.common.ports.answers import Change
from services.engine import events
from services.engine.events import Events
from tests.builders import a_copy
from tests.patience import PATIENT_S


class Pulse:
    uptime_ms = 7

    async def active(self, accounts: Any) -> int:
        return 1


def heard(*changes: Change[Copy], every_s: float = 0.0) -> Events:
    async def watch(token: str | None) -> AsyncIterator[Change[Copy]]:
        for change in changes:
            yield change
            await asyncio.sleep(every_s)
        await asyncio.Event().wait()

    stores: Any = SimpleNamespace(copies=SimpleNamespace(watch=watch))
    status: Any = Pulse()
    return Events(stores, status, SystemClock())


async def first(events: Events, account: str, most: int) -> list[Any]:
    found: list[Any] = []
    stream = events.of([account], None)
    async with asyncio.timeout(PATIENT_S):
        async for event in stream:
            found.append(event)
            if len(found) == most:
                break
    await stream.aclose()  # type: ignore[attr-defined]
    return found


async def test_a_change_that_people_do_not_see_is_no_event() -> None:
    executed = replace(a_copy(), state=CopyState.EXECUTED)
    reconciled = replace(executed, state=CopyState.RECONCILED)
    changes = [Change("1", executed), Change("2", executed), Change("3", executed), Change("4", reconciled)]

    found = await first(heard(*changes), executed.account_id, 3)

    assert [event.WhichOneof("event") for event in found] == ["system_status", "trade_executed", "trade_executed"]
    assert [(event.resume_token, event.trade_executed.status) for event in found[1:]] == [
        ("1", "executed"),
        ("4", "reconciled"),
    ]


async def test_copies_of_others_are_not_heard_of() -> None:
    ours = replace(a_copy(), state=CopyState.EXECUTED)
    others = replace(ours, account_id="0xother")

    found = await first(heard(Change("1", others), Change("2", ours)), ours.account_id, 2)

    assert found[1].resume_token == "2"


async def test_the_pulse_comes_on_time_however_much_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PULSE", timedelta(milliseconds=50))
    copy = replace(a_copy(), state=CopyState.EXECUTED)
    changes = [Change(str(number), copy) for number in range(100)]

    found = await first(heard(*changes, every_s=0.01), copy.account_id, 4)

    assert [event.WhichOneof("event") for event in found] == [
        "system_status",
        "trade_executed",
        "system_status",
        "system_status",
    ]
