"""The chain itself: a state that transactions change one by one and that blocks seal, and take back. Blocking, one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from eth.abc import ComputationAPI
from eth.exceptions import VMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun import CancunVM
from eth.vm.message import Message
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from services.venue.node.addresses import CHAIN_ID
from services.venue.node.block import Block, Log, Mined
from services.venue.node.depth import DEEPEST, KEPT_FOR_REORGS
from services.venue.node.edits import Edit
from services.venue.node.errors import Refused, Reverted
from services.venue.node.genesis import Account
from services.venue.node.ledger import Holder, Ledger
from services.venue.node.reasons import reason
from services.venue.node.sealing import BASE_FEE, BLOCK_GAS, COINBASE, bloom_of, sealed
from services.venue.node.state import State, View
from services.venue.node.transactions import Admitted

__all__ = ["BASE_FEE", "CALL_GAS", "TRANSACTION_GAS", "Call", "Chain", "Retention", "Step"]

# What one transaction may ask for; a loop without an end is over in seconds.
TRANSACTION_GAS = 30_000_000
CALL_GAS = 100_000_000
# As many are kept however full they are.
FEWEST = 64
# A day of blocks of two seconds; a full node keeps the states of 128. A match takes some 9 KB.
KEPT_BLOCKS = 43_200
KEPT_TRANSACTIONS = 2_000

Step = Admitted | Edit


@dataclass(frozen=True, slots=True)
class Call:
    """A read: who asks whom, with what."""

    sender: bytes
    to: bytes
    data: bytes
    value: int = 0
    gas: int = CALL_GAS


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept: so many blocks, fewer where they hold more than so many transactions, but never fewer than FEWEST."""

    blocks: int = KEPT_BLOCKS
    transactions: int = KEPT_TRANSACTIONS


class Chain:
    """The newest blocks up to `head`, each with its state, and one open block that transactions go into."""

    def __init__(
        self,
        accounts: Iterable[Account],
        timestamp: int,
        extra_data: bytes = b"",
        retention: Retention = Retention(),
    ) -> None:
        self._ledger = Ledger()
        self._extra_data = extra_data
        self._retention = retention
        self._blocks: dict[int, Block] = {}
        self._first = 0
        self._forks = 0
        self.by_hash: dict[bytes, Block] = {}
        self.mined: dict[bytes, tuple[Block, Mined]] = {}
        self._open: list[Mined] = []
        self._logs_in_open = 0
        self._steps: list[Step] = []
        self._history: deque[tuple[Step, ...]] = deque(maxlen=KEPT_FOR_REORGS)
        self._orphans: deque[bytes] = deque()
        self._state = self._next_state(0, timestamp)
        for account in accounts:
            self._put(account)
        self._head = self._sealed(timestamp, None)

    @property
    def head(self) -> Block:
        return self._head

    @property
    def first(self) -> int:
        """The oldest block that is kept."""
        return self._first

    def block(self, number: int) -> Block | None:
        """The block of that number; None where it is not there yet or no longer kept."""
        return self._blocks.get(number)

    def between(self, first: int, last: int) -> Iterator[Block]:
        """The kept blocks of a range."""
        for number in range(max(first, self._first), min(last, self._head.number) + 1):
            if block := self._blocks.get(number):
                yield block

    def nonce(self, address: bytes) -> int:
        """The account's next nonce, counting what the open block has executed."""
        return self._state.get_nonce(cast("Any", address))

    def spendable(self, address: bytes) -> int:
        return self._state.get_balance(cast("Any", address))

    def edit(self, edit: Edit) -> None:
        """Writes into the open block's state."""
        self._state.begin()
        address = cast("Any", edit.address)
        if edit.balance is not None:
            self._state.set_balance(address, edit.balance)
        if edit.nonce is not None:
            self._state.set_nonce(address, edit.nonce)
        if edit.code is not None:
            # A contract's nonce begins at 1.
            self._state.set_nonce(address, max(1, self._state.get_nonce(address)))
            self._state.set_code(address, edit.code)
        for slot, value in edit.storage.items():
            self._state.set_storage(address, slot, value)
        self._steps.append(edit)

    def execute(self, admitted: Admitted) -> Mined:
        """Runs one transaction in the open block; Refused when it cannot be included at all. Whatever is raised, nothing has changed."""
        state = self._state
        begun = state.begin()
        try:
            if admitted.impersonated:
                self._top_up(admitted)
            computation = state.apply_transaction(admitted.executable)
        except ValidationError as error:
            state.undo(begun)
            raise Refused(str(error)) from error
        except BaseException:
            state.undo(begun)
            raise
        mined = self._include(admitted, computation)
        self._open.append(mined)
        self._logs_in_open += len(mined.logs)
        self._steps.append(admitted)
        return mined

    def seal(self, timestamp: int) -> Block:
        """Closes the open block; its time never runs backwards."""
        self._head = self._sealed(max(timestamp, self._head.timestamp), self._head)
        self._forget_old()
        return self._head

    @property
    def reversible(self) -> int:
        """How many of the newest blocks can be taken back."""
        return len(self._history) - 1

    def rewind(self, depth: int) -> tuple[tuple[Block, ...], tuple[Step, ...]]:
        """Takes the newest blocks back and what the open block did: those blocks, oldest first, and every step in its order."""
        if not 0 < depth <= self.reversible:
            raise Refused(f"cannot take back {depth} blocks: {self.reversible} are kept for that")
        steps = [step for one in list(self._history)[-depth:] for step in one] + self._steps
        parent = self._blocks[self._head.number - depth]
        removed = tuple(self._blocks[number] for number in range(parent.number + 1, self._head.number + 1))
        self._head = parent
        for block in reversed(removed):
            self._take_back(block)
        self._forks += 1
        self._open_block(parent.timestamp)
        return removed, tuple(steps)

    def set_time(self, timestamp: int) -> None:
        """What the next transaction reads as its block's time."""
        self._state.execution_context = self._context(self._head.number + 1, max(timestamp, self._head.timestamp))

    def call(self, call: Call, block: Block) -> bytes:
        """The answer of a read at a block; Reverted when the contract refuses."""
        return bytes(self._run(call, block).output)

    def estimate(self, call: Call, block: Block) -> int:
        """Gas to send with such a transaction: what it used and half as much again."""
        used = self._run(call, block).get_gas_used()
        intrinsic = 21_000 + sum(16 if byte else 4 for byte in call.data)
        return intrinsic + used * 3 // 2

    def balance(self, address: bytes, block: Block) -> int:
        return self._holder(address, block).balance

    def code(self, address: bytes, block: Block) -> bytes:
        return self._ledger.codes[self._holder(address, block).code_hash]

    def nonce_at(self, address: bytes, block: Block) -> int:
        return self._holder(address, block).nonce

    def storage(self, address: bytes, slot: int, block: Block) -> int:
        return cast("int", self._view(block).read((address, slot)))

    def _holder(self, address: bytes, block: Block) -> Holder:
        return cast("Holder", self._view(block).read(address))

    def _run(self, call: Call, block: Block) -> ComputationAPI:
        state = State(self._view(block), self._context(block.number, block.timestamp))
        message = Message(
            gas=min(call.gas, CALL_GAS),
            to=cast("Any", call.to),
            sender=cast("Any", call.sender),
            value=call.value,
            data=call.data,
            code=state.get_code(cast("Any", call.to)),
        )
        context = state.get_transaction_context_class()(gas_price=0, origin=cast("Any", call.sender))
        try:
            computation = state.computation_class.apply_message(state, message, context)
        except VMError as error:
            raise Refused(f"err: {error}") from error
        if computation.is_error:
            raise Reverted(reason(computation.output), computation.output)
        return computation

    def _view(self, block: Block) -> View:
        if self._blocks.get(block.number) is not block:
            raise Refused(
                f"missing trie node {block.state_root.hex()} (path ): the state of block {block.number} is not kept"
            )
        return View(self._ledger, None if block is self._head else block.number)

    def _next_state(self, number: int, timestamp: int) -> State:
        return State(View(self._ledger), self._context(number, timestamp))

    def _context(self, number: int, timestamp: int) -> ExecutionContext:
        return ExecutionContext(
            coinbase=cast("Any", COINBASE),
            timestamp=timestamp,
            block_number=cast("Any", number),
            difficulty=0,
            mix_hash=cast("Any", b"\0" * 32),
            gas_limit=BLOCK_GAS,
            prev_hashes=(cast("Any", block.hash) for block in self._before(number)),
            chain_id=CHAIN_ID,
            base_fee_per_gas=BASE_FEE,
            excess_blob_gas=0,
        )

    def _before(self, number: int) -> Iterator[Block]:
        for earlier in range(number - 1, max(self._first, number - 256) - 1, -1):
            yield self._blocks[earlier]

    def _put(self, account: Account) -> None:
        address = cast("Any", account.address)
        self._state.set_balance(address, account.balance)
        if account.code:
            self._state.set_nonce(address, 1)
            self._state.set_code(address, account.code)
        for slot, value in account.storage.items():
            self._state.set_storage(address, slot, value)

    def _top_up(self, admitted: Admitted) -> None:
        # An impersonated account needs no gas money of its own.
        needed = admitted.shown.gas * admitted.shown.gas_price + admitted.shown.value
        if self.spendable(admitted.shown.sender) < needed:
            self._state.set_balance(cast("Any", admitted.shown.sender), needed)

    def _include(self, admitted: Admitted, computation: ComputationAPI) -> Mined:
        used = CancunVM.finalize_gas_used(admitted.executable, computation)
        index, cumulative = len(self._open), self._open[-1].cumulative_gas if self._open else 0
        logs = _logs(computation, admitted.shown.hash, index, first=self._logs_in_open)
        return Mined(
            transaction=admitted.shown,
            index=index,
            ok=not computation.is_error,
            gas_used=used,
            cumulative_gas=cumulative + used,
            logs=logs,
            bloom=bloom_of(logs),
            output=computation.output if computation.is_error else b"",
        )

    def _sealed(self, timestamp: int, parent: Block | None) -> Block:
        number = parent.number + 1 if parent else 0
        changed = self._ledger.write(number, self._state.accounts.changes)
        before = parent.state_root if parent else b"\0" * 32
        root = keccak(before + changed) if changed else before
        block = sealed(number, parent, timestamp, root, self._open, self._marked_extra_data())
        self._blocks[number] = self.by_hash[block.hash] = block
        for mined in block.mined:
            self.mined[mined.transaction.hash] = (block, mined)
        self._history.append(tuple(self._steps))
        self._open_block(timestamp, number + 1)
        return block

    def _open_block(self, timestamp: int, number: int | None = None) -> None:
        self._open, self._steps, self._logs_in_open = [], [], 0
        self._state = self._next_state(self._head.number + 1 if number is None else number, timestamp)

    def _marked_extra_data(self) -> bytes:
        # The same transactions at the same second must still make another block after a reorg.
        mark = self._forks.to_bytes(4, "big") if self._forks else b""
        return self._extra_data[: max(len(self._extra_data) - len(mark), 0)] + mark

    def _take_back(self, block: Block) -> None:
        del self._blocks[block.number]
        self._history.pop()
        self._ledger.take_back()
        for mined in block.mined:
            self.mined.pop(mined.transaction.hash, None)
        # Like a real node, this one still knows a side block by its hash.
        self._orphans.append(block.hash)
        if len(self._orphans) > DEEPEST:
            self.by_hash.pop(self._orphans.popleft(), None)

    def _forget_old(self) -> None:
        while (
            self._head.number - self._first >= self._retention.blocks or len(self.mined) > self._retention.transactions
        ):
            if self._head.number - self._first < FEWEST:
                return
            block = self._blocks.pop(self._first)
            if len(self._history) > len(self._blocks):
                self._history.popleft()
            self._first += 1
            self._ledger.forget()
            self.by_hash.pop(block.hash, None)
            for mined in block.mined:
                self.mined.pop(mined.transaction.hash, None)


@lru_cache(maxsize=4_096)
def _word(topic: int) -> bytes:
    # Events, markets and those who trade often come again and again.
    return topic.to_bytes(32, "big")


def _logs(computation: ComputationAPI, transaction_hash: bytes, index: int, first: int) -> tuple[Log, ...]:
    return tuple(
        Log(
            address=address,
            topics=tuple(map(_word, topics)),
            data=data,
            index=first + offset,
            transaction_hash=transaction_hash,
            transaction_index=index,
        )
        for offset, (address, topics, data) in enumerate(computation.get_log_entries())
    )
