"""A tape drives the venue: its books stand, its trades are settled and told by the Data API, and a day of it passes in seconds."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.venue.tape.convert import convert
from services.venue.tape.format import TradeLine, write_line
from tests.recordings import DATA
from tests.venue_chain import BUY, node_process
from tests.venue_process import Venue, venue_on
from tests.venue_trader import SHARE, Trader, id_of

pytestmark = pytest.mark.xdist_group("venue-tape")

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BEGINS_MS = 1_790_000_000_000
NAME = "rain-in-porto"
LAST_BOOK = {"bids": [["0.40", "50"], ["0.41", "120.5"]], "asks": [["0.43", "75"], ["0.45", "300"]]}
TRADES = [(2, "BUY", "0.52", "100"), (7, "SELL", "0.47", "40.25"), (13, "BUY", "0.61", "7"), (20, "SELL", "0.42", "12")]


def a_day() -> Iterator[dict[str, Any]]:
    """A market, a book every hour, four trades, and the book that stands at the end."""
    yield {"kind": "market", "market": NAME, "question": "Rain in Porto?", "slug": NAME, "outcomes": ["Yes", "No"]}
    trades = {hour: (side, price, size) for hour, side, price, size in TRADES}
    for hour in range(24):
        at_ms = BEGINS_MS + hour * HOUR_MS
        levels = {"bids": [["0.45", "200"], ["0.46", "50"]], "asks": [["0.48", "60"], ["0.50", f"{100 + hour}"]]}
        yield {"kind": "book", "market": NAME, "at_ms": at_ms, "outcome": 0} | levels
        if hour in trades:
            side, price, size = trades[hour]
            trade = {"outcome": 0, "side": side, "price": price, "size": size, "wallet": "somebody"}
            yield {"kind": "trade", "market": NAME, "at_ms": at_ms + 1_000} | trade
    yield {"kind": "book", "market": NAME, "at_ms": BEGINS_MS + DAY_MS, "outcome": 0} | LAST_BOOK


@pytest.fixture(scope="module")
def taped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """A venue whose time is virtual, begins now and stands still but for what a test does to it."""
    path = tmp_path_factory.mktemp("tape") / "day.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in a_day()))
    with node_process("--block-ms", "0") as url, venue_on(url, "--clock", "virtual", "--tape", str(path)) as venue:
        yield venue


async def test_a_day_of_a_tape_passes_in_seconds_and_leaves_its_rows_books_and_expired_orders(taped: Venue) -> None:
    async with httpx.AsyncClient(base_url=taped.url, timeout=90) as web:
        begun_ms = (await web.get("/admin/clock")).json()["now_ms"]
        trader = await Trader.join(web)
        token = (await web.get("/admin/markets")).json()["markets"][0]["tokens"][0]
        ends_at = begun_ms // 1_000 + 12 * 3_600
        order = trader.order(token, BUY, 5 * SHARE, 200_000, "GTD", expiration=str(ends_at))
        assert (await trader.post(order)).json()["status"] == "live"

        began = time.monotonic()
        told = await web.post("/admin/clock", json={"advance_ms": DAY_MS + 120_000})
        took_s = time.monotonic() - began

        report = (await web.get("/admin/tape")).json()
        assert told.json()["now_ms"] >= begun_ms + DAY_MS
        assert took_s < 60
        assert (report["done"], report["trades"], report["refused"]) == (True, len(TRADES), {})
        wallet, market = report["wallets"]["somebody"].lower(), report["markets"][NAME]
        await says_what_was_recorded(web, wallet, begun_ms)
        await stands_as_recorded(web, market)
        lines = (await web.get("/admin/journal")).json()["lines"]
        await is_over(web, id_of(order))
        assert [line["entries"] for line in lines if line["kind"] == "tape_done"] == [report["entries"]]


async def says_what_was_recorded(web: httpx.AsyncClient, wallet: str, begun_ms: int) -> None:
    """One row per trade of the tape, as long after its beginning as it was recorded, but for a block or two."""
    rows = (await web.get("/data/v2/trades", params={"user": wallet})).json()["data"]
    found = [(row["side"], f"{row['price']:.2f}", row["size"]) for row in reversed(rows)]
    assert found == [(side, price, float(size)) for _, side, price, size in TRADES]
    for row, (hour, *_) in zip(reversed(rows), TRADES, strict=True):
        assert 0 <= row["timestamp"] - (begun_ms + hour * HOUR_MS) / 1_000 < 60


async def stands_as_recorded(web: httpx.AsyncClient, condition_id: str) -> None:
    markets = (await web.get("/admin/markets")).json()["markets"]
    token = next(market["tokens"][0] for market in markets if market["condition_id"] == condition_id)
    book = (await web.get("/clob/book", params={"token_id": token})).json()
    for side in ("bids", "asks"):
        levels = {(float(level["price"]), float(level["size"])) for level in book[side]}
        assert levels == {(float(price), float(size)) for price, size in LAST_BOOK[side]}


async def is_over(web: httpx.AsyncClient, order_hash: str) -> None:
    told = (await web.get("/admin/orders", params={"hash": order_hash})).json()
    assert told["order"]["status"].startswith("CANCELED")


@pytest.mark.skipif(not (DATA / "histories").exists(), reason="the recordings are not here")
async def test_a_recorded_stretch_is_played_and_found_in_the_data_api(tmp_path: Path) -> None:
    history = DATA / "histories" / "leader_0xe00740bc_trades_v1.json.gz"
    lines = convert([history])
    trades = [line for line in lines if isinstance(line, TradeLine)][:40]
    named = {trade.market for trade in trades}
    path = tmp_path / "tape.jsonl"
    path.write_bytes(
        b"".join(
            write_line(line) for line in lines if line.market in named and (line.kind == "market" or line in trades)
        )
    )
    begins = trades[0].at_ms // 1_000
    stretch_ms = trades[-1].at_ms - trades[0].at_ms + 120_000
    clock = ("--clock", "virtual", "--clock-speed", "1", "--start-at", str(begins))
    with (
        node_process("--block-ms", "0", "--start-at", str(begins - 60)) as url,
        venue_on(url, "--tape", str(path), *clock) as venue,
    ):
        async with httpx.AsyncClient(base_url=venue.url, timeout=90) as web:
            await web.post("/admin/clock", json={"advance_ms": stretch_ms})
            report = (await web.get("/admin/tape")).json()
            (wallet,) = report["wallets"].values()
            rows = (await web.get("/data/v2/trades", params={"user": wallet, "limit": "500"})).json()["data"]

    assert (report["done"], report["refused"]) == (True, {})
    assert report["trades"] + report["skipped"] == len(trades)
    played = [trade for trade in trades if int(trade.size * 100) * 10_000 >= 5 * SHARE or report["skipped"] == 0]
    assert len(rows) == report["trades"]
    for row, trade in zip(reversed(rows), played, strict=True):
        assert (row["side"], row["outcome_index"]) == (trade.side, trade.outcome)
        assert abs(row["price"] - float(trade.price)) <= 0.0051
        assert 0 <= float(trade.size) - row["size"] < 0.01
        assert 0 <= row["timestamp"] - trade.at_ms / 1_000 < 60
