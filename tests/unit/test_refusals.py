"""Refused tokens are counted in memory and written away now and then: nobody waits for it, and nobody can make it much."""

from datetime import timedelta

import pytest

from services.common.assembly import verifier_of
from services.common.domain.refused_tokens import MOST
from services.common.ports.stores import StoreUnavailable
from services.common.refusals import WITHIN, Refusals
from services.common.rpc.errors import Unauthenticated
from services.common.store.memory import MemoryStores
from services.common.tokens import keys
from tests.builders import NOON
from tests.still_clock import TestClock


class Desk:
    def __init__(self) -> None:
        self.clock = TestClock()
        self.stores = MemoryStores(self.clock.now)
        self.refusals = Refusals(self.stores.refused_tokens, self.clock)

    def counted(self, day: str = "2026-11-24") -> list[tuple[str, str, int]]:
        known = self.stores.database.refused_tokens.get(day)
        return [(one.reason, one.subject, one.count) for one in known.refusals] if known else []

    async def wait(self) -> None:
        await self.clock.run(WITHIN.total_seconds())


async def test_what_comes_within_half_a_minute_is_one_write():
    desk = Desk()
    for _ in range(5):
        desk.refusals.note("bad_signature", "")
    desk.refusals.note("expired", "0xa")
    assert desk.counted() == []

    await desk.wait()

    assert desk.counted() == [("bad_signature", "", 5), ("expired", "0xa", 1)]
    day = desk.stores.database.refused_tokens["2026-11-24"]
    assert [entry.action for entry in day.trail] == ["refused:6"]
    assert day.refusals[0].first_at == day.refusals[0].last_at == NOON


async def test_what_a_service_reads_tokens_with_has_its_refusals_written():
    desk = Desk()
    verifier = verifier_of(keys("0123456789abcdef0123456789abcdef", None), desk.stores, desk.clock)

    with pytest.raises(Unauthenticated):
        await verifier.verify("no token at all")
    await desk.wait()

    assert desk.counted() == [("malformed", "", 1)]


async def test_a_second_crowd_is_counted_to_the_first():
    desk = Desk()
    desk.refusals.note("expired", "0xa")
    await desk.wait()
    desk.refusals.note("expired", "0xa")
    await desk.wait()

    assert desk.counted() == [("expired", "0xa", 2)]
    (one,) = desk.stores.database.refused_tokens["2026-11-24"].refusals
    assert (one.first_at, one.last_at) == (NOON, NOON + WITHIN)


async def test_however_many_there_are_a_day_stays_small():
    desk = Desk()
    for number in range(MOST + 50):
        desk.refusals.note("expired", f"0x{number}")
    await desk.wait()
    for number in range(MOST + 50):
        desk.refusals.note("revoked", f"0x{number}")
    await desk.wait()

    counted = desk.counted()
    assert len(counted) == MOST + 1
    assert sum(count for _, _, count in counted) == 2 * (MOST + 50)
    assert counted[-1] == ("others", "", MOST + 100)


async def test_while_the_store_is_away_they_are_kept_and_written_later():
    desk = Desk()
    note, asked = desk.stores.refused_tokens.note, []

    async def away(*_: object) -> None:
        asked.append(1)
        raise StoreUnavailable("away")

    desk.stores.refused_tokens.note = away  # type: ignore[method-assign, assignment]
    desk.refusals.note("expired", "0xa")
    await desk.wait()
    desk.refusals.note("expired", "0xa")
    await desk.wait()
    assert len(asked) == 2

    desk.stores.refused_tokens.note = note  # type: ignore[method-assign]
    await desk.wait()

    assert desk.counted() == [("expired", "0xa", 2)]


async def test_each_day_has_its_own():
    desk = Desk()
    desk.clock.jump(timedelta(hours=11, minutes=59, seconds=50).total_seconds())
    desk.refusals.note("expired", "0xa")
    desk.clock.jump(20)
    desk.refusals.note("revoked", "0xa")

    await desk.wait()

    assert desk.counted("2026-11-24") == [("expired", "0xa", 1)]
    assert desk.counted("2026-11-25") == [("revoked", "0xa", 1)]
