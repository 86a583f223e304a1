"""The EVM's inner loop does what py-evm's does: the same output, gas, logs and storage, for any code."""

from typing import Any

import pytest
from eth.vm import opcode_values as op
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.message import Message
from eth_bloom import BloomFilter
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from services.venue.node import genesis
from services.venue.node.evm import Chain
from services.venue.node.state import State
from tests.venue_chain import ALICE, BOB, BUY, NO, SELL, USDC, YES, Contracts, a_match, an_order

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT")

HERE = b"\x77" * 20
GAS = 60_000


class Plain(State):
    """The same rules, run by py-evm itself."""

    computation_class = CancunComputation


def outcome(kind: type[State], chain: Chain, code: bytes, data: bytes) -> tuple[Any, ...]:
    state = kind(chain._view(chain.head), chain._context(1, 1_790_000_000))
    state.set_code(HERE, code)
    message = Message(gas=GAS, to=HERE, sender=b"\x01" * 20, value=0, data=data, code=code)
    context = state.get_transaction_context_class()(gas_price=0, origin=b"\x01" * 20)
    done = state.computation_class.apply_message(state, message, context)
    return done.is_error, done.output, done.get_gas_used(), done.get_log_entries(), state.accounts.changes


def push(value: int) -> bytes:
    return bytes([op.PUSH32]) + value.to_bytes(32, "big")


def instructions() -> st.SearchStrategy[bytes]:
    """Numbers that instructions make something of, instructions that exist, and any byte at all."""
    numbers = st.sampled_from([0, 1, 2, 31, 32, 33, 64, 255, 256, 1_000, 2**255, 2**256 - 1]) | st.integers(0, 120)
    known = sorted(CancunComputation.opcodes)
    return st.one_of(
        numbers.map(push),
        st.sampled_from(known).map(lambda value: bytes([value])),
        st.sampled_from(known).map(lambda value: push(1) + push(64) + bytes([value])),
        st.tuples(numbers, numbers).map(lambda pair: push(pair[0]) + push(pair[1]) + bytes([op.MSTORE])),
        st.integers(0, 200).map(lambda place: bytes([op.PUSH1, place, op.JUMP])),
        st.integers(0, 200).map(lambda place: bytes([op.PUSH1, 1, op.PUSH1, place, op.JUMPI])),
        st.just(bytes([op.JUMPDEST])),
        st.binary(min_size=1, max_size=4),
    )


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain(genesis.accounts(), 1_790_000_000)


@seed(137)
@settings(max_examples=300, deadline=None, database=None)
@example(bytes([op.JUMPDEST, op.PUSH1, 0, op.JUMP]), b"")
@example(bytes([op.JUMPDEST, op.PUSH0, op.PUSH1, 0, op.JUMP]), b"")
@example(bytes([op.PUSH1, 3, op.JUMP, op.JUMPDEST, op.CALLDATASIZE, op.PUSH0, op.MSTORE]), b"x")
@example(bytes([op.PUSH32, 1]), b"")
@example(b"", b"")
@given(st.lists(instructions(), max_size=24).map(b"".join), st.binary(max_size=40))
def test_any_code_ends_as_in_py_evm(chain, code, data):
    assert outcome(State, chain, code, data) == outcome(Plain, chain, code, data)


def test_a_settlement_uses_the_same_gas_and_leaves_the_same_state(monkeypatch):
    def settled() -> list[tuple[Any, ...]]:
        contracts = Contracts()
        matches = [
            a_match(
                an_order(ALICE, BUY, YES, 100 * USDC, 500_000, salt=1), an_order(BOB, SELL, YES, 100 * USDC, 500_000)
            ),
            a_match(
                an_order(ALICE, BUY, YES, 100 * USDC, 500_000, salt=2), an_order(BOB, BUY, NO, 100 * USDC, 500_000)
            ),
            a_match(
                an_order(ALICE, SELL, YES, 100 * USDC, 500_000, salt=3), an_order(BOB, SELL, NO, 100 * USDC, 500_000)
            ),
            a_match(
                an_order(ALICE, BUY, YES, 100 * USDC, 300_000, salt=4), an_order(BOB, SELL, YES, 100 * USDC, 500_000)
            ),
        ]
        mined = [contracts.settle(match) for match in matches]
        block = contracts.chain.seal(1_790_000_000)
        assert [one.ok for one in mined] == [True, True, True, False]
        return [block.state_root, *((one.gas_used, one.logs, one.output) for one in mined)]

    fast = settled()
    monkeypatch.setattr(State, "computation_class", CancunComputation)

    assert settled() == fast


def test_a_log_is_found_by_the_bits_that_everyone_looks_for():
    contracts = Contracts()
    mined = contracts.settle(
        a_match(an_order(ALICE, BUY, YES, 100 * USDC, 500_000), an_order(BOB, SELL, YES, 100 * USDC, 500_000))
    )
    expected = BloomFilter()
    for log in mined.logs:
        for value in (log.address, *log.topics):
            expected.add(value)

    assert len(mined.logs) > 3
    assert mined.bloom == int(expected)
