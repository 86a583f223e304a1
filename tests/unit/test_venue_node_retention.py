"""What the chain keeps of earlier blocks, and what it says of those that it has forgotten."""

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from services.venue.node import genesis
from services.venue.node.block import Block
from services.venue.node.errors import Refused
from services.venue.node.evm import Chain, Retention
from services.venue.node.ledger import NOBODY, Holder, Key, Ledger, Value, nothing
from tests.venue_node import NOBODYS, NOW, Node


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
