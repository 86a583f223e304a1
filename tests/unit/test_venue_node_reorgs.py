"""Blocks that are taken back: what was in them comes again, later, otherwise or never, and the state is that of the new chain."""

import orjson
import pytest

from services.venue.node import addresses, pool
from services.venue.node.errors import InvalidParams, Refused
from services.venue.node.subscriptions import Subscriptions
from tests.venue_node import NOBODYS, NOW, Node


@pytest.fixture
async def node():
    one = Node()
    yield one
    one.miner.close()


async def test_blocks_that_are_taken_back_are_replaced_by_more_and_their_transactions_move(node):
    sent = await node.pay_each()
    before = [await node("eth_getBlockByNumber", hex(number), False) for number in range(6)]
    done = await node("evm_reorg", 3)
    after = [await node("eth_getBlockByNumber", hex(number), False) for number in range(7)]

    assert before[:3] == after[:3]
    assert done["removed"] == [one["hash"] for one in before[3:]]
    assert done["added"] == [one["hash"] for one in after[3:]]
    assert not {one["hash"] for one in before[3:]} & {one["hash"] for one in after}
    assert [one["parentHash"] for one in after[1:]] == [one["hash"] for one in after[:-1]]
    assert [await node.block_of(one) for one in sent] == [1, 2, 3, 3, 3]
    assert await node.balances() == [7] * 5
    assert await node.balances("0x2") == [7, 7, 0, 0, 0]
    assert (await node("eth_getBlockByHash", done["removed"][0], False))["number"] == "0x3"


@pytest.mark.parametrize(
    ("fate", "balances", "waiting"),
    [
        ("again", [7, 7, 7, 7, 7], 0),
        ("later", [7, 7, 7, 7, 7], 3),
        ("replaced", [7, 7, 7, 7, 7], 0),
        ("dropped", [7, 7, 0, 0, 0], 0),
    ],
)
async def test_what_was_taken_back_has_one_of_five_fates(node, fate, balances, waiting):
    sent = await node.pay_each()
    done = await node("evm_reorg", 3, {"fate": fate, "blocks": 5})
    known = [await node("eth_getTransactionByHash", one) is not None for one in sent]
    await node("evm_mine")

    assert len(done["added"]) == 5
    assert len(done["waiting"]) == waiting
    assert await node.balances() == balances
    assert known == [True, True, *[fate in ("again", "later")] * 3]
    assert await node.block_of(sent[1]) == 2
    assert await node.block_of(sent[2]) == {"again": 3, "later": 8}.get(fate)


async def test_a_transaction_can_be_mined_again_and_fail(node):
    mint = "0x40c10f19" + NOBODYS[0][2:].rjust(64, "0") + "f4240".rjust(64, "0")
    sent = await node("eth_sendTransaction", {"from": addresses.ADMIN, "to": addresses.COLLATERAL, "data": mint})
    await node("evm_mine")
    before = await node("eth_getTransactionReceipt", sent)
    await node("evm_reorg", 1, {"fate": "failed"})
    after = await node("eth_getTransactionReceipt", sent)

    assert (before["status"], len(before["logs"])) == ("0x1", 1)
    assert (after["status"], after["logs"]) == ("0x0", [])
    assert before["blockHash"] != after["blockHash"]


async def test_those_behind_a_dropped_one_wait_until_its_number_is_used_again(node):
    sent = await node.pay_each()
    done = await node("evm_reorg", 3, {"fate": "dropped", "transactions": sent[2:3]})
    before = await node.balances()
    instead = await node.pay(NOBODYS[2], 9)
    await node("evm_mine")

    assert done["waiting"] == sent[3:]
    assert before == [7, 7, 0, 0, 0]
    assert await node.balances() == [7, 7, 9, 7, 7]
    assert {await node.block_of(one) for one in [instead, *sent[3:]]} == {7}


async def test_a_pool_that_is_full_loses_what_a_reorg_puts_back_and_the_chain_goes_on(node, monkeypatch):
    sent = await node.pay_each()
    monkeypatch.setattr(pool, "MAX_EARLY", 1)
    await node("evm_reorg", 5, {"fate": "dropped", "transactions": sent[:1]})
    known = [await node("eth_getTransactionByHash", one) is not None for one in sent]
    await node.pay(NOBODYS[0])
    await node("evm_mine")

    assert known == [False, True, False, False, False]
    assert await node.balances() == [7, 7, 0, 0, 0]


async def test_what_was_written_past_transactions_outlives_a_reorg_of_its_block(node):
    slot = "0x" + "00" * 31 + "05"
    await node("evm_setBalance", NOBODYS[0], hex(10**18))
    await node("evm_setCode", NOBODYS[1], "0x60016000")
    await node("evm_setStorage", NOBODYS[1], {slot: "0x7"})
    await node("evm_setStorage", NOBODYS[1], "0x6", "0x8")
    await node("evm_setNonce", NOBODYS[2], "0x9")
    await node("evm_mine")
    await node("evm_reorg", 1)

    assert await node("eth_getBalance", NOBODYS[0]) == hex(10**18)
    assert await node("eth_getCode", NOBODYS[1]) == "0x60016000"
    assert [int(await node("eth_getStorageAt", NOBODYS[1], one), 16) for one in (slot, "0x6")] == [7, 8]
    assert await node("eth_getTransactionCount", NOBODYS[2]) == "0x9"
    assert await node("eth_getTransactionCount", NOBODYS[2], "pending") == "0x9"


async def test_a_socket_is_told_which_logs_are_gone_and_then_the_new_blocks(node):
    mint = "0x40c10f19" + NOBODYS[0][2:].rjust(64, "0") + "f4240".rjust(64, "0")
    await node("eth_sendTransaction", {"from": addresses.ADMIN, "to": addresses.COLLATERAL, "data": mint})
    await node("evm_mine")
    socket = Subscriptions(node.miner, node.methods, None)
    heads = await socket.answer("eth_subscribe", ["newHeads"])
    logs = await socket.answer("eth_subscribe", ["logs", {"address": addresses.COLLATERAL}])
    done = await node("evm_reorg", 1)
    frames = [orjson.loads(await socket.outbox.take())["params"] for _ in range(4)]
    log = frames[0]["result"]

    assert [one["subscription"] for one in frames] == [logs, heads, logs, heads]
    assert (log["removed"], log["blockHash"]) == (True, done["removed"][0])
    assert frames[2]["result"] == log | {
        "removed": False,
        "blockHash": done["added"][0],
        "blockTimestamp": frames[1]["result"]["timestamp"],
    }
    assert [frames[place]["result"]["hash"] for place in (1, 3)] == done["added"]
    assert await node("eth_getLogs", {"fromBlock": "0x0"}) == [frames[2]["result"]]


async def test_a_socket_is_told_of_transactions_that_wait(node):
    socket = Subscriptions(node.miner, node.methods, None)
    hashes = await socket.answer("eth_subscribe", ["newPendingTransactions"])
    whole = await socket.answer("eth_subscribe", ["newPendingTransactions", True])
    sent = await node.pay(NOBODYS[0])
    await node("evm_mine")
    await node.pay(NOBODYS[1])
    frames = [orjson.loads(await socket.outbox.take())["params"] for _ in range(3)]

    assert [one["subscription"] for one in frames] == [hashes, whole, hashes]
    assert frames[0]["result"] == sent
    assert frames[1]["result"] | {"to": None} == frames[1]["result"] | {"hash": sent, "blockHash": None, "to": None}


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ((0,), InvalidParams),
        ((True,), InvalidParams),
        ((300,), InvalidParams),
        ((3,), Refused),
        ((1, {"fate": "unknown"}), InvalidParams),
        ((1, {"blocks": 0}), InvalidParams),
        ((1, {"blocks": 100}), InvalidParams),
        ((1, {"depth": 1}), InvalidParams),
        ((1, {"transactions": "0x"}), InvalidParams),
    ],
)
async def test_a_reorg_that_cannot_be_is_refused_and_changes_nothing(node, arguments, refusal):
    await node("evm_mine")
    await node("evm_mine")
    head = await node("eth_getBlockByNumber", "latest")

    with pytest.raises(refusal):
        await node("evm_reorg", *arguments)
    assert await node("eth_getBlockByNumber", "latest") == head


async def test_every_reorg_that_is_told_to_be_leaves_a_line(node):
    await node.pay_each()
    await node("evm_reorg", 2, {"fate": "later", "blocks": 4})
    with pytest.raises(Refused):
        await node("evm_reorg", 100)

    (line,) = (await node("evm_faults"))["lines"]
    assert line | {"seq": 1, "at_ms": 0} == {
        "seq": 1, "at_ms": 0, "kind": "fault", "fault": "reorg", "block": "5", "depth": 2, "blocks": 4, "fate": "later", "fault_id": 0,
    }  # fmt: skip


async def test_the_clock_is_set_moved_and_never_runs_backwards(node):
    async def mined() -> int:
        await node("evm_mine")
        return int((await node("eth_getBlockByNumber", "latest"))["timestamp"], 16) - NOW

    await node("evm_setTime", hex(NOW + 1_000))
    times = [await mined()]
    await node("evm_increaseTime", 500)
    times.append(await mined())
    await node("evm_increaseTime", -1_400)
    times.append(await mined())
    await node("evm_mine", NOW + 5_000)
    times.append(await mined())

    assert times == [1_000, 1_500, 1_500, 5_000]
