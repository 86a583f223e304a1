"""Blocks by a virtual clock: the venue tells its chain what time it is, and when a block is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
import structlog

from services.venue.clock import VirtualClock
from services.venue.events import Event, TradeEvent
from services.venue.model import Trade, TradeStatus
from services.venue.node.client import Node
from services.venue.node.errors import RpcError

# Nobody watches an idle chain while time jumps, so that its blocks may be far apart.
IDLE_S = 600.0
SENT_WITHIN_S = 2.0
LOOK_S = 0.005

log = structlog.get_logger(__name__)


class Blocks:
    """Subscribe `hear` to the exchange; `run` seals a block every `block_s` while a trade is not final, until cancelled.

    The node must not seal by itself (`--block-ms 0`). `through` waits until the venue has read a block.
    """

    def __init__(
        self, clock: VirtualClock, node: Node, through: Callable[[int], Awaitable[None]], block_s: float = 2.0
    ) -> None:
        self._clock = clock
        self._node = node
        self._through = through
        self._block_s = block_s
        self._open: dict[str, Trade] = {}
        self._wake = asyncio.Event()
        clock.when_landed(self._wake.set)

    def hear(self, event: Event) -> None:
        if not isinstance(event, TradeEvent):
            return
        if event.trade.status in (TradeStatus.CONFIRMED, TradeStatus.FAILED):
            self._open.pop(event.trade.trade_id, None)
        else:
            self._open[event.trade.trade_id] = event.trade
            self._wake.set()

    async def run(self) -> None:
        while True:
            if not self._open:
                await self._idle()
            if self._open:
                await self._clock.sleep(self._block_s)
            with self._clock.held():
                await self._seal()

    async def _idle(self) -> None:
        self._wake.clear()
        pause_s = IDLE_S if self._clock.jumps else min(IDLE_S, self._block_s * max(1.0, self._clock.speed))
        with suppress(TimeoutError):
            async with self._clock.timeout(pause_s):
                await self._wake.wait()

    async def _seal(self) -> None:
        try:
            await self._until_sent()
            await tell_time(self._node, self._clock)
            await self._node.call("evm_mine")
            block = int(await self._node.call("eth_blockNumber"), 16)
            async with asyncio.timeout(SENT_WITHIN_S):
                await self._through(block)
        except (httpx.HTTPError, RpcError, TimeoutError) as error:
            log.warning("no block by the venue's clock", error=repr(error))

    async def _until_sent(self) -> None:
        """A match of before this block is to be in it: sending it takes time of the machine's, and none of the venue's."""
        for _ in range(int(SENT_WITHIN_S / LOOK_S)):
            if all(trade.tx_hash for trade in self._open.values()):
                return
            await asyncio.sleep(LOOK_S)  # clock: the chain is reached in the machine's time


async def tell_time(node: Node, clock: VirtualClock) -> None:
    """Tell the chain what time it is: what it executes from now on, and its blocks, go by it."""
    await node.call("evm_setTime", hex(clock.now_ms() // 1_000))
