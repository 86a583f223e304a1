"""What runs beside the venue's answers: whatever ends there is heard of."""

import asyncio
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from services.venue.admin import Admin
from services.venue.background import ENDED, Background, watched
from services.venue.clob.answers import Told
from services.venue.clock import Clock
from services.venue.traders.company import Company
from services.venue.traders.makers import Makers


async def forever() -> None:
    await asyncio.Event().wait()


async def broken() -> None:
    raise KeyError("nobody thought of this")


async def done() -> None:
    await asyncio.sleep(0)


async def test_work_that_dies_is_logged_once_and_known_by_its_name():
    work = Background()
    with capture_logs() as lines:
        work.start("clock", forever())
        work.start("expiry", broken())
        work.start("blocks", done())
        await asyncio.sleep(0.01)
        await work.close()

    assert [(line["event"], line["work"]) for line in lines] == [(ENDED, "expiry"), (ENDED, "blocks")]
    assert isinstance(lines[0]["exc_info"], KeyError)
    assert work.ended == ["expiry", "blocks"]


async def test_work_that_ends_when_it_is_told_to_is_no_news():
    work = Background()
    with capture_logs() as lines:
        work.start("clock", forever())
        work.start("settlement", asyncio.sleep(0.02))
        work.close_soon()
        await asyncio.sleep(0.04)
        await work.close()

    assert (lines, work.ended) == ([], [])


async def test_a_task_of_its_own_may_end_but_not_by_an_error():
    with capture_logs() as lines:
        tasks = [watched(asyncio.ensure_future(one()), one.__name__) for one in (done, broken)]
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    assert [line["work"] for line in lines] == ["broken"]


class Exchange:
    """One where nothing was traded yet."""

    def __init__(self) -> None:
        self.markets: dict[str, Any] = {}
        self.trades: dict[str, Any] = {}

    def subscribe(self, heard: Any) -> None:
        del heard


async def test_the_health_of_the_venue_names_what_has_ended():
    work = Background()
    admin: Any = Admin(Exchange(), None, None, None, work)  # type: ignore[arg-type]
    well = await admin.health(None)
    work.start("expiry", broken())
    await asyncio.sleep(0.01)
    with pytest.raises(Told) as told:
        await admin.health(None)

    assert well["status"] == "ok"
    assert (told.value.status, told.value.body["status"], told.value.body["ended"]) == (500, "broken", ["expiry"])


class Nobody(Exchange):
    """One without markets, whose traders have no wallet to be read; and the bank that would pay them."""

    def __init__(self) -> None:
        super().__init__()
        self.wallets = self
        self.contract_of: Any = None

    async def read(self, wallet: str) -> None:
        del wallet

    async def fund_many(self, fundings: Any) -> None:
        del fundings

    async def split_many(self, sets: Any) -> None:
        del sets


async def test_makers_that_die_are_what_the_health_of_the_venue_tells_of(monkeypatch):
    async def die(makers: Makers) -> None:
        del makers
        await broken()

    monkeypatch.setattr(Makers, "run", die)
    work, nobody = Background(), cast(Any, Nobody())
    journal: Any = type("Journal", (), {"note": None, "after": None})()
    company = Company(nobody, nobody, journal, 1, Clock(), work)
    await company.prepare()
    await asyncio.sleep(0.01)
    await company.close()
    await work.close()

    assert work.ended == ["makers"]
