"""The state that py-evm works on: changes over a ledger, undone step by step where a call reverts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from eth.abc import AccountDatabaseAPI, MetaWitnessAPI
from eth.db.journal import get_next_checkpoint
from eth.typing import JournalDBCheckpoint
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.state import CancunState
from eth_typing import Address, Hash32
from eth_utils.crypto import keccak

from services.venue.node.interpreter import Computation
from services.venue.node.ledger import NO_CODE, NOBODY, Holder, Key, Ledger, Value

# Roots are the chain's business; py-evm only hands them back when it reverts.
ROOT = cast("Hash32", b"\0" * 32)

_MISSING: Any = object()


class View:
    """A ledger as of its newest block, or as of an earlier one."""

    def __init__(self, ledger: Ledger, number: int | None = None) -> None:
        self.ledger = ledger
        self.read: Callable[[Key], Value] = ledger.now if number is None else lambda key: ledger.at(key, number)


class Accounts(AccountDatabaseAPI):
    """py-evm's account database without tries: a dict of changes and a list of how to undo them."""

    def __init__(self, db: Any, state_root: Hash32 = ROOT) -> None:
        self._view: View = db
        self.changes: dict[Key, Value] = {}
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._marks: dict[int, int] = {}
        self._originals: dict[Key, int] = {}
        self._warm: dict[Any, bool] = {}

    @property
    def state_root(self) -> Hash32:
        return ROOT

    @state_root.setter
    def state_root(self, value: Hash32) -> None:
        pass

    def has_root(self, state_root: bytes) -> bool:
        return state_root == ROOT

    def get_storage(self, address: Address, slot: int, from_journal: bool = True) -> int:
        key = (address, slot)
        if not from_journal and key in self._originals:
            return self._originals[key]
        found = self.changes.get(key)
        return cast("int", self._view.read(key) if found is None else found)

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        key = (address, slot)
        if key not in self._originals:
            self._originals[key] = self.get_storage(address, slot)
        self._set(self.changes, key, value)

    def delete_storage(self, address: Address) -> None:
        changed = [key for key in self.changes if isinstance(key, tuple) and key[0] == address]
        for key in {*changed, *self._view.ledger.slots(address)}:
            self._set(self.changes, key, 0)

    def is_storage_warm(self, address: Address, slot: int) -> bool:
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: Address, slot: int) -> None:
        self._warm_up((address, slot))

    def get_balance(self, address: Address) -> int:
        return self._holder(address).balance

    def set_balance(self, address: Address, balance: int) -> None:
        self._set(self.changes, address, self._holder(address)._replace(balance=balance))

    def get_nonce(self, address: Address) -> int:
        return self._holder(address).nonce

    def set_nonce(self, address: Address, nonce: int) -> None:
        self._set(self.changes, address, self._holder(address)._replace(nonce=nonce))

    def increment_nonce(self, address: Address) -> None:
        self.set_nonce(address, self.get_nonce(address) + 1)

    def set_code(self, address: Address, code: bytes) -> None:
        code_hash = keccak(code)
        self._view.ledger.codes[code_hash] = code
        self._set(self.changes, address, self._holder(address)._replace(code_hash=code_hash))

    def get_code(self, address: Address) -> bytes:
        return self._view.ledger.codes[self._holder(address).code_hash]

    def get_code_hash(self, address: Address) -> Hash32:
        return cast("Hash32", self._holder(address).code_hash)

    def delete_code(self, address: Address) -> None:
        self._set(self.changes, address, self._holder(address)._replace(code_hash=NO_CODE))

    def account_has_code_or_nonce(self, address: Address) -> bool:
        holder = self._holder(address)
        return holder.nonce != 0 or holder.code_hash != NO_CODE

    def delete_account(self, address: Address) -> None:
        self.delete_storage(address)
        self._set(self.changes, address, NOBODY)

    def account_exists(self, address: Address) -> bool:
        return self._holder(address) != NOBODY

    def touch_account(self, address: Address) -> None:
        # An empty account and none are the same here, as they are since EIP-161.
        pass

    def account_is_empty(self, address: Address) -> bool:
        return self._holder(address) == NOBODY

    def is_address_warm(self, address: Address) -> bool:
        return address in self._warm

    def mark_address_warm(self, address: Address) -> None:
        self._warm_up(address)

    def record(self) -> JournalDBCheckpoint:
        # From the counter that the transient storage draws its own from: it takes ours too.
        mark = get_next_checkpoint()
        self._marks[mark] = len(self._undo)
        return mark

    def discard(self, checkpoint: JournalDBCheckpoint) -> None:
        mark = self._marks.pop(checkpoint)
        for values, key, before in reversed(self._undo[mark:]):
            if before is _MISSING:
                del values[key]
            else:
                values[key] = before
        del self._undo[mark:]

    def commit(self, checkpoint: JournalDBCheckpoint) -> None:
        del self._marks[checkpoint]

    def lock_changes(self) -> None:
        """A transaction begins: what there is cannot be undone any more, and every slot is cold."""
        self._undo.clear()
        self._marks.clear()
        self._originals.clear()
        self._warm.clear()

    def make_state_root(self) -> Hash32:
        return ROOT

    def persist(self) -> MetaWitnessAPI:
        # py-evm's interface has it, for whoever builds a trie; nothing of ours asks for one.
        raise NotImplementedError("the chain takes `changes` over when it seals a block")

    def _holder(self, address: bytes) -> Holder:
        found = self.changes.get(address)
        return cast("Holder", self._view.read(address) if found is None else found)

    def _set(self, values: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((values, key, values.get(key, _MISSING)))
        values[key] = value

    def _warm_up(self, key: Any) -> None:
        if key not in self._warm:
            self._set(self._warm, key, True)


class State(CancunState):
    """Cancun's rules on `Accounts`."""

    account_db_class = Accounts
    computation_class = Computation

    def __init__(self, view: View, context: ExecutionContext) -> None:
        super().__init__(cast("Any", view), context, ROOT)

    @property
    def accounts(self) -> Accounts:
        return cast("Accounts", self._account_db)

    def set_system_contracts(self) -> None:
        """None: nothing here asks for the beacon chain's roots."""

    def begin(self) -> JournalDBCheckpoint:
        """Starts a transaction; `undo` takes it back whatever it did."""
        self.accounts.lock_changes()
        self._transient_storage = cast("Any", None)
        return self.accounts.record()

    def undo(self, begun: JournalDBCheckpoint) -> None:
        self.accounts.discard(begun)
        self._transient_storage = cast("Any", None)
