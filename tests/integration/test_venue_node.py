"""The node as a process: web3.py over HTTP and WebSocket, blocks by the clock, subscriptions as recorded."""

import asyncio
import sys
import time
from typing import Any

import orjson
import pytest
import websockets
from eth_account import Account
from eth_utils.crypto import keccak
from web3 import AsyncHTTPProvider, AsyncWeb3, WebSocketProvider
from web3.exceptions import ContractCustomError
from web3.middleware import ExtraDataToPOAMiddleware

from services.venue.bank import Bank
from services.venue.conditions import condition_id, token_ids
from services.venue.node import addresses, artifacts
from services.venue.node.client import Node
from services.venue.node.rpc import MAX_BATCH
from tests import recordings
from tests.patience import PATIENT_S, patiently
from tests.venue_chain import node_process
from tests.venue_shapes import differences

FRAMES = "polymarket/pb_chain/chain_eth_subscribe.json"
INSUFFICIENT_BALANCE = "0xf4d678b8"
ADMIN, ORACLE = (AsyncWeb3.to_checksum_address(one) for one in (addresses.ADMIN, addresses.ORACLE))


@pytest.fixture(scope="module")
def url():
    with node_process("--block-ms", "200", "--finality", "3") as url:
        yield url


@pytest.fixture
async def node(url):
    async with Node(url) as one:
        yield one


@pytest.fixture
def question(request) -> bytes:
    return keccak(text=request.node.name)


@pytest.fixture
def wallet(question):
    return Account.from_key(question)


def polygon(web3: AsyncWeb3) -> AsyncWeb3:
    web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return web3


def contract(web3: AsyncWeb3, name: str, address: str):
    return web3.eth.contract(address=AsyncWeb3.to_checksum_address(address), abi=artifacts.load(name).abi)


async def test_web3_over_http_signs_sends_and_reads_history(node, wallet):
    await Bank(node).fund(wallet.address, 5_000_000, approve=False)
    web3 = polygon(AsyncWeb3(AsyncHTTPProvider(node.url)))
    cash = contract(web3, "collateral", addresses.COLLATERAL)
    before = await web3.eth.block_number
    nonce = await web3.eth.get_transaction_count(wallet.address)
    transfer = cash.functions.transfer(ADMIN, 1_000_000)
    fields = await transfer.build_transaction({"from": wallet.address, "nonce": nonce})
    sent = await web3.eth.send_raw_transaction(wallet.sign_transaction(fields).raw_transaction)
    receipt = await web3.eth.wait_for_transaction_receipt(sent, timeout=PATIENT_S, poll_latency=0.05)
    held = cash.functions.balanceOf(wallet.address)
    with pytest.raises(ContractCustomError) as refused:
        await cash.functions.transfer(wallet.address, 1).call({"from": ORACLE})

    assert await web3.eth.chain_id == 137
    assert receipt["status"] == 1
    assert cash.events.Transfer().process_receipt(receipt)[0]["args"]["amount"] == 1_000_000
    assert await held.call() == 4_000_000
    assert await held.call(block_identifier=before) == 5_000_000
    assert (await web3.eth.get_block(receipt["blockNumber"]))["hash"] == receipt["blockHash"]
    assert INSUFFICIENT_BALANCE in str(refused.value)
    await web3.provider.disconnect()


async def test_web3_over_websocket_is_told_of_heads_and_of_the_logs_it_asked_for(node, question):
    async with AsyncWeb3(WebSocketProvider(node.socket_url)) as web3:
        polygon(web3)
        tokens = contract(web3, "conditional_tokens", addresses.CONDITIONAL_TOKENS).address
        heads = await web3.eth.subscribe("newHeads")
        logs = await web3.eth.subscribe("logs", {"address": tokens, "topics": [None, condition_id(question)]})
        await Bank(node).create_market(question)
        seen: list[Any] = []
        async with asyncio.timeout(PATIENT_S):
            async for frame in web3.socket.process_subscriptions():
                seen.append(frame)
                if {one["subscription"] for one in seen} == {heads, logs}:
                    break
        log = next(one["result"] for one in seen if one["subscription"] == logs)

        assert log["topics"][1].to_0x_hex() == condition_id(question)
        assert await web3.eth.unsubscribe(heads)
        assert await web3.eth.unsubscribe(logs)


# Fields of a head that the recording left out, as it says itself.
TRIMMED = {
    f"+{name}"
    for name in (
        "sha3Uncles",
        "logsBloom",
        "transactionsRoot",
        "stateRoot",
        "receiptsRoot",
        "difficulty",
        "extraData",
        "gasLimit",
        "mixHash",
        "nonce",
    )
}


async def test_subscription_frames_have_the_recorded_shapes(node, question):
    recorded = [one["msg"]["params"]["result"] for one in recordings.load(FRAMES)["received"] if "params" in one["msg"]]
    head_shape, log_shape = sorted(recorded, key=lambda one: "topics" in one)
    heads, logs, frames = await streams_of_a_new_condition(node, question)

    log = next(frame["result"] for frame in frames if frame["subscription"] == logs)
    head = next(frame["result"] for frame in frames if frame["result"].get("hash") == log["blockHash"])
    assert [frame["subscription"] for frame in frames[-2:]] == [heads, logs]
    # The recording has left fields of the head out, which is all that it may be short of.
    assert [one for one in differences(head_shape, head) if one not in TRIMMED] == []
    assert list(differences(log_shape, log)) == []
    assert list(log) == list(log_shape)
    assert log["removed"] is False
    assert log["blockTimestamp"] == head["timestamp"]
    texts = [value for value in log.values() if isinstance(value, str)] + log["topics"]
    assert texts == [text.lower() for text in texts]
    assert log in await node.call("eth_getLogs", {"blockHash": head["hash"]})


async def streams_of_a_new_condition(node: Node, question: bytes) -> tuple[str, str, list[dict[str, Any]]]:
    """Subscribes to heads and to one condition's logs; all frames up to its first log."""
    subscribe = {"jsonrpc": "2.0", "method": "eth_subscribe"}
    wanted = {"address": [addresses.CONDITIONAL_TOKENS], "topics": [None, [condition_id(question)]]}
    async with websockets.connect(node.socket_url) as socket, asyncio.timeout(PATIENT_S):
        await socket.send(orjson.dumps(subscribe | {"id": 1, "params": ["logs", wanted]}).decode())
        logs = orjson.loads(await socket.recv())["result"]
        await socket.send(orjson.dumps(subscribe | {"id": 2, "params": ["newHeads"]}).decode())
        heads = orjson.loads(await socket.recv())["result"]
        creating = asyncio.create_task(Bank(node).create_market(question))
        frames: list[dict[str, Any]] = []
        while not frames or frames[-1]["subscription"] != logs:
            frames.append(orjson.loads(await socket.recv())["params"])
        await creating
    return heads, logs, frames


async def test_blocks_come_by_the_clock_even_when_nothing_happens(node):
    first = int(await node.call("eth_blockNumber"), 16)
    await asyncio.sleep(1.5)
    head, final = await node.batch([("eth_getBlockByNumber", [tag, False]) for tag in ("latest", "finalized")])

    assert int(head["number"], 16) - first >= 4
    assert int(head["number"], 16) - int(final["number"], 16) in (2, 3)
    assert abs(int(head["timestamp"], 16) - time.time()) < PATIENT_S
    assert len(head["extraData"]) > 2 + 2 * 32


async def test_the_bank_fills_wallets_makes_markets_and_resolves_them(node, wallet, question):
    bank = Bank(node)
    await bank.fund(wallet.address, 100_000_000)
    condition, yes, no = await bank.create_market(question)
    await bank.split(wallet.address, condition, 60_000_000)
    at_split = int(await node.call("eth_blockNumber"), 16)
    await bank.transfer(wallet.address, addresses.ORACLE, no, 5_000_000)
    await bank.merge(wallet.address, condition, 20_000_000)
    await bank.resolve(condition, [1, 0])
    await bank.redeem(wallet.address, condition)

    assert (condition, yes, no) == (condition_id(question), *token_ids(condition_id(question)))
    assert await bank.collateral_balance(wallet.address) == 100_000_000
    assert await bank.collateral_balance(wallet.address, at_split) == 40_000_000
    assert await bank.token_balance(wallet.address, yes, at_split) == 60_000_000
    assert await bank.token_balance(wallet.address, yes) == 0
    assert await bank.token_balance(addresses.ORACLE, no) == 5_000_000
    assert await bank.is_approved(wallet.address)
    assert await bank.allowance(wallet.address) > 10**30


async def test_a_second_node_on_the_same_port_fails_and_says_so_in_json(url):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.venue.node", "--port", url.rsplit(":", 1)[1]), stderr=asyncio.subprocess.PIPE
    )
    _, written = await patiently(process.communicate())

    assert process.returncode != 0
    assert any(b"address already in use" in line for line in written.splitlines())
    assert all(orjson.loads(line) for line in written.splitlines())


async def test_a_client_that_never_reads_is_sent_away_and_told_why(node):
    subscribe = [{"jsonrpc": "2.0", "id": n, "method": "eth_subscribe", "params": ["newHeads"]} for n in range(1_000)]
    async with websockets.connect(node.socket_url, max_queue=1, compression=None) as socket, asyncio.timeout(PATIENT_S):
        await socket.send(orjson.dumps(subscribe).decode())
        assert len(orjson.loads(await socket.recv())) == 1_000
        for _ in range(40):
            await node.call("evm_mine")
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            while True:
                await socket.recv()

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "too slow: notifications were not read")
    assert int(await node.call("eth_blockNumber"), 16) > 0


async def test_more_calls_than_the_node_takes_at_once_are_answered_in_their_order(node):
    calls = [("eth_getBlockByNumber", [hex(number % 2), False]) for number in range(MAX_BATCH + 1)]

    headers = await node.batch(calls)

    assert [int(header["number"], 16) for header in headers] == [number % 2 for number in range(MAX_BATCH + 1)]
    assert await node.outcomes(calls) == headers
