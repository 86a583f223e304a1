"""The monitor on real sources: a node's log subscription, the Data API and RTDS over the network, in any combination."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve

from services.common.chain.web3_chain import Web3Chain
from services.common.clock import SystemClock
from services.common.domain.copy import CopyKind
from services.common.domain.trade import Role
from services.common.loop import forever
from services.common.polymarket.activity import DataApiActivity
from services.common.polymarket.environment import PRODUCTION, Endpoints
from services.common.polymarket.firehose import RtdsFirehose
from services.common.polymarket.memory import MemoryMarkets
from services.common.ports.chain import Head
from services.common.ports.venue import Hint
from services.common.store.memory import MemoryStores
from services.monitor.listen import Listening
from services.monitor.roster import Roster
from services.monitor.sources.activity import ActivitySource
from services.monitor.sources.chain import ChainSource
from services.monitor.sources.rtds import FirehoseSource
from services.monitor.watch import Watch
from tests import recordings
from tests.builders import ACCOUNT, a_follow
from tests.monitor_world import OTHER_ACCOUNT, until
from tests.patience import PATIENT_S
from tests.venue_process import Venue, venue_process
from tests.venue_web import SHARE, mined, trade, traders

pytestmark = pytest.mark.xdist_group("monitor_sources")

LEADERS = ("leader-1", "leader-3")
ALL = ("chain", "sweep", "activity", "rtds")
OFTEN = timedelta(milliseconds=100)
QUIET_S = 1.0


@pytest.fixture(scope="module")
def venue():
    with venue_process("--seed", "7", "--history", "9") as running:
        yield running


@dataclass
class Scene:
    """Two accounts that follow two leaders from now on, and what a monitor that runs on some sources has stored for them."""

    web: httpx.AsyncClient
    stores: MemoryStores
    leaders: dict[str, str]

    async def copies(self, tx_hash: str, count: int) -> list[Any]:
        """The copies of a transaction once there are so many, and a while later: nothing may follow."""
        await until(lambda: len(self._of(tx_hash)) >= count)
        await asyncio.sleep(QUIET_S)
        return self._of(tx_hash)

    async def hears(self) -> None:
        """Trade until a source has told of it: a subscription misses what came before it."""
        async with asyncio.timeout(PATIENT_S):
            while not self._stored():
                await mined(self.web, await trade(self.web, "leader-1", market=2, side="BUY"))
                await asyncio.sleep(0.5)

    def _stored(self) -> list[Any]:
        return [copy for one in (ACCOUNT, OTHER_ACCOUNT) for copy in self.stores.database.of_account(one)]

    def _of(self, tx_hash: str) -> list[Any]:
        return [copy for copy in self._stored() if copy.trade.tx_hash == tx_hash]


@asynccontextmanager
async def watching(venue: Venue, *sources: str) -> AsyncIterator[Scene]:
    clock = SystemClock()
    stores, endpoints = MemoryStores(clock.now), _endpoints(venue)
    async with httpx.AsyncClient(base_url=venue.url, timeout=PATIENT_S) as web:
        leaders = {name: address.lower() for name, address in (await traders(web)).items() if name in LEADERS}
        made = clock.now() - timedelta(seconds=2)
        for account in (ACCOUNT, OTHER_ACCOUNT):
            for leader in leaders.values():
                await stores.follows.create(a_follow(account, leader, created_at=made))
        chain, activity = Web3Chain(endpoints), DataApiActivity(endpoints, clock, stores.dead_letters)
        work = await _work(chain, activity, stores, endpoints, clock)
        tasks = [asyncio.create_task(work[source]()) for source in sources]
        scene = Scene(web, stores, leaders)
        try:
            await scene.hears()
            yield scene
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(chain.close(), activity.close())


async def _work(
    chain: Web3Chain, activity: DataApiActivity, stores: MemoryStores, endpoints: Endpoints, clock: SystemClock
) -> dict[str, Callable[[], Awaitable[None]]]:
    roster = Roster(stores, chain, clock)
    watch = Watch(chain, stores, MemoryMarkets(clock), roster, clock, lambda _: None, chain_id=137)
    await roster.refresh()
    logs = ChainSource(chain, stores, roster, watch, clock, overlap_blocks=32)
    rows = ActivitySource(activity, roster, watch, clock, overlap=timedelta(minutes=2))
    firehose = FirehoseSource(RtdsFirehose(endpoints, clock, stores.dead_letters), watch)
    return {
        "chain": lambda: Listening("chain", logs.follow, roster, clock).forever(OFTEN),
        "rtds": lambda: Listening("rtds", firehose.follow, roster, clock).forever(OFTEN),
        "sweep": lambda: forever("sweep", logs.sweep, OFTEN, clock),
        "activity": lambda: forever("activity", rows.poll, OFTEN, clock),
    }


def _endpoints(venue: Venue) -> Endpoints:
    return replace(
        PRODUCTION,
        data_api_url=venue.url + "/data",
        rtds_url=venue.socket_url + "/rtds",
        rpc_url=venue.node_url,
        rpc_ws_url="ws" + venue.node_url.removeprefix("http"),
    )


@pytest.mark.parametrize("sources", [(one,) for one in ALL] + [ALL], ids="+".join)
async def test_a_fill_is_one_copy_for_each_account_whatever_told_of_it(venue: Venue, sources: tuple[str, ...]):
    async with watching(venue, *sources) as scene:
        fill = await mined(scene.web, await trade(scene.web, "leader-1", market=2, side="BUY"))

        stored = await scene.copies(fill["tx_hash"], 2)

    assert sorted(copy.account_id for copy in stored) == [ACCOUNT, OTHER_ACCOUNT]
    for copy in stored:
        assert (copy.kind, copy.trade.role, copy.trade.leader) == (
            CopyKind.ENTRY,
            Role.TAKER,
            scene.leaders["leader-1"],
        )
        assert (copy.trade.order_hash, copy.trade.shares_micros) == (fill["order_hash"], fill["size_micros"])
        assert (copy.trade.token_id, copy.trade.block_number) == (fill["token"], fill["block"])


@pytest.mark.parametrize("sources", [("activity",), ALL], ids="+".join)
async def test_five_identical_maker_fills_of_one_transaction_are_five_copies(
    venue: Venue, sources: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    # Two rows to a page: a page is not the end.
    monkeypatch.setattr("services.common.polymarket.activity.PAGE", 2)
    async with watching(venue, *sources) as scene:
        wish = {"trader": "leader-3", "market": 3, "orders": 5, "side": "BUY"}
        swept = (await scene.web.post("/admin/sweep", json=wish)).json()["orders"]
        resting = [one["order_hash"] for one in swept if one["trader"] == "leader-3"]
        fill = await mined(scene.web, resting[0])

        stored = await scene.copies(fill["tx_hash"], 10)

    assert len(stored) == 10
    assert {copy.trade.order_hash for copy in stored} == set(resting)
    assert {copy.trade.role for copy in stored} == {Role.MAKER}


async def test_a_sale_is_a_debt(venue: Venue):
    async with watching(venue, *ALL) as scene:
        await mined(
            scene.web, await trade(scene.web, "leader-3", market=4, side="BUY", shares_micros=200 * SHARE)
        )  # fmt: skip
        sale = await trade(scene.web, "leader-3", market=4, side="SELL", shares_micros=0, fraction_bps=1_000)
        fill = await mined(scene.web, sale)

        stored = await scene.copies(fill["tx_hash"], 2)

    assert [copy.kind for copy in stored] == [CopyKind.DEBT] * 2
    assert {copy.trade.shares_micros for copy in stored} == {fill["size_micros"]}


class Told:
    """Stands where the watch is: keeps the hints."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []

    def offer(self, hint: Hint) -> None:
        self.hints.append(hint)


async def test_a_frame_that_nobody_knows_is_a_dead_letter_and_a_dead_socket_is_opened_again():
    frame = recordings.load("polymarket/pb_ws/rtds_activity_trades.json")["bosona_fill"]
    leader, clock, told, served = frame["payload"]["proxyWallet"].lower(), SystemClock(), Told(), []
    stores = MemoryStores(clock.now)
    await stores.follows.create(a_follow(leader=leader))

    async def rtds(socket: ServerConnection) -> None:
        served.append(await socket.recv())
        await socket.send('{"topic":"activity","type":"trades","payload":{"proxyWallet":7}}')
        await socket.send("]no json[")
        await socket.send(json.dumps(frame))
        if len(served) > 1:
            await socket.wait_closed()

    async with serve(rtds, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        endpoints = replace(PRODUCTION, rtds_url=f"ws://127.0.0.1:{port}", rpc_url="http://127.0.0.1:9")
        roster = Roster(stores, _Head(), clock)  # type: ignore[arg-type]
        await roster.refresh()
        source = FirehoseSource(RtdsFirehose(endpoints, clock, stores.dead_letters), told)  # type: ignore[arg-type]
        task = asyncio.create_task(Listening("rtds", source.follow, roster, clock).forever(OFTEN))
        await until(lambda: len(told.hints) >= 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert {hint.tx_hash for hint in told.hints} == {frame["payload"]["transactionHash"]}
    letters = await stores.dead_letters.all()
    assert sorted(letter.count for letter in letters) == [2, 2]


class _Head:
    """A chain of which only the head is asked for."""

    async def head(self) -> Any:
        return Head(1, SystemClock().now(), 1, 137)
