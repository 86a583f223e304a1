"""The venue's sockets when they fail: what a client sees of each fault, and the line that it leaves."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.patience import PATIENT_S
from tests.venue_chain import BUY
from tests.venue_process import Venue, venue_process
from tests.venue_trader import CENT, SHARE, Heard, Trader, listening
from tests.venue_views import lines, market

pytestmark = pytest.mark.xdist_group("venue faults sockets")


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    """A venue with one fault from its file, which never meets anything."""
    path = tmp_path_factory.mktemp("venue") / "faults.toml"
    path.write_text('[[fault]]\nkind = "frame_drop"\nchannel = "user"\ncontaining = "no frame says this"\ntimes = 0\n')
    with venue_process("--seed", "3", "--faults", str(path)) as running:
        yield running


@pytest.fixture(autouse=True)
async def no_faults_after(web):
    """But for the one of the file."""
    yield
    for fault in (await web.get("/admin/faults")).json()["faults"][1:]:
        await web.delete("/admin/faults", params={"id": fault["id"]})


async def strike(web: httpx.AsyncClient, kind: str, channel: str = "market", **fault: Any) -> None:
    answer = await web.post("/admin/faults", json={"kind": kind, "channel": channel} | fault)
    assert answer.status_code == 200, answer.text


async def struck(web: httpx.AsyncClient, kind: str) -> list[dict[str, Any]]:
    return [line for line in await lines(web, "fault") if line["fault"] == kind]


class Levels:
    """A socket on one token's book, and orders that change one of its levels each."""

    def __init__(self, trader: Trader, token: str, heard: Heard) -> None:
        self.trader, self.token, self.heard = trader, token, heard
        self.cents = 0

    async def change(self, count: int = 1) -> None:
        for _ in range(count):
            self.cents += 1
            await self.trader.place(self.token, BUY, 10 * SHARE, self.cents * CENT, "GTC")

    async def prices(self, count: int) -> list[str]:
        """The next changed levels."""
        frames = [json.loads(await self.heard.next()) for _ in range(count)]
        return [
            change["price"] for frame in frames for change in frame["price_changes"] if change["asset_id"] == self.token
        ]


@pytest.fixture
async def levels(web: httpx.AsyncClient, venue: Venue, trader: Trader):
    token = (await market(web, 5))["tokens"][0]
    async with listening(venue.socket_url + "/ws/market", {"assets_ids": [token], "type": "market"}) as heard:
        yield Levels(trader, token, heard)
    await trader.cancel("/cancel-all")


async def test_faults_of_the_file_are_there_from_the_start(web):
    first, *_ = (await web.get("/admin/faults")).json()["faults"]

    assert (first["id"], first["kind"], first["containing"], first["struck"]) == (
        1,
        "frame_drop",
        "no frame says this",
        0,
    )
    assert (await web.delete("/admin/faults", params={"id": "9"})).status_code == 400


async def test_a_frame_can_be_lost_doubled_and_overtaken(web, levels):
    await strike(web, "frame_drop", containing="price_change")
    await levels.change(2)
    assert await levels.prices(1) == ["0.02"]
    await strike(web, "frame_double", containing="price_change")
    await levels.change()
    assert await levels.prices(2) == ["0.03", "0.03"]
    await strike(web, "frame_reorder", containing="price_change", ms=5_000)
    await levels.change(2)
    assert await levels.prices(2) == ["0.05", "0.04"]
    for kind in ("frame_drop", "frame_double", "frame_reorder"):
        (line,) = await struck(web, kind)
        assert line["channel"] == "market"


async def test_a_frame_that_nothing_overtakes_is_late_and_what_follows_a_late_one_waits(web, levels):
    for kind in ("frame_reorder", "frame_delay"):
        await strike(web, kind, containing="price_change", ms=300)
        began = time.monotonic()
        await levels.change()
        await levels.prices(1)
        assert time.monotonic() - began >= 0.3


async def test_half_of_a_frame_is_no_json(web, levels):
    await strike(web, "frame_garble", containing="price_change")
    await levels.change()
    with pytest.raises(ValueError, match="char"):
        await levels.prices(1)


async def test_a_silent_socket_stays_open_and_answers_nothing(web, levels):
    await strike(web, "socket_silent", containing="price_change")
    await levels.change(2)
    await levels.heard.socket.send("PING")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await levels.heard.socket.recv()
    assert levels.heard.socket.close_code is None


async def test_a_socket_that_is_silent_for_a_while_speaks_again(web, levels):
    await strike(web, "socket_silent", containing="price_change", ms=200)
    await levels.change()
    async with asyncio.timeout(PATIENT_S):
        while not await struck(web, "socket_silent"):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
    await levels.change()
    assert await levels.prices(1) == ["0.02"]


@pytest.mark.parametrize(("kind", "code"), [("socket_close", 1012), ("socket_cut", 1006)])
async def test_a_socket_ends_with_the_frame_that_is_struck(web, levels, kind, code):
    await strike(web, kind, containing="price_change", **({"code": code} if kind == "socket_close" else {}))
    await levels.change()
    with pytest.raises(ConnectionClosed) as caught:
        await levels.heard.next()

    assert (caught.value.rcvd.code if caught.value.rcvd else 1006) == code
    assert len(await struck(web, kind)) == 1


@pytest.mark.parametrize(("channel", "path"), [("market", "/ws/market"), ("user", "/ws/user"), ("rtds", "/rtds")])
async def test_a_handshake_is_refused_with_a_status(web, venue, channel, path):
    await strike(web, "socket_refuse", channel, status=503)
    with pytest.raises(InvalidStatus) as caught:
        await websockets.connect(venue.socket_url + path)
    assert caught.value.response.status_code == 503
    async with websockets.connect(venue.socket_url + path):
        pass


@asynccontextmanager
async def firehose(venue: Venue) -> AsyncGenerator[Heard]:
    """RTDS, once it has answered a PING behind the subscription with an empty frame."""
    async with websockets.connect(venue.socket_url + "/rtds") as socket:
        await socket.send('{"action":"subscribe","subscriptions":[{"topic":"activity","type":"trades"}]}')
        await socket.send("PING")
        assert await socket.recv() == ""
        yield Heard(socket, [])


async def test_faults_reach_the_owners_channel_and_the_firehose(web, venue, trader):
    def of_trader(frame: Any) -> bool:
        return frame["payload"]["proxyWallet"] == trader.address

    token = (await market(web))["tokens"][0]
    await strike(web, "frame_drop", "user", containing="PLACEMENT")
    await strike(web, "frame_double", "rtds", containing='"trades"')
    async with (
        listening(venue.socket_url + "/ws/user", trader.channel) as mine,
        firehose(venue) as fills,
    ):
        placed = await trader.place(token, BUY, 10 * SHARE, 60 * CENT)
        frames = await mine.until(lambda frame: frame.get("status") == "MINED")
        rows = [frame["payload"] for frame in await fills.until(of_trader)]
        await strike(web, "frame_drop", "rtds", containing=trader.address)
        orders = [(await trader.place(token, BUY, 10 * SHARE, 60 * CENT))["orderID"] for _ in range(2)]
        (_,), (second,) = [await trader.settled(one) for one in orders]
        (*_, told) = await fills.until(of_trader)

    assert placed["status"] == "matched"
    assert [frame["type"] for frame in frames] == ["TRADE", "TRADE"]
    assert rows[0] == rows[1]
    # Of the first of two fills RTDS says nothing to him who follows this wallet.
    assert told["payload"]["transactionHash"] == second["transaction_hash"]
    assert [line["channel"] for line in await struck(web, "frame_drop")][-2:] == ["user", "rtds"]


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"kind": "frame_drop"}, "channel"),
        ({"kind": "frame_drop", "channel": "sports"}, "channel"),
        ({"kind": "frame_drop", "channel": "user", "containing": 3}, "containing"),
        ({"kind": "socket_close", "channel": "user", "code": 1006}, "code"),
        ({"kind": "socket_refuse", "channel": "user", "status": 200}, "status"),
        ({"kind": "frame_delay", "channel": "user", "ms": -1}, "ms"),
    ],
)
async def test_a_fault_of_sockets_that_makes_no_sense_is_refused(web, fault, named):
    answer = await web.post("/admin/faults", json=fault)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{named}: expected")
