"""Blocks that are taken back: what was in them comes again, later, otherwise or never, and the state is that of the new chain."""

from typing import Any

import orjson
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from services.venue.app import FAULTS as VENUES
from services.venue.faults.file import read_file
from services.venue.faults.kinds import FATES
from services.venue.node import addresses, faults, genesis, pool
from services.venue.node.admin import Admin
from services.venue.node.block import Block
from services.venue.node.depth import DEEPEST, KEPT_FOR_REORGS
from services.venue.node.errors import InvalidParams, Refused
from services.venue.node.evm import Chain, Retention
from services.venue.node.faults import RpcFaults
from services.venue.node.forks import Forks
from services.venue.node.ledger import NOBODY, Holder, Key, Ledger, Value, nothing
from services.venue.node.methods import Methods
from services.venue.node.miner import Miner
from services.venue.node.reorgs import Fate
from services.venue.node.subscriptions import Subscriptions

NOW = 1_790_000_000
NOBODYS = ["0x" + f"{number:02x}" * 20 for number in range(1, 6)]


class Node:
    """A chain in this process, asked as over JSON-RPC."""

    def __init__(self, retention: Retention = Retention()) -> None:  # noqa: B008
        self.miner = Miner(Chain(genesis.accounts(), NOW, retention=retention), block_ms=0, clock=lambda: NOW + 60)
        self.faults = RpcFaults(lambda: 0)
        Forks(self.miner, self.faults)
        self.methods = Methods(self.miner, finality=2, admin=Admin(self.miner, self.faults))

    async def __call__(self, method: str, *arguments: Any) -> Any:
        return await self.methods.answer(method, list(arguments))

    async def pay(self, to: str, wei: int = 7) -> str:
        return await self("eth_sendTransaction", {"from": addresses.ADMIN, "to": to, "value": hex(wei)})

    async def pay_each(self) -> list[str]:
        """One payment to everybody, each in a block of its own."""
        sent: list[str] = []
        for to in NOBODYS:
            sent.append(await self.pay(to))
            await self("evm_mine")
        return sent

    async def balances(self, tag: str = "latest") -> list[int]:
        return [int(await self("eth_getBalance", to, tag), 16) for to in NOBODYS]

    async def block_of(self, sent: str) -> int | None:
        receipt = await self("eth_getTransactionReceipt", sent)
        return int(receipt["blockNumber"], 16) if receipt else None


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


async def struck_blocks(node: Node, **fault: Any) -> list[int]:
    """Which of twenty blocks are taken back, each with a line that says how."""
    await node("evm_addFault", {"kind": "reorg", "times": 0, **fault})
    heads = []
    for _ in range(20):
        number = int(await node("evm_mine"), 16)
        heads.append((number, int(await node("eth_blockNumber"), 16)))
    lines = (await node("evm_faults"))["lines"]
    await node("evm_clearFaults")

    moved = [number for number, head in heads if head != number]
    assert {head - number for number, head in heads} <= {0, 1}
    assert [int(line["block"]) for line in lines] == moved
    assert {(line["fault"], line["depth"], line["fate"]) for line in lines} <= {("reorg", 2, "later")}
    return moved


async def test_blocks_are_taken_back_at_a_rate_and_by_a_seed_and_each_time_leaves_a_line():
    struck = []
    for chance in (3, 3, 4):
        node = Node()
        struck.append(await struck_blocks(node, depth=2, fate="later", rate_bps=3_000, seed=chance))
        node.miner.close()

    assert struck[0] == struck[1] != struck[2]
    assert 1 < len(struck[0]) < 15


async def test_a_block_with_too_few_before_it_is_not_taken_back(node):
    await node("evm_addFault", {"kind": "reorg", "depth": 4})
    numbers = [int(await node("evm_mine"), 16) for _ in range(6)]

    assert numbers == [1, 2, 3, 4, 6, 7]
    (line,) = (await node("evm_faults"))["lines"]
    assert line["block"] == "4"


async def test_the_deepest_reorg_that_can_be_asked_for_is_one_that_the_chain_can_do():
    node = Node(Retention(blocks=KEPT_FOR_REORGS))
    await node("evm_addFault", {"kind": "reorg", "depth": DEEPEST})
    for _ in range(DEEPEST):
        await node("evm_mine")
    (line,) = (await node("evm_faults"))["lines"]
    for _ in range(DEEPEST):
        await node("evm_mine")
    await node("evm_reorg", DEEPEST)

    assert (line["fault"], line["block"]) == ("reorg", str(DEEPEST))
    with pytest.raises(InvalidParams, match="depth"):
        await node("evm_reorg", DEEPEST + 1)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"depth": 0}, "depth"),
        ({"depth": DEEPEST + 1}, "depth"),
        ({"depth": "x"}, "depth"),
        ({"fate": "lost"}, "fate"),
        ({"rpc": ""}, "rpc"),
    ],
)
async def test_a_reorg_that_makes_no_sense_is_no_fault(node, wrong, text):
    with pytest.raises(InvalidParams, match=f"{text}: expected"):
        await node("evm_addFault", {"kind": "reorg", **wrong})


def test_a_file_may_have_reorgs_which_are_the_nodes_and_not_the_venues(tmp_path):
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nkind = "reorg"\ndepth = 3\nfate = "replaced"\nrate_bps = 100\ntimes = 0\nseed = 5\n')
    (fault,) = read_file(path, faults.FAMILIES, faults.CHANNELS)

    assert RpcFaults().add(fault)["fate"] == "replaced"
    assert read_file(path, VENUES) == []


def test_the_fates_of_a_fault_are_those_of_a_reorg():
    assert tuple(Fate) == FATES


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


async def test_full_blocks_are_forgotten_sooner_and_a_reorg_reaches_no_further_than_what_is_kept():
    node = Node(Retention(blocks=300, transactions=100))
    for _ in range(100):
        for to in NOBODYS:
            await node.pay(to, 1)
        await node("evm_mine")
    with pytest.raises(Refused, match="cannot take back 65 blocks: 63 are kept for that"):
        await node("evm_reorg", 65)
    done = await node("evm_reorg", 63)
    node.miner.close()

    assert len(node.miner.chain.mined) == 63 * 5
    assert len(done["removed"]) == 63
    assert paid_to_all(node) == [100] * 5


async def test_old_blocks_and_their_states_are_forgotten_and_asking_for_them_is_an_error():
    node = Node(Retention(blocks=300, transactions=50))
    for _ in range(60):
        await node.pay(NOBODYS[0], 1)
        for _ in range(6):
            node.miner.chain.seal(NOW)
        await node("evm_mine")
    head, first = node.miner.chain.head.number, node.miner.chain.first
    refused: list[str] = []
    for method, arguments in {
        "eth_getBalance": [NOBODYS[0], hex(first - 1)],
        "eth_getLogs": [{"fromBlock": hex(first - 1)}],
    }.items():
        with pytest.raises(Exception, match=r"not found|pruned") as caught:
            await node(method, *arguments)
        refused.append(str(caught.value))
    earliest = await node("eth_getBlockByNumber", "earliest", False)
    logs = await node("eth_getLogs", {"fromBlock": "earliest"})
    node.miner.close()

    assert (earliest["number"], logs) == (hex(first), [])
    assert head - first == 299
    assert refused == ["header not found", "pruned history unavailable"]
    assert paid_by(node.miner.chain, first) < paid_by(node.miner.chain, head) == 60
    assert len(node.miner.chain.mined) == 43


def paid_to_all(node: Node) -> list[int]:
    return [node.miner.chain.balance(genesis.canonical(to), node.miner.chain.head) for to in NOBODYS]


def paid_by(chain: Chain, number: int) -> int:
    block = chain.block(number)
    assert isinstance(block, Block)
    return chain.balance(genesis.canonical(NOBODYS[0]), block)


KEYS: list[Key] = [b"a" * 20, b"b" * 20, (b"a" * 20, 0), (b"a" * 20, 1), (b"b" * 20, 0)]


@st.composite
def histories(draw: st.DrawFn) -> list[str | dict[Key, Value]]:
    """Blocks with what they change, and here and there one that is taken back, or the oldest that is forgotten."""
    changes = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3))
    steps = draw(st.lists(st.one_of(changes, st.sampled_from(["take back", "forget"])), max_size=30))
    return [one if isinstance(one, str) else {key: _value(key, number) for key, number in one.items()} for one in steps]


def _value(key: Key, number: int) -> Value:
    return number if isinstance(key, tuple) else Holder(balance=number) if number else NOBODY


@seed(137)
@settings(max_examples=200, deadline=None, database=None)
@given(histories())
def test_a_ledger_remembers_what_a_copy_of_every_state_would(history):
    ledger, states, number = Ledger(), {-1: dict[Key, Value]()}, 0
    for step in history:
        if isinstance(step, dict):
            ledger.write(number, step)
            states[number] = states[number - 1] | step
            number += 1
        elif step == "take back" and len(states) > 1:
            ledger.take_back()
            number -= 1
            del states[number]
        elif step == "forget" and len(states) > 1:
            ledger.forget()
            del states[min(states)]

    for block, state in states.items():
        assert [ledger.at(key, block) for key in KEYS] == [state.get(key, nothing(key)) for key in KEYS]
    assert [ledger.now(key) for key in KEYS] == [states[number - 1].get(key, nothing(key)) for key in KEYS]
