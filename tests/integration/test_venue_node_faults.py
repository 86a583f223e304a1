"""A public RPC endpoint on its bad days, as the services' own adapter meets it; and a leader's fill that a reorg moves."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import websockets
from eth_account import Account
from eth_utils.crypto import keccak

from services.common.chain.web3_chain import Web3Chain
from services.common.clock import SystemClock
from services.common.domain.copy import Copy
from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.memory import MemoryMarkets
from services.common.ports.chain import ChainUnavailable
from services.common.store.memory import MemoryStores
from services.monitor.roster import Roster
from services.monitor.sources.chain import ChainSource
from services.monitor.watch import Watch
from services.venue.bank import Bank, Funding
from services.venue.node import addresses
from services.venue.node.client import Node
from services.venue.settlement import Settlement
from tests.builders import a_follow
from tests.patience import PATIENT_S
from tests.venue_chain import BUY, SELL, SHARE, USDC, a_match, an_order, node_process

pytestmark = pytest.mark.xdist_group("venue_node_faults")

LEADER = Account.from_key(keccak(text="leader of a reorg"))
OTHER = Account.from_key(keccak(text="other of a reorg"))
WALLET = LEADER.address.lower()
FILE = """
[[fault]]
kind = "rpc_error"
rpc = "eth_gasPrice"
code = -32000
message = "from the file"
times = 1

[[fault]]
kind = "commit_slow"
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("faults") / "faults.toml"
    Path(path).write_text(FILE)
    with node_process("--block-ms", "0", "--faults", str(path)) as url:
        yield url


class World:
    """The node, a leader with money in a market of his own, and the public's way to the chain."""

    def __init__(self, node: Node, web: httpx.AsyncClient, seen: int) -> None:
        self.node = node
        self.web = web
        self.bank = Bank(node)
        self.yes = 0
        self._condition = ""
        self._seen = seen

    async def prepare(self, name: str) -> None:
        self._condition, self.yes, _ = await self.bank.create_market(keccak(text=name))
        await self.bank.fund_many([Funding(one.address, 1_000 * USDC, True) for one in (LEADER, OTHER)])
        await self.bank.split(OTHER.address, self._condition, 100 * SHARE)

    async def fill(self, salt: int) -> str:
        """The leader buys ten shares; the transaction."""
        taker = an_order(LEADER, BUY, self.yes, 10 * SHARE, 500_000, salt=salt)
        maker = an_order(OTHER, SELL, self.yes, 10 * SHARE, 500_000, salt=salt)
        settlement = Settlement(self.node, addresses.OPERATOR)
        sent = await settlement.submit(a_match(taker, maker, match_id=f"m{salt}", condition_id=self._condition))
        await self.node.call("evm_mine")
        await settlement.close()
        return sent

    async def fault(self, kind: str, rpc: str = "", **fields: Any) -> None:
        await self.node.call("evm_addFault", {"kind": kind, "rpc": rpc, **fields})

    async def strikes(self) -> list[tuple[str, str]]:
        """What struck since this test began: kind and method."""
        lines = (await self.node.call("evm_faults", self._seen))["lines"]
        assert {line["kind"] for line in lines} <= {"fault"}
        return [(line["fault"], line["called"]) for line in lines]

    async def ask(self, method: str, *arguments: Any) -> httpx.Response:
        return await self.web.post("/", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": arguments})


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    async with Node(url) as node, httpx.AsyncClient(base_url=url, timeout=PATIENT_S) as web:
        await node.call("evm_clearFaults")
        struck = (await node.call("evm_faults"))["lines"]
        yield World(node, web, struck[-1]["seq"] if struck else 0)


@pytest.fixture
async def market(world: World, request: pytest.FixtureRequest) -> None:
    await world.prepare(request.node.name)


@pytest.fixture
async def chain(url: str) -> AsyncIterator[Web3Chain]:
    one = Web3Chain(replace(PRODUCTION, rpc_url=url, rpc_ws_url=url.replace("http", "ws")))
    yield one
    await one.close()


async def test_a_file_of_faults_strikes_from_the_start(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENT_S) as web:
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_gasPrice"}
        first, second = [(await web.post("/", json=body)).json() for _ in range(2)]

    assert first["error"] == {"code": -32000, "message": "from the file"}
    assert second["result"] == hex(25 * 10**9)


@pytest.mark.usefixtures("market")
async def test_an_endpoint_that_lags_is_behind_in_everything_it_says(world: World, chain: Web3Chain) -> None:
    sent = await world.fill(1)
    head = await chain.head()
    await world.fault("rpc_lag", blocks=1, times=0)
    behind = await chain.head()
    unknown = [await chain.receipt(sent), await chain.fills_of([WALLET], 0, head.number)]
    poor = await chain.token_balance(WALLET, str(world.yes))
    with pytest.raises(ChainUnavailable, match="header not found"):
        await chain.token_balance(WALLET, str(world.yes), head.number)
    await world.node.call("evm_mine")
    known = await chain.receipt(sent)

    assert behind.number == head.number - 1
    assert unknown == [None, ()]
    assert poor == 0
    assert known is not None
    assert await chain.token_balance(WALLET, str(world.yes)) == 10 * SHARE
    assert {kind for kind, _ in await world.strikes()} == {"rpc_lag"}


@pytest.mark.usefixtures("market")
async def test_an_endpoint_that_lies_is_wrong_about_balances_logs_and_receipts(world: World, chain: Web3Chain) -> None:
    sent = await world.fill(2)
    await world.fault("rpc_wrong_balance", "eth_call", amount=5 * SHARE)
    await world.fault("rpc_missing_logs", "eth_getLogs")
    await world.fault("rpc_wrong_status", "eth_getTransactionReceipt")
    at = int((await world.node.call("eth_blockNumber")), 16)

    assert await chain.token_balance(WALLET, str(world.yes)) == 5 * SHARE
    assert await chain.fills_of([WALLET], at, at) == ()
    assert [receipt.ok for _ in range(2) if (receipt := await chain.receipt(sent))] == [False, True]
    assert await chain.token_balance(WALLET, str(world.yes)) == 10 * SHARE
    assert len(await chain.fills_of([WALLET], at, at)) == 1
    assert await world.strikes() == [
        ("rpc_wrong_balance", "eth_call"),
        ("rpc_missing_logs", "eth_getLogs"),
        ("rpc_wrong_status", "eth_getTransactionReceipt"),
    ]


async def test_an_endpoint_refuses_cuts_and_is_late_as_it_is_told(world: World) -> None:
    await world.fault("rpc_error", "eth_blockNumber", code=-32000, message="header not found")
    await world.fault("rpc_limited", "eth_chainId")
    await world.fault("rpc_drop_before", "eth_gasPrice")
    await world.fault("rpc_delay", "net_version", ms=5_000)
    refused, limited = await world.ask("eth_blockNumber"), await world.ask("eth_chainId")
    with pytest.raises(httpx.RemoteProtocolError):
        await world.ask("eth_gasPrice")
    with pytest.raises(httpx.ReadTimeout):
        await world.web.post("/", json={"id": 1, "method": "net_version"}, timeout=httpx.Timeout(PATIENT_S, read=0.3))

    assert refused.json()["error"] == {"code": -32000, "message": "header not found"}
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "1")
    assert [(await world.ask(one)).status_code for one in ("eth_chainId", "eth_gasPrice", "net_version")] == [200] * 3
    assert [kind for kind, _ in await world.strikes()] == ["rpc_error", "rpc_limited", "rpc_drop_before", "rpc_delay"]


async def test_an_answer_that_is_cut_off_has_had_its_effect(world: World) -> None:
    await world.fault("rpc_drop_after", "eth_sendTransaction")
    wanted = {"from": addresses.ADMIN, "to": "0x" + "7e" * 20, "value": "0x5"}
    with pytest.raises(httpx.RemoteProtocolError):
        await world.ask("eth_sendTransaction", wanted)
    await world.node.call("evm_mine")

    assert (await world.ask("eth_getBalance", wanted["to"], "latest")).json()["result"] == "0x5"


async def test_the_same_seed_strikes_the_same_calls_and_never_the_venues_own(world: World) -> None:
    async def struck() -> list[bool]:
        await world.node.call("evm_clearFaults")
        await world.fault("rpc_error", "eth_chainId", rate_bps=5_000, times=0, seed=7)
        return ["error" in (await world.ask("eth_chainId")).json() for _ in range(20)]

    first, second = await struck(), await struck()
    own = [await world.node.call("eth_chainId") for _ in range(20)]

    assert first == second
    assert 3 < sum(first) < 17
    assert set(own) == {"0x89"}


async def test_what_is_pushed_comes_late_or_not_at_all(world: World) -> None:
    async with websockets.connect(world.node.url.replace("http", "ws") + "/") as socket, asyncio.timeout(PATIENT_S):
        await socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}')
        await socket.recv()
        await world.fault("rpc_lag", "eth_subscription", blocks=1, times=2)
        await world.fault("rpc_silent", "eth_subscription", times=1)
        mined = [int(await world.node.call("evm_mine"), 16) for _ in range(4)]
        told = [int(orjson.loads(await socket.recv())["params"]["result"]["number"], 16) for _ in range(3)]

    assert told == [mined[0], mined[1], mined[3]]
    assert await world.strikes() == [(kind, "eth_subscription") for kind in ("rpc_lag", "rpc_lag", "rpc_silent")]


async def test_frames_of_a_subscription_are_doubled_and_end_their_socket(url: str, world: World) -> None:
    ours = {"channel": "node", "containing": "eth_subscription"}
    async with websockets.connect(url.replace("http", "ws")) as socket, asyncio.timeout(PATIENT_S):
        await socket.send(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}))
        await socket.recv()
        await world.node.call("evm_addFault", {"kind": "frame_double", **ours})
        mined = await world.node.call("evm_mine")
        twice = [orjson.loads(await socket.recv())["params"]["result"]["number"] for _ in range(2)]
        await world.node.call("evm_addFault", {"kind": "socket_close", "code": 1012, **ours})
        await world.node.call("evm_mine")
        with pytest.raises(websockets.ConnectionClosed, match="1012"):
            await socket.recv()
    struck = (await world.node.call("evm_faults"))["lines"][-2:]

    assert twice == [mined, mined]
    assert [(line["fault"], line["channel"]) for line in struck] == [("frame_double", "node"), ("socket_close", "node")]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "delay"}, "kind: expected one of socket_refuse"),
        ({"kind": "frame_drop", "channel": "user"}, "channel: expected one of node"),
        ({"kind": "rpc_lag", "blocks": 0}, "blocks: expected a whole number from 1 to 200"),
        ({"kind": "rpc_error", "rpc": "evm_mine"}, "rpc: expected the name of a method"),
        ({"kind": "rpc_delay", "rate_bps": 10_001}, "rate_bps: expected"),
        ({"kind": "rpc_delay", "colour": "red"}, "colour"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(world: World, fault: dict[str, Any], expected: str) -> None:
    error = (await world.ask("evm_addFault", fault)).json()["error"]

    assert error["code"] == -32602
    assert expected in error["message"]


class Hurried(SystemClock):
    """Waits no longer than it must, and believes that it has waited."""

    def __init__(self) -> None:
        super().__init__()
        self._waited = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._waited

    async def sleep(self, duration: timedelta) -> None:
        self._waited += duration.total_seconds()
        await asyncio.sleep(0.01)


class Monitor:
    """The production monitor's watch and sweep on the real chain, with a store in memory."""

    def __init__(self, chain: Web3Chain) -> None:
        clock = Hurried()
        self.stores = MemoryStores(clock.now)
        self.roster = Roster(self.stores, chain, clock)
        self.announced: list[Copy] = []
        self.watch = Watch(
            chain, self.stores, MemoryMarkets(clock), self.roster, clock, self.announced.append, chain_id=137
        )
        self.source = ChainSource(chain, self.stores, self.roster, self.watch, clock, overlap_blocks=32)

    def copied(self, token: int) -> list[str]:
        """The transactions of one token that were copied, each as often as it was."""
        return [copy.trade.tx_hash for copy in self.announced if copy.trade.token_id == str(token)]

    async def start(self) -> None:
        await self.stores.follows.create(a_follow(leader=WALLET))
        await self.roster.refresh()


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize("fate", ["again", "later", "replaced"])
async def test_a_leaders_fill_that_a_reorg_moves_is_copied_once(world: World, chain: Web3Chain, fate: str) -> None:
    monitor = Monitor(chain)
    await monitor.start()
    sent = await world.fill(3)
    await monitor.source.sweep()
    done = await world.node.call("evm_reorg", 1, {"fate": fate})
    await world.node.call("evm_mine")
    moved = await chain.fills_of([WALLET], 0, (await chain.head()).number)
    await monitor.source.sweep()

    assert len(done["added"]) == 2
    assert (moved[-1].tx_hash == sent) is (fate != "replaced")
    assert moved[-1].block_hash not in done["removed"]
    assert monitor.copied(world.yes) == [sent]


@pytest.mark.usefixtures("market")
async def test_two_fills_of_a_leader_are_two_copies_although_a_reorg_came_between(
    world: World, chain: Web3Chain
) -> None:
    monitor = Monitor(chain)
    await monitor.start()
    sent = [await world.fill(4)]
    await monitor.source.sweep()
    await world.node.call("evm_reorg", 1)
    sent.append(await world.fill(5))
    await monitor.source.sweep()

    assert monitor.copied(world.yes) == sent
