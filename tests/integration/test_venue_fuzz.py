"""Nothing that a stranger sends gives an unhandled error, or ends the venue or its chain (`tests/venue_fuzz.py` draws it)."""

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from services.venue.node import addresses
from tests.patience import PATIENT_S
from tests.venue_chain import BUY, node_process
from tests.venue_fuzz import Fuzz, Known, Request, RpcFuzz, Wire, shout
from tests.venue_process import Venue, venue_process
from tests.venue_trader import SHARE, Trader

pytestmark = pytest.mark.xdist_group("venue-fuzz")

SEED = int(os.environ.get("FUZZ_SEED", "1"))
FRAMES = 60
COUNT = 850
BODIES = 300
KNOWN = 0.95
FEW = 2


def now_s() -> int:
    return int(time.time())


async def a_fuzz(venue: Venue, web: httpx.AsyncClient) -> tuple[Fuzz, Trader]:
    trader = await Trader.join(web)
    markets = (await web.get("/admin/markets")).json()["markets"]
    routes = (await web.get("/admin/routes")).json()["routes"]
    token = markets[0]["tokens"][0]
    order = trader.order(token, BUY, 5 * SHARE, 200_000, "GTC")
    placed = (await trader.post(order)).json()["orderID"]
    texts = [
        placed,
        token,
        trader.address,
        trader.address.lower(),
        *(market["condition_id"] for market in markets),
        *(market["slug"] for market in markets),
    ]
    texts += ["1", "100", "BUY", "true", "COLLATERAL", "leader-1", "demo", "TIMESTAMP", str(int(time.time()))]
    bodies = [
        order,
        trader.order(token, BUY, 5 * SHARE, 200_000, "FAK"),
        b"[" + trader.order(token, BUY, 5 * SHARE, 200_000, "GTC") + b"]",
        json.dumps({"orderID": placed}).encode(),
        json.dumps([placed, "0x00"]).encode(),
        json.dumps({"market": markets[0]["condition_id"], "asset_id": token}).encode(),
        json.dumps([{"token_id": token, "side": "BUY"}]).encode(),
        json.dumps({"heartbeat_id": ""}).encode(),
        json.dumps({"address": trader.address, "usdc_micros": 1_000}).encode(),
        json.dumps(
            {"trader": "leader-1", "market": 0, "outcome": 0, "side": "BUY", "shares_micros": 10 * SHARE}
        ).encode(),
        json.dumps({"condition_id": markets[1]["condition_id"], "tick_micros": 1_000}).encode(),
    ]
    return Fuzz(SEED, routes, Known(texts, bodies, trader.credentials, trader.address), now_s), trader


@dataclass(slots=True)
class Flood:
    """What came back: how often each status, what was answered by 503, and the statuses of what was signed well, in order."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    away: list[str] = field(default_factory=list[str])
    signed: list[int] = field(default_factory=list[int])

    def take(self, request: Request, status: int, told: str) -> None:
        self.statuses[status] += 1
        if request.signed:
            self.signed.append(status)
        if status == 503:
            self.away.append(told)

    def known_to_the_end(self) -> float:
        """The share of what was signed well, of the last quarter, that was not taken for a stranger's."""
        last = self.signed[-len(self.signed) // 4 :]
        return sum(status != 401 for status in last) / len(last)


async def flood(venue: Venue, count: int) -> Flood:
    """So many requests, and what became of them."""
    found, port = Flood(), int(venue.url.rpartition(":")[2])
    async with httpx.AsyncClient(base_url=venue.url, timeout=PATIENT_S) as web:
        fuzz, _ = await a_fuzz(venue, web)
        wire = Wire(port)
        for number in range(count):
            request = fuzz.request()
            try:
                status, head, body = await wire.ask(request)
            except (EOFError, OSError, TimeoutError) as error:
                raise AssertionError(f"seed {SEED}, request {number}: no answer to {request}") from error
            told = f"seed {SEED}, request {number}: {request.method} {request.target[:300]} {request.body[:300]!r}: {status} {body[:300]!r}"
            assert b"Internal Server Error" not in body, told
            assert status != 500 or b"application/json" in head, told
            found.take(request, status, told)
        wire.close()
        for path in ("/ws/market", "/ws/user", "/rtds"):
            await shout(venue.socket_url + path, fuzz, FRAMES)
        assert (await web.get("/admin/health")).json()["status"] == "ok"
        await trades_still(web)
    return found


async def trades_still(web: httpx.AsyncClient) -> None:
    """Whatever was done to it, the venue matches an order and the chain settles it."""
    trader = await Trader.join(web)
    # Some markets may have been resolved or proposed on the way: an owner's right.
    tokens = [market["tokens"][0] for market in (await web.get("/admin/markets")).json()["markets"]]
    books = (await web.post("/clob/books", json=[{"token_id": token} for token in tokens])).json()
    book = next(one for one in books if one["asks"])
    token, best = book["asset_id"], book["asks"][-1]["price"]
    placed = await trader.place(token, BUY, 10 * SHARE, round(float(best) * 1_000_000), "FAK")

    assert placed["status"] == "matched"
    await trader.settled(placed["orderID"])


async def hurl(node_url: str, count: int) -> None:
    """So many bodies to the node, each answered as JSON-RPC answers."""
    routes: list[dict[str, Any]] = [{"path": "/", "methods": ["POST"]}]
    known = Known(["0x" + "11" * 20, addresses.EXCHANGE, "0x1"], [b"{}"], None, "")  # type: ignore[arg-type]
    async with httpx.AsyncClient(timeout=PATIENT_S) as web:
        methods = METHODS
        rpc = RpcFuzz(SEED, methods, Fuzz(SEED, routes, known, now_s))
        for number in range(count):
            body = rpc.body()
            answer = await web.post(node_url, content=body)
            told = f"seed {SEED}, body {number}: {body[:600]!r}: {answer.status_code} {answer.text[:300]}"
            assert answer.status_code < 500, told
            assert "-32603" not in answer.text, told
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        assert int((await web.post(node_url, json=asked)).json()["result"], 16) > 0


METHODS = [
    "eth_chainId", "eth_blockNumber", "eth_getBlockByNumber", "eth_getBlockByHash", "eth_getBlockReceipts", "eth_getTransactionReceipt",
    "eth_getTransactionByHash", "eth_getTransactionCount", "eth_getBalance", "eth_getCode", "eth_getStorageAt", "eth_call", "eth_estimateGas",
    "eth_gasPrice", "eth_feeHistory", "eth_getLogs", "eth_sendTransaction", "eth_sendRawTransaction", "eth_subscribe", "eth_unsubscribe",
    "eth_syncing", "eth_accounts", "net_version", "web3_clientVersion", "evm_mine", "evm_setBalance",
]  # fmt: skip


def fuzzed_behind_the_door(found: Flood) -> None:
    """Whoever signs is known to the end, and hardly anything that is sent looks as if the chain were away: that hides errors of ours."""
    assert found.known_to_the_end() > KNOWN, found.signed
    assert len(found.away) <= FEW, found.away


async def test_a_thousand_hostile_requests_are_all_answered_in_order() -> None:
    with venue_process("--seed", "5") as venue:
        found = await flood(venue, COUNT)
        assert found.statuses[200] > 50
        assert found.statuses[400] > 50
        fuzzed_behind_the_door(found)


async def test_the_node_answers_whatever_it_is_sent() -> None:
    with node_process("--block-ms", "100") as node_url:
        await hurl(node_url, BODIES)


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
async def test_ten_thousand_hostile_requests_are_all_answered_in_order() -> None:
    with venue_process("--seed", "6") as venue:
        fuzzed_behind_the_door(await flood(venue, 10_000))
    with node_process("--block-ms", "100") as node_url:
        await hurl(node_url, 2_000)
