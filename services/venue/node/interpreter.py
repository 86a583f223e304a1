"""The EVM's inner loop. py-evm's own goes through five Python calls for an addition; here what touches the stack, the memory and the
program counter alone is done in place, on plain integers, and everything else is left to py-evm's functions. Gas and errors are the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from eth.abc import ComputationAPI, MessageAPI, StateAPI, TransactionContextAPI
from eth.exceptions import FullStack, Halt, InsufficientStack, InvalidJumpDestination, OutOfGas
from eth.vm import opcode_values as op
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.logic.invalid import InvalidOpcode
from eth_utils.crypto import keccak

WORD = 2**256 - 1
MOST_ON_STACK = 1_024
# Slots of mappings are hashes of 64 bytes, and the same ones are asked for in every transaction.
HASHED = 128

Stack = list[int]
Step = tuple[int, Any, int, int]
Opcodes = dict[int, Any]

PUSH, PURE, DUP, SWAP, POP, JUMP, JUMPI, JUMPDEST, MLOAD, MSTORE, MCOPY, SHA3, CALLDATALOAD, OTHER = range(14)


def _add(stack: Stack) -> None:
    right = stack.pop()
    stack[-1] = (right + stack[-1]) & WORD


def _mul(stack: Stack) -> None:
    right = stack.pop()
    stack[-1] = (right * stack[-1]) & WORD


def _sub(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = (left - stack[-1]) & WORD


def _div(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = left // stack[-1] if stack[-1] else 0


def _mod(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = left % stack[-1] if stack[-1] else 0


def _lt(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = 1 if left < stack[-1] else 0


def _gt(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = 1 if left > stack[-1] else 0


def _eq(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = 1 if left == stack[-1] else 0


def _iszero(stack: Stack) -> None:
    stack[-1] = 0 if stack[-1] else 1


def _and(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] &= left


def _or(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] |= left


def _xor(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] ^= left


def _not(stack: Stack) -> None:
    stack[-1] = WORD - stack[-1]


def _shl(stack: Stack) -> None:
    shift = stack.pop()
    stack[-1] = (stack[-1] << shift) & WORD if shift < 256 else 0


def _shr(stack: Stack) -> None:
    shift = stack.pop()
    stack[-1] = stack[-1] >> shift if shift < 256 else 0


_PURE: dict[int, Callable[[Stack], None]] = {
    op.ADD: _add,
    op.MUL: _mul,
    op.SUB: _sub,
    op.DIV: _div,
    op.MOD: _mod,
    op.LT: _lt,
    op.GT: _gt,
    op.EQ: _eq,
    op.ISZERO: _iszero,
    op.AND: _and,
    op.OR: _or,
    op.XOR: _xor,
    op.NOT: _not,
    op.SHL: _shl,
    op.SHR: _shr,
}
_KINDS = {
    op.POP: POP,
    op.JUMP: JUMP,
    op.JUMPI: JUMPI,
    op.JUMPDEST: JUMPDEST,
    op.MLOAD: MLOAD,
    op.MSTORE: MSTORE,
    op.MCOPY: MCOPY,
    op.SHA3: SHA3,
    op.CALLDATALOAD: CALLDATALOAD,
}
_SHA3_WORD_GAS = 6
_COPY_WORD_GAS = 3


# What stands at places that no instruction begins at; no way leads there.
_NOWHERE: Step = (OTHER, InvalidOpcode(op.STOP), 0, 0)


class Program:
    """Code taken apart once: at each instruction its kind, argument, gas and where the next one begins; where jumps may land."""

    def __init__(self, code: bytes, opcodes: Opcodes) -> None:
        self.steps: list[Step] = [_NOWHERE] * (len(code) + 33)
        self.landings: set[int] = set()
        place = 0
        while place < len(code):
            step = _step(code, place, opcodes)
            self.steps[place] = step
            if step[0] == JUMPDEST:
                self.landings.add(place)
            place = step[3]
        # Code ends as if STOP followed.
        self.steps[place] = (OTHER, opcodes[op.STOP], 0, place + 1)


def _step(code: bytes, place: int, opcodes: Opcodes) -> Step:
    value = code[place]
    if op.PUSH0 <= value <= op.PUSH32:
        size = value - op.PUSH0
        pushed = code[place + 1 : place + 1 + size].ljust(size, b"\0")
        kind, argument, following = PUSH, int.from_bytes(pushed, "big"), place + 1 + size
    else:
        kind, argument = _kind(value)
        following = place + 1
    if kind == OTHER:
        # It charges for itself.
        return OTHER, opcodes.get(value) or InvalidOpcode(value), 0, following
    return kind, argument, int(opcodes[value].gas_cost), following


def _kind(value: int) -> tuple[int, Any]:
    if op.DUP1 <= value <= op.DUP16:
        return DUP, op.DUP1 - value - 1
    if op.SWAP1 <= value <= op.SWAP16:
        return SWAP, op.SWAP1 - value - 2
    if value in _PURE:
        return PURE, _PURE[value]
    return _KINDS.get(value, OTHER), None


@lru_cache(maxsize=256)
def _program(code: bytes) -> Program:
    return Program(code, Computation.opcodes)


@lru_cache(maxsize=16_384)
def _hash(data: bytes) -> int:
    return int.from_bytes(keccak(data), "big")


class Computation(CancunComputation):
    """py-evm's computation, run by the loop below."""

    @classmethod
    def apply_computation(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        with cls(state, message, transaction_context) as computation:
            if computation.is_origin_computation:
                computation.contracts_created = []
                if message.is_create:
                    cls.consume_initcode_gas_cost(computation)
            if parent_computation is not None:
                computation.contracts_created = parent_computation.contracts_created
            if message.is_create:
                computation.contracts_created.append(message.storage_address)
            precompile = computation.precompiles.get(message.code_address)
            if precompile is not None:
                if not message.is_delegation:
                    precompile(computation)
                return computation
            try:
                _run(computation, _program(message.code))
            except IndexError as error:
                raise InsufficientStack("an instruction wants more than is on the stack") from error
        return computation


def _run(computation: Any, program: Program) -> None:  # noqa: PLR0912, PLR0915  a call for each instruction is what it saves
    """Until the code halts. Raises py-evm's errors; IndexError where the stack is too short."""
    meter, code = computation._gas_meter, computation.code
    steps: list[Step] = program.steps
    landings = program.landings
    stack: Stack = computation._stack.values
    memory: bytearray = computation._memory._bytes
    calldata: bytes = computation.msg.data_as_bytes
    push, pop = stack.append, stack.pop
    gas: int = meter.gas_remaining
    place = 0
    while True:
        kind, argument, cost, following = steps[place]
        gas -= cost
        if gas < 0:
            raise OutOfGas(f"out of gas at {place}")
        if kind == PUSH:
            if len(stack) >= MOST_ON_STACK:
                raise FullStack("Stack limit reached")
            push(argument)
        elif kind == PURE:
            argument(stack)
        elif kind == DUP:
            if len(stack) >= MOST_ON_STACK:
                raise FullStack("Stack limit reached")
            depth: int = argument
            push(stack[depth])
        elif kind == SWAP:
            depth = argument
            stack[-1], stack[depth] = stack[depth], stack[-1]
        elif kind == JUMPI:
            target = pop()
            if pop():
                if target not in landings:
                    raise InvalidJumpDestination("Invalid Jump Destination")
                following = target
        elif kind == JUMP:
            following = pop()
            if following not in landings:
                raise InvalidJumpDestination("Invalid Jump Destination")
        elif kind == POP:
            pop()
        elif kind == MLOAD:
            start = stack[-1]
            if start + 32 > len(memory):
                gas -= _growth_gas(memory, start + 32)
                memory = _grown(computation, gas, start + 32)
            stack[-1] = int.from_bytes(memory[start : start + 32], "big")
        elif kind == MSTORE:
            start = pop()
            word = pop().to_bytes(32, "big")
            if start + 32 > len(memory):
                gas -= _growth_gas(memory, start + 32)
                memory = _grown(computation, gas, start + 32)
            memory[start : start + 32] = word
        elif kind == MCOPY:
            target, start, size = pop(), pop(), pop()
            gas -= _COPY_WORD_GAS * ((size + 31) // 32)
            if size and max(start, target) + size > len(memory):
                gas -= _growth_gas(memory, max(start, target) + size)
                memory = _grown(computation, gas, max(start, target) + size)
            if gas < 0:
                raise OutOfGas(f"out of gas at {place}")
            memory[target : target + size] = memory[start : start + size]
        elif kind == CALLDATALOAD:
            start = stack[-1]
            stack[-1] = int.from_bytes(calldata[start : start + 32].ljust(32, b"\0"), "big")
        elif kind == SHA3:
            start, size = pop(), stack[-1]
            gas -= _SHA3_WORD_GAS * ((size + 31) // 32)
            if size and start + size > len(memory):
                gas -= _growth_gas(memory, start + size)
                memory = _grown(computation, gas, start + size)
            if gas < 0:
                raise OutOfGas(f"out of gas at {place}")
            hashed = bytes(memory[start : start + size])
            stack[-1] = _hash(hashed) if size <= HASHED else int.from_bytes(keccak(hashed), "big")
        elif kind != JUMPDEST:
            # py-evm charges for the instruction itself, and may look at the meter, the counter and the memory.
            meter.gas_remaining = gas + cost
            code.program_counter = following
            try:
                argument(computation)
            except Halt:
                return
            gas = meter.gas_remaining
            memory = computation._memory._bytes
            if stack and type(stack[-1]) is not int:
                stack[-1] = int.from_bytes(cast("bytes", stack[-1]), "big")
        place = following


def _growth_gas(memory: bytearray, end: int) -> int:
    """What it costs to make the memory reach so far: three a word, and dearer the more there is."""
    before, after = len(memory) // 32, (end + 31) // 32
    return 3 * (after - before) + after * after // 512 - before * before // 512


def _grown(computation: Any, gas: int, end: int) -> bytearray:
    """The memory, made to reach `end` with `gas` left after paying for it."""
    if gas < 0:
        raise OutOfGas("out of gas for memory")
    computation._memory.extend(0, end)
    return computation._memory._bytes
