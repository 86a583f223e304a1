"""The chain's one thread and its clock: takes transactions in order, seals a block every interval, tells who listens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import structlog

from services.venue.node.block import Block, Transaction
from services.venue.node.clock import BlockClock
from services.venue.node.edits import Edit
from services.venue.node.errors import Refused
from services.venue.node.evm import BASE_FEE, TRANSACTION_GAS, Chain
from services.venue.node.pool import Pool
from services.venue.node.reorgs import Plan, Reorganised, reorganise
from services.venue.node.transactions import Admitted, Request, decode_raw, impersonate

P = ParamSpec("P")
T = TypeVar("T")
Listener = Callable[[Block, tuple[Block, ...]], None]
PendingListener = Callable[[Transaction], None]

log = structlog.get_logger(__name__)


class Miner:
    """All work on the chain passes through here, so that reads, transactions and blocks never meet."""

    def __init__(
        self,
        chain: Chain,
        block_ms: int,
        clock: Callable[[], float] = time.time,  # clock: the node's own, where it is given none
    ) -> None:
        self.chain = chain
        self.clock = BlockClock(clock)
        self._block_ms = block_ms
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evm")
        self._pool = Pool()
        self._work = asyncio.Event()
        self._sealing = asyncio.Lock()
        self._executing = asyncio.Lock()
        self._listeners: list[Listener] = []
        self._pending_listeners: list[PendingListener] = []
        self._after: list[Callable[[Block], Awaitable[None]]] = []

    @property
    def pending(self) -> dict[bytes, Transaction]:
        """What was accepted and is not mined, by hash."""
        return self._pool.pending

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` with each sealed block, in order, and with the blocks that a reorg took back before the first that replaces
        them; returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def listen_pending(self, listener: PendingListener) -> Callable[[], None]:
        """Calls `listener` with each transaction that is accepted; returns how to stop that."""
        self._pending_listeners.append(listener)
        return lambda: self._pending_listeners.remove(listener)

    def when_sealed(self, act: Callable[[Block], Awaitable[None]]) -> None:
        """Awaits `act` after each block that is mined as the next one: not after those that a reorg brings."""
        self._after.append(act)

    async def perform(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs blocking work on the chain's thread, between two transactions."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    async def send_raw(self, raw: bytes) -> bytes:
        """Accepts signed bytes; returns the hash at once, mining comes with a later block."""
        admitted = decode_raw(raw)
        shown = admitted.shown
        self._check_gas(shown.gas)
        if shown.max_fee < BASE_FEE:
            raise Refused("max fee per gas less than block base fee")
        mined_nonce, spendable = await self.perform(self._account, shown.sender)
        if self._knows(shown.hash):
            raise Refused("already known")
        expected = self._pool.nonces.get(shown.sender, mined_nonce)
        if shown.nonce < expected:
            raise Refused(f"nonce too low: next nonce {expected}, tx nonce {shown.nonce}")
        if spendable < shown.gas * shown.max_fee + shown.value:
            raise Refused("insufficient funds for gas * price + value")
        return self._add(admitted, expected)

    async def send(self, request: Request) -> bytes:
        """Accepts a transaction of any account, unsigned: this is a test chain. With a nonce, sending it again changes nothing."""
        self._check_gas(request.gas)
        # An account that has sent before costs no wait for the chain's thread.
        if request.sender not in self._pool.nonces:
            mined_nonce = await self.perform(self.chain.nonce, request.sender)
            self._pool.nonces.setdefault(request.sender, mined_nonce)
        expected = self._pool.nonces[request.sender]
        admitted = impersonate(request, expected if request.nonce is None else request.nonce, BASE_FEE)
        shown = admitted.shown
        if self._knows(shown.hash):
            return shown.hash
        if shown.nonce != expected:
            raise Refused(f"nonce does not follow: next nonce {expected}, tx nonce {shown.nonce}")
        return self._add(admitted, expected)

    async def mine(self, timestamp: int | None = None) -> Block:
        """Executes all that waits, then seals a block now; at `timestamp` where that is given, and the clock goes on from there."""
        async with self._sealing:
            if timestamp is not None:
                self.clock.set(timestamp)
            while await self._execute_next():
                pass
            block = await self._seal()
        await self._sealed(block)
        return block

    async def edit(self, edit: Edit) -> None:
        """Writes into the state, between two transactions."""
        async with self._executing:
            await self.perform(self.chain.edit, edit)
            if edit.nonce is not None:
                self._pool.nonces[edit.address] = edit.nonce

    async def reorg(self, wanted: Plan) -> Reorganised:
        """Takes blocks back and mines others; who listens is told of both."""
        async with self._sealing, self._executing:
            done = await self.perform(reorganise, self.chain, wanted, self.clock.seconds())
            senders = {one.shown.sender for one in done.waiting} | {one.sender for one in self.pending.values()}
            nonces = await self.perform(lambda: {sender: self.chain.nonce(sender) for sender in senders})
            for admitted in (*done.waiting, *self._pool.take_all()):
                self._add_again(admitted, nonces)
            removed = done.removed
            for block in done.added:
                self._tell(block, removed)
                removed = ()
        self._work.set()
        return done

    async def run(self) -> None:
        """Executes and seals until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._execute_forever())
            if self._block_ms:
                tasks.create_task(self._seal_forever())

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def next_nonce(self, address: bytes) -> int:
        """The nonce after every accepted transaction of the account."""
        mined_nonce = await self.perform(self.chain.nonce, address)
        return self._pool.nonces.get(address, mined_nonce)

    def _account(self, address: bytes) -> tuple[int, int]:
        return self.chain.nonce(address), self.chain.spendable(address)

    def _check_gas(self, gas: int) -> None:
        if gas > TRANSACTION_GAS:
            raise Refused("exceeds block gas limit")

    def _knows(self, transaction_hash: bytes) -> bool:
        return transaction_hash in self._pool.pending or transaction_hash in self.chain.mined

    def _add(self, admitted: Admitted, expected: int) -> bytes:
        self._pool.add(admitted, expected)
        for listener in tuple(self._pending_listeners):
            listener(admitted.shown)
        self._work.set()
        return admitted.shown.hash

    def _add_again(self, admitted: Admitted, nonces: dict[bytes, int]) -> None:
        shown = admitted.shown
        expected = self._pool.nonces.get(shown.sender, nonces.get(shown.sender, shown.nonce))
        if shown.nonce < expected or self._knows(shown.hash):
            log.warning("transaction dropped", hash="0x" + shown.hash.hex(), reason="its nonce is used")
            return
        try:
            self._pool.add(admitted, expected)
        except Refused as refusal:
            log.warning("transaction dropped", hash="0x" + shown.hash.hex(), reason=str(refusal))

    async def _execute_next(self) -> bool:
        async with self._executing:
            admitted = self._pool.next()
            if admitted is None:
                return False
            try:
                await self.perform(self._execute, admitted)
            except Refused as refusal:
                self._pool.drop(admitted)
                log.warning("transaction dropped", hash="0x" + admitted.shown.hash.hex(), reason=str(refusal))
            except Exception:
                # Whatever the EVM trips over belongs to one transaction; the chain goes on without it.
                self._pool.drop(admitted)
                log.exception("transaction dropped", hash="0x" + admitted.shown.hash.hex())
            return True

    def _execute(self, admitted: Admitted) -> None:
        self.chain.set_time(self.clock.seconds())
        self.chain.execute(admitted)

    async def _execute_forever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while await self._execute_next():
                pass

    async def _seal_forever(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._block_ms / 1000, loop.time())
            await asyncio.sleep(due - loop.time())  # clock: blocks come in the machine's time
            async with self._sealing:
                block = await self._seal()
            await self._sealed(block)

    async def _seal(self) -> Block:
        block = await self.perform(lambda: self.chain.seal(self.clock.seconds()))
        self._tell(block, ())
        return block

    async def _sealed(self, block: Block) -> None:
        for act in self._after:
            await act(block)

    def _tell(self, block: Block, removed: tuple[Block, ...]) -> None:
        self._pool.mined(mined.transaction.hash for mined in block.mined)
        for listener in tuple(self._listeners):
            listener(block, removed)
