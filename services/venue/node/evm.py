"""The chain itself: a py-evm state that transactions change one by one and that blocks seal. Blocking, one thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

from eth.abc import ComputationAPI
from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth.db.trie import _make_trie_root_and_nodes as trie_root  # pyright: ignore[reportPrivateUsage]
from eth.exceptions import VMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.london.blocks import LondonBlockHeader
from eth.vm.message import Message
from eth_utils.exceptions import ValidationError

from services.venue.node.addresses import CHAIN_ID
from services.venue.node.block import Block, Log, Mined
from services.venue.node.errors import Refused, Reverted
from services.venue.node.genesis import Account
from services.venue.node.reasons import reason
from services.venue.node.transactions import Admitted

BASE_FEE = 25 * 10**9
BLOCK_GAS = 2_000_000_000
# What one transaction may ask for; a loop without an end is over in seconds.
TRANSACTION_GAS = 30_000_000
CALL_GAS = 100_000_000
ZERO = b"\0" * 20


@dataclass(frozen=True, slots=True)
class Call:
    """A read: who asks whom, with what."""

    sender: bytes
    to: bytes
    data: bytes
    value: int = 0
    gas: int = CALL_GAS


class Chain:
    """Blocks 0..head, each with its state, and one open block that transactions go into."""

    def __init__(self, accounts: Iterable[Account], timestamp: int, extra_data: bytes = b"") -> None:
        self._db = AtomicDB(MemoryDB())
        self._extra_data = extra_data
        self.blocks: list[Block] = []
        self.by_hash: dict[bytes, Block] = {}
        self.mined: dict[bytes, tuple[Block, Mined]] = {}
        self._open: list[Mined] = []
        self._state = self._state_at(0, timestamp, BLANK_ROOT_HASH)
        for account in accounts:
            self._put(account)
        self.seal(timestamp)

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    def nonce(self, address: bytes) -> int:
        """The account's next nonce, counting what the open block has executed."""
        return self._state.get_nonce(cast("Any", address))

    def spendable(self, address: bytes) -> int:
        return self._state.get_balance(cast("Any", address))

    def set_balance(self, address: bytes, wei: int) -> None:
        self._state.set_balance(cast("Any", address), wei)

    def place_code(self, address: bytes, code: bytes) -> None:
        """Lays a contract's code at an address in the open block, whatever deployed it on the real chain; its storage stays."""
        where = cast("Any", address)
        self._state.set_nonce(where, max(1, self._state.get_nonce(where)))
        self._state.set_code(where, code)

    def execute(self, admitted: Admitted) -> Mined:
        """Runs one transaction in the open block; Refused when it cannot be included at all. Whatever is raised, nothing has changed."""
        transaction = admitted.shown
        state = self._state
        state.lock_changes()
        before = state.snapshot()
        try:
            if admitted.impersonated:
                self._top_up(admitted)
            computation = state.apply_transaction(admitted.executable)
        except ValidationError as error:
            state.revert(before)
            raise Refused(str(error)) from error
        except BaseException:
            state.revert(before)
            raise
        cumulative = self._open[-1].cumulative_gas if self._open else 0
        header = cast("Any", SimpleNamespace(gas_used=cumulative))
        receipt = CancunVM.make_receipt(header, admitted.executable, computation, state)
        index = len(self._open)
        mined = Mined(
            transaction=transaction,
            index=index,
            ok=not computation.is_error,
            gas_used=receipt.gas_used - cumulative,
            cumulative_gas=receipt.gas_used,
            logs=_logs(computation, transaction.hash, index, first=self._next_log()),
            bloom=receipt.bloom,
            output=computation.output if computation.is_error else b"",
            encoded_receipt=receipt.encode(),
        )
        self._open.append(mined)
        return mined

    def seal(self, timestamp: int) -> Block:
        """Closes the open block; its time never runs backwards."""
        self._state.persist()
        number = len(self.blocks)
        parent = self.head if self.blocks else None
        timestamp = max(timestamp, parent.timestamp) if parent else timestamp
        block = _block(number, parent, timestamp, bytes(self._state.state_root), tuple(self._open), self._extra_data)
        self.blocks.append(block)
        self.by_hash[block.hash] = block
        for mined in block.mined:
            self.mined[mined.transaction.hash] = (block, mined)
        self._open = []
        self._state = self._state_at(number + 1, timestamp, block.state_root)
        return block

    def set_time(self, timestamp: int) -> None:
        """What the next transaction reads as its block's time."""
        self._state.execution_context = self._context(len(self.blocks), timestamp)

    def call(self, call: Call, block: Block) -> bytes:
        """The answer of a read at a block; Reverted when the contract refuses."""
        return bytes(self._run(call, block).output)

    def estimate(self, call: Call, block: Block) -> int:
        """Gas to send with such a transaction: what it used and half as much again."""
        used = self._run(call, block).get_gas_used()
        intrinsic = 21_000 + sum(16 if byte else 4 for byte in call.data)
        return intrinsic + used * 3 // 2

    def balance(self, address: bytes, block: Block) -> int:
        return self._read(block).get_balance(cast("Any", address))

    def code(self, address: bytes, block: Block) -> bytes:
        return self._read(block).get_code(cast("Any", address))

    def nonce_at(self, address: bytes, block: Block) -> int:
        return self._read(block).get_nonce(cast("Any", address))

    def storage(self, address: bytes, slot: int, block: Block) -> int:
        return self._read(block).get_storage(cast("Any", address), slot)

    def _run(self, call: Call, block: Block) -> ComputationAPI:
        state = self._read(block)
        message = Message(
            gas=min(call.gas, CALL_GAS),
            to=cast("Any", call.to),
            sender=cast("Any", call.sender),
            value=call.value,
            data=call.data,
            code=state.get_code(cast("Any", call.to)),
        )
        context = state.get_transaction_context_class()(gas_price=0, origin=cast("Any", call.sender))
        snapshot = state.snapshot()
        try:
            computation = state.computation_class.apply_message(state, message, context)
        except VMError as error:
            raise Refused(f"err: {error}") from error
        finally:
            state.revert(snapshot)
            state.clear_transient_storage()
        if computation.is_error:
            raise Reverted(reason(computation.output), computation.output)
        return computation

    def _read(self, block: Block) -> CancunState:
        return self._state_at(block.number, block.timestamp, block.state_root)

    def _state_at(self, number: int, timestamp: int, root: bytes) -> CancunState:
        return CancunState(self._db, self._context(number, timestamp), cast("Any", root))

    def _context(self, number: int, timestamp: int) -> ExecutionContext:
        return ExecutionContext(
            coinbase=cast("Any", ZERO),
            timestamp=timestamp,
            block_number=cast("Any", number),
            difficulty=0,
            mix_hash=cast("Any", b"\0" * 32),
            gas_limit=BLOCK_GAS,
            prev_hashes=(cast("Any", block.hash) for block in reversed(self.blocks[-256:])),
            chain_id=CHAIN_ID,
            base_fee_per_gas=BASE_FEE,
            excess_blob_gas=0,
        )

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
            self.set_balance(admitted.shown.sender, needed)

    def _next_log(self) -> int:
        return sum(len(mined.logs) for mined in self._open)


def _logs(computation: ComputationAPI, transaction_hash: bytes, index: int, first: int) -> tuple[Log, ...]:
    return tuple(
        Log(
            address=address,
            topics=tuple(topic.to_bytes(32, "big") for topic in topics),
            data=data,
            index=first + offset,
            transaction_hash=transaction_hash,
            transaction_index=index,
        )
        for offset, (address, topics, data) in enumerate(computation.get_log_entries())
    )


def _block(
    number: int, parent: Block | None, timestamp: int, state_root: bytes, mined: tuple[Mined, ...], extra_data: bytes
) -> Block:
    bloom = 0
    for one in mined:
        bloom |= one.bloom
    transactions_root, _ = trie_root(tuple(one.transaction.raw for one in mined))
    receipts_root, _ = trie_root(tuple(one.encoded_receipt for one in mined))
    header = cast("Any", LondonBlockHeader)(
        difficulty=0,
        block_number=cast("Any", number),
        gas_limit=BLOCK_GAS,
        timestamp=timestamp,
        parent_hash=cast("Any", parent.hash if parent else b"\0" * 32),
        state_root=cast("Any", state_root),
        transaction_root=transactions_root,
        receipt_root=receipts_root,
        bloom=bloom,
        gas_used=mined[-1].cumulative_gas if mined else 0,
        extra_data=extra_data,
        base_fee_per_gas=BASE_FEE,
    )
    draft = Block(
        number=number,
        hash=bytes(header.hash),
        parent_hash=bytes(header.parent_hash),
        timestamp=timestamp,
        state_root=state_root,
        transactions_root=bytes(transactions_root),
        receipts_root=bytes(receipts_root),
        bloom=bloom,
        gas_limit=BLOCK_GAS,
        gas_used=header.gas_used,
        base_fee=BASE_FEE,
        extra_data=extra_data,
        coinbase=ZERO,
        size=0,
        mined=mined,
    )
    return replace(draft, size=600 + sum(len(one.transaction.raw) for one in mined))
