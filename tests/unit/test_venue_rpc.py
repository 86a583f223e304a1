"""The node's JSON-RPC: envelopes, parameters, filters, the pool's order."""

import asyncio
from typing import Any

import orjson
import pytest
from eth_account import Account

from services.venue.node import addresses, filters, genesis
from services.venue.node.admin import Admin
from services.venue.node.block import Log
from services.venue.node.errors import InvalidParams, Refused, RpcError
from services.venue.node.evm import BASE_FEE, Chain
from services.venue.node.faults import RpcFaults
from services.venue.node.methods import MAX_LOG_BLOCKS, Methods
from services.venue.node.miner import Miner
from services.venue.node.reasons import reason
from services.venue.node.rpc import respond
from services.venue.node.transactions import Request

NOW = 1_790_000_000
RICH = Account.from_key("0x" + "11" * 32)
NOBODY = "0x" + "99" * 20


@pytest.fixture
async def miner():
    one = Miner(Chain(genesis.accounts(), NOW), block_ms=0, clock=lambda: NOW + 60)
    yield one
    one.close()


@pytest.fixture
def methods(miner) -> Methods:
    return Methods(miner, finality=2, admin=Admin(miner, RpcFaults(lambda: NOW * 1000)))


def signed(nonce: int, **changes: Any) -> str:
    fields = {"to": NOBODY, "value": 7, "gas": 21_000, "gasPrice": BASE_FEE, "chainId": 137, "nonce": nonce}
    return "0x" + bytes(RICH.sign_transaction(fields | changes).raw_transaction).hex()


async def raised(methods: Methods, method: str, *arguments: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await methods.answer(method, list(arguments))
    return caught.value


async def echo(method: str, arguments: list[Any]) -> Any:
    if method == "boom":
        raise ValueError("a secret")
    if method == "refuse":
        raise RpcError(3, "execution reverted: NotCrossing", "0x77a9e6ac")
    return [method, *arguments]


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ('{"jsonrpc":"2.0","id":1,"method":"a","params":[2]}', {"jsonrpc": "2.0", "id": 1, "result": ["a", 2]}),
        ('{"id":"x","method":"a"}', {"jsonrpc": "2.0", "id": "x", "result": ["a"]}),
        ("{", {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}),
        ("[]", {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "empty batch"}}),
        ('{"id":1}', {"jsonrpc": "2.0", "id": 1, "error": {"code": -32600, "message": "invalid request"}}),
        (
            '{"id":1,"method":"boom"}',
            {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "internal error"}},
        ),
        (
            '{"id":1,"method":"refuse"}',
            {
                "jsonrpc": "2.0",
                "id": 1,
                "error": {"code": 3, "message": "execution reverted: NotCrossing", "data": "0x77a9e6ac"},
            },
        ),
    ],
    ids=["a call", "no parameters", "no JSON", "an empty batch", "no method", "a broken method", "a revert"],
)
async def test_a_message_is_answered(message, reply):
    assert orjson.loads(await respond(message, echo)) == reply


async def test_a_batch_is_answered_in_order_and_notifications_are_not():
    reply = await respond('[{"id":2,"method":"a"},{"method":"b"},5,{"id":1,"method":"c"}]', echo)

    assert [(one["id"], "error" in one) for one in orjson.loads(reply)] == [(2, False), (None, True), (1, False)]
    assert await respond('{"method":"b"}', echo) == b""


A, B = bytes([1] * 20), bytes([2] * 20)
T1, T2, T3 = (bytes([n] * 32) for n in (1, 2, 3))
LOG = Log(address=A, topics=(T1, T2), data=b"", index=0, transaction_hash=T1, transaction_index=0)


def hexed(*values: bytes) -> list[str]:
    return ["0x" + value.hex() for value in values]


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        ({}, True),
        ({"address": hexed(A)[0]}, True),
        ({"address": hexed(B)[0]}, False),
        ({"address": hexed(A, B)}, True),
        ({"address": []}, True),
        ({"topics": hexed(T1)}, True),
        ({"topics": hexed(T2)}, False),
        ({"topics": [None, *hexed(T2)]}, True),
        ({"topics": [hexed(T3, T1), None]}, True),
        ({"topics": [None, hexed(T1, T3)]}, False),
        ({"topics": [None, None, None]}, False),
    ],
)
def test_a_filter_takes_one_or_many_addresses_and_topics(wanted, admitted):
    assert filters.read(wanted).admits(LOG) is admitted


@pytest.mark.parametrize(
    "wanted", [{"address": "0x12"}, {"topics": ["nope"]}, {"topics": "0x"}, {"topics": [None] * 5}]
)
def test_a_filter_that_is_none_is_refused(wanted):
    with pytest.raises(InvalidParams):
        filters.read(wanted)


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("", ""),
        ("10f7c5f0", "0x10f7c5f0"),
        (
            "08c379a0" + "20".rjust(64, "0") + "02".rjust(64, "0") + "6e6f".ljust(64, "0"),
            "no",
        ),
    ],
    ids=["nothing", "unknown", "a text"],
)
def test_a_revert_is_named_when_it_can_be(output, name):
    assert reason(bytes.fromhex(output)) == name


async def test_an_unknown_method_and_a_wrong_call_are_told_apart(methods):
    assert (await raised(methods, "eth_nope")).code == -32601
    assert (await raised(methods, "eth_getBalance")).code == -32602
    assert (await raised(methods, "eth_getBalance", "0x12")).code == -32602
    assert (await raised(methods, "eth_getBalance", NOBODY, "0x99")).message == "header not found"


async def test_tags_name_blocks_by_their_depth(methods, miner):
    for _ in range(5):
        await miner.mine()

    numbers = {tag: int((await methods.answer("eth_getBlockByNumber", [tag]))["number"], 16) for tag in TAGS}

    assert numbers == TAGS
    assert await methods.answer("eth_getBlockByNumber", ["0x99", False]) is None


TAGS = {"earliest": 0, "finalized": 3, "safe": 3, "latest": 5, "pending": 5, "0x4": 4}


async def test_blocks_are_chained_and_carry_real_time(methods, miner):
    await miner.mine()
    first, second = [await methods.answer("eth_getBlockByNumber", [hex(number), False]) for number in (0, 1)]

    assert second["parentHash"] == first["hash"]
    assert int(second["timestamp"], 16) == NOW + 60
    assert await methods.answer("eth_getBlockByHash", [second["hash"], False]) == second


async def test_a_signed_transfer_is_mined_and_its_receipt_says_so(methods, miner):
    await methods.answer("evm_setBalance", [RICH.address, hex(10**18)])
    sent = await methods.answer("eth_sendRawTransaction", [signed(0)])
    waiting = await methods.answer("eth_getTransactionByHash", [sent])
    await miner.mine()
    receipt = await methods.answer("eth_getTransactionReceipt", [sent])

    assert waiting["blockHash"] is None
    assert (receipt["status"], receipt["gasUsed"], receipt["from"]) == ("0x1", hex(21_000), RICH.address.lower())
    assert await methods.answer("eth_getBalance", [NOBODY, "latest"]) == "0x7"
    assert await methods.answer("eth_getBalance", [NOBODY, "0x0"]) == "0x0"
    assert await methods.answer("eth_getTransactionCount", [RICH.address, "latest"]) == "0x1"


async def test_transactions_out_of_order_wait_for_the_one_before_them(methods, miner):
    await methods.answer("evm_setBalance", [RICH.address, hex(10**18)])
    late = await methods.answer("eth_sendRawTransaction", [signed(1)])
    await miner.mine()
    too_early = await methods.answer("eth_getTransactionReceipt", [late])
    await methods.answer("eth_sendRawTransaction", [signed(0)])
    block = await miner.mine()

    assert too_early is None
    assert [mined.transaction.nonce for mined in block.mined] == [0, 1]


@pytest.mark.parametrize(
    ("transaction", "message"),
    [
        (signed(0, value=10**18), "insufficient funds for gas * price + value"),
        (signed(0, gasPrice=BASE_FEE - 1), "max fee per gas less than block base fee"),
        (signed(0, chainId=1), "invalid chain id for signer: have 1 want 137"),
    ],
)
async def test_a_transaction_that_cannot_be_mined_is_refused(methods, transaction, message):
    await methods.answer("evm_setBalance", [RICH.address, hex(10**17)])

    assert (await raised(methods, "eth_sendRawTransaction", transaction)).message == message


async def test_a_nonce_is_used_once(methods, miner):
    await methods.answer("evm_setBalance", [RICH.address, hex(10**18)])
    await methods.answer("eth_sendRawTransaction", [signed(0)])

    assert (await raised(methods, "eth_sendRawTransaction", signed(0))).message == "already known"
    assert "nonce too low" in (await raised(methods, "eth_sendRawTransaction", signed(0, value=8))).message
    assert (await raised(methods, "eth_sendRawTransaction", "0x1234")).message.startswith("invalid transaction")


async def test_concurrent_transactions_of_one_account_get_one_nonce_each(miner):
    request = Request(genesis.canonical(addresses.ADMIN), genesis.canonical(NOBODY), b"", 1, 21_000)

    hashes = await asyncio.gather(*(miner.send(request) for _ in range(20)))
    block = await miner.mine()

    assert len(set(hashes)) == 20
    assert [mined.transaction.nonce for mined in block.mined] == list(range(20))


async def test_a_wide_range_of_logs_is_refused(methods, miner):
    for _ in range(MAX_LOG_BLOCKS):
        miner.chain.seal(NOW)

    refused = await raised(methods, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    assert isinstance(refused, Refused)
    assert await methods.answer("eth_getLogs", [{"fromBlock": "0x1", "toBlock": "latest"}]) == []


async def test_an_estimate_is_enough_and_a_refused_call_says_why(methods):
    mint = "0x40c10f19" + NOBODY[2:].rjust(64, "0") + "f4240".rjust(64, "0")
    call = {"from": addresses.ADMIN, "to": addresses.COLLATERAL, "data": mint}

    gas = int(await methods.answer("eth_estimateGas", [call]), 16)
    refused = await raised(methods, "eth_call", call | {"from": NOBODY}, "latest")

    assert 60_000 < gas < 200_000
    assert (refused.code, refused.message) == (3, "execution reverted: Unauthorized")
    assert refused.data == "0x82b42900"
