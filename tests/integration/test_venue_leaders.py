"""As many leaders as are wanted, each with activity of his own that the Data API serves."""

import asyncio
from pathlib import Path

import httpx
import pytest

from bench import venue
from bench.leaders import measure
from services.venue.node.depth import KEPT_FOR_REORGS
from tests import venue_process as processes
from tests.patience import PATIENT_S
from tests.venue_chain import node_process
from tests.venue_process import Venue, venue_on, venue_process

pytestmark = pytest.mark.xdist_group("venue-leaders")

FIRST = 3
DOZENS = 30
LATE_BLOCK = 20
"""Once this is the oldest block that is kept, a reading from the first one on is refused."""


async def activity_of_everyone(venue: Venue, count: int) -> None:
    """Every leader beyond the first has one row, which is his alone; the same seed casts the same."""
    async with httpx.AsyncClient(base_url=venue.url, timeout=PATIENT_S) as web:
        traders = (await web.get("/admin/traders")).json()["traders"]
        leaders = [one["address"].lower() for one in traders if one["role"] == "leader"]
        found = [
            row
            for leader in leaders[FIRST:]
            for row in (await web.get("/data/v2/activity", params={"user": leader})).json()["data"]
        ]

    assert len(set(leaders)) == count
    assert [row["proxy_wallet"] for row in found] == leaders[FIRST:]
    assert {(row["type"], row["side"], row["size"]) for row in found} == {("TRADE", "BUY", 10.0)}


async def oldest_block(venue: Venue) -> int:
    return int((await venue.node("eth_getBlockByNumber", "earliest", False))["number"], 16)


async def test_leaders_by_the_dozen_have_their_activity_served_when_the_chain_has_forgotten_its_logs() -> None:
    with (
        node_process("--block-ms", "300", "--keep-blocks", str(KEPT_FOR_REORGS)) as node,
        venue_on(node, "--seed", "5", "--leaders", str(DOZENS)) as venue,
    ):
        await asyncio.sleep(5)  # the venue reads along
        for _ in range(KEPT_FOR_REORGS + LATE_BLOCK):
            await venue.node("evm_mine")
        assert await oldest_block(venue) >= LATE_BLOCK

        await activity_of_everyone(venue, DOZENS)


async def test_activity_is_served_whole_while_others_trade(tmp_path: Path) -> None:
    async with venue.running(tmp_path, "--leaders", "100") as place:
        found = await measure(place)

    assert found["alone"]["rows"] == found["while_trading"]["rows"] == 100 - FIRST
    assert found["while_trading"]["orders"] > 0


@pytest.mark.nightly
@pytest.mark.timeout(600)
async def test_a_thousand_leaders_have_their_activity_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "READY_WITHIN_S", 300)
    with venue_process("--seed", "5", "--leaders", "1000") as venue:
        await activity_of_everyone(venue, 1_000)
