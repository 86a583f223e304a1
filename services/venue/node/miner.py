"""The chain's one thread and its clock: takes transactions in order, seals a block every interval, tells who listens."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import structlog

from services.venue.node.block import Block, Transaction
from services.venue.node.errors import Refused
from services.venue.node.evm import BASE_FEE, TRANSACTION_GAS, Chain
from services.venue.node.transactions import Admitted, Request, decode_raw, impersonate

P = ParamSpec("P")
T = TypeVar("T")
Listener = Callable[[Block], None]

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
        self._block_ms = block_ms
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evm")
        self._ready: deque[Admitted] = deque()
        self._early: dict[tuple[bytes, int], Admitted] = {}
        self._next_nonce: dict[bytes, int] = {}
        self.pending: dict[bytes, Transaction] = {}
        self._work = asyncio.Event()
        self._sealing = asyncio.Lock()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` with each sealed block, in order; returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def perform(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs blocking work on the chain's thread, between two transactions."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    async def send_raw(self, raw: bytes) -> bytes:
        """Accepts signed bytes; returns the hash at once, mining comes with a later block."""
        return await self._accept(lambda: self._admit_signed(decode_raw(raw)))

    async def send(self, request: Request) -> bytes:
        """Accepts a transaction of any account, unsigned: this is a test chain. With a nonce, sending it again changes nothing."""
        return await self._accept(lambda: self._admit_impersonated(request))

    async def mine(self) -> Block:
        """Executes all that waits, then seals a block now."""
        async with self._sealing:
            while await self.perform(self._execute_next):
                pass
            return await self._seal()

    async def run(self) -> None:
        """Executes and seals until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._execute_forever())
            if self._block_ms:
                tasks.create_task(self._seal_forever())

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def next_nonce(self, address: bytes) -> int:
        """The nonce after every accepted transaction of the account; on the chain's thread."""
        return self._next_nonce.get(address, self.chain.nonce(address))

    async def _accept(self, admit: Callable[[], bytes]) -> bytes:
        accepted = await self.perform(admit)
        self._work.set()
        return accepted

    def _admit_impersonated(self, request: Request) -> bytes:
        if request.gas > TRANSACTION_GAS:
            raise Refused("exceeds block gas limit")
        expected = self.next_nonce(request.sender)
        admitted = impersonate(request, expected if request.nonce is None else request.nonce, BASE_FEE)
        shown = admitted.shown
        if shown.hash in self.pending or shown.hash in self.chain.mined:
            return shown.hash
        if shown.nonce != expected:
            raise Refused(f"nonce does not follow: next nonce {expected}, tx nonce {shown.nonce}")
        self._queue(admitted)
        return shown.hash

    def _admit_signed(self, admitted: Admitted) -> bytes:
        shown = admitted.shown
        if shown.hash in self.pending or shown.hash in self.chain.mined:
            raise Refused("already known")
        expected = self.next_nonce(shown.sender)
        if shown.nonce < expected:
            raise Refused(f"nonce too low: next nonce {expected}, tx nonce {shown.nonce}")
        if shown.gas > TRANSACTION_GAS:
            raise Refused("exceeds block gas limit")
        if shown.max_fee < BASE_FEE:
            raise Refused("max fee per gas less than block base fee")
        if self.chain.spendable(shown.sender) < shown.gas * shown.max_fee + shown.value:
            raise Refused("insufficient funds for gas * price + value")
        if shown.nonce > expected:
            self._early[shown.sender, shown.nonce] = admitted
            self.pending[shown.hash] = shown
            return shown.hash
        self._queue(admitted)
        return shown.hash

    def _queue(self, admitted: Admitted) -> None:
        shown = admitted.shown
        self._ready.append(admitted)
        self.pending[shown.hash] = shown
        self._next_nonce[shown.sender] = shown.nonce + 1
        follower = self._early.pop((shown.sender, shown.nonce + 1), None)
        if follower:
            self._queue(follower)

    def _execute_next(self) -> bool:
        if not self._ready:
            return False
        admitted = self._ready.popleft()
        self.chain.set_time(int(self._clock()))
        try:
            self.chain.execute(admitted)
        except Refused as refusal:
            self._drop(admitted)
            log.warning("transaction dropped", hash="0x" + admitted.shown.hash.hex(), reason=str(refusal))
        except Exception:
            # Whatever the EVM trips over belongs to one transaction; the chain goes on without it.
            self._drop(admitted)
            log.exception("transaction dropped", hash="0x" + admitted.shown.hash.hex())
        return True

    def _drop(self, admitted: Admitted) -> None:
        # Its account's later transactions go with it: their nonces no longer follow.
        self.pending.pop(admitted.shown.hash, None)
        self._next_nonce.pop(admitted.shown.sender, None)

    async def _execute_forever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while await self.perform(self._execute_next):
                pass

    async def _seal_forever(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._block_ms / 1000, loop.time())
            await asyncio.sleep(due - loop.time())  # clock: blocks come in the machine's time
            async with self._sealing:
                await self._seal()

    async def _seal(self) -> Block:
        block = await self.perform(self._seal_now)
        for mined in block.mined:
            self.pending.pop(mined.transaction.hash, None)
        for listener in tuple(self._listeners):
            listener(block)
        return block

    def _seal_now(self) -> Block:
        return self.chain.seal(int(self._clock()))
