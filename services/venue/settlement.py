"""Settling matches on chain: each becomes one matchOrders transaction, followed until it is final."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx
import orjson
import structlog
import websockets
from websockets.exceptions import WebSocketException

from services.venue.doubts import Doubts
from services.venue.node.client import Node
from services.venue.node.errors import RpcError
from services.venue.node.reasons import reason
from services.venue.onchain import Match, match_calldata
from services.venue.sending import RECONNECT_SECONDS, Sender

# The exchange contract takes no more maker orders in one transaction.
MAX_MAKERS = 32
# How deep a reorganisation may be that is noticed.
REMEMBERED_BLOCKS = 64

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a match: `ok` False means it was mined and reverted, for `reason`."""

    match_id: str
    tx_hash: str
    block_number: int
    block_timestamp: int
    ok: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A block that was the head once."""

    number: int
    hash: str


class BlockGone(Exception):
    """A block was taken back while it was read."""


Callback = Callable[[Settled], Awaitable[None] | None]


@dataclass(slots=True)
class Followed:
    """A match in a block that may still be taken back."""

    settled: Settled
    match: Match
    confirmed: bool = False


class Settlement:
    """Sends matches as `operator` and reports them when mined, and again `confirm_depth` blocks later. A match whose block is
    taken back is reported as such, and again when it is mined again, be it under another hash; one that is lost is sent again."""

    def __init__(self, node: Node, operator: str, *, confirm_depth: int = 2) -> None:
        self._node = node
        self._sender = Sender(node, operator)
        self._operator = operator
        self._confirm_depth = confirm_depth
        self._sent: dict[str, Match] = {}
        self._doubts = Doubts(node)
        self._sending: set[asyncio.Future[None]] = set()
        self._followed: list[Followed] = []
        self._marks: deque[Mark] = deque(maxlen=REMEMBERED_BLOCKS)
        self._mined_callbacks: list[Callback] = []
        self._unmined_callbacks: list[Callback] = []
        self._confirmed_callbacks: list[Callback] = []
        self._next_block: int | None = None
        self._wake = asyncio.Event()
        self._closed = asyncio.Event()
        self._progress = asyncio.Condition()

    def on_mined(self, callback: Callback) -> None:
        """Called once per match, in chain order, soon after its block."""
        self._mined_callbacks.append(callback)

    def on_unmined(self, callback: Callback) -> None:
        """Called for each reported match whose block is on the chain no more, the latest first."""
        self._unmined_callbacks.append(callback)

    def on_confirmed(self, callback: Callback) -> None:
        """Called once per mined match when its block is deep enough."""
        self._confirmed_callbacks.append(callback)

    async def submit(self, match: Match) -> str:
        """Sends the transaction until the node answers, and returns its hash; it is mined with the next block. Raises RpcError
        where the node does not take it."""
        (sent,) = await self.submit_all([match])
        if isinstance(sent, RpcError):
            raise sent
        return sent

    async def submit_all(self, matches: Sequence[Match]) -> list[str | RpcError]:
        """Sends many in one request, in their order: the hash of each, or why the node does not take it."""
        for match in matches:
            if len(match.makers) > MAX_MAKERS:
                raise ValueError(f"{len(match.makers)} maker orders in one match; the exchange takes {MAX_MAKERS}")
        if self._next_block is None:
            first = (await self._head()).number + 1
            self._next_block = first if self._next_block is None else self._next_block
        answered = asyncio.get_running_loop().create_future()
        self._sending.add(answered)
        try:
            sent = await self._sender.send([self._call(match) for match in matches])
            self._sent |= {one: match for one, match in zip(sent, matches, strict=True) if isinstance(one, str)}
            return sent
        finally:
            self._sending.remove(answered)
            answered.set_result(None)

    def _call(self, match: Match) -> dict[str, str]:
        return {"from": self._operator, "to": match.contract.exchange, "data": match_calldata(match)}

    async def through(self, block: int) -> None:
        """Returns when everything that this block and those before it settled has been reported."""
        self._wake.set()
        async with self._progress:
            await self._progress.wait_for(lambda: self._next_block is None or self._next_block > block)

    async def run(self) -> None:
        """Follows the chain until closed; a node that went away is taken up where it was left."""
        following = asyncio.create_task(self._follow_heads())
        closing = asyncio.create_task(self._closed.wait())
        try:
            while not self._closed.is_set():
                waking = asyncio.create_task(self._wake.wait())
                await asyncio.wait({waking, closing, following}, return_when=asyncio.FIRST_COMPLETED)
                waking.cancel()
                if following.done():
                    # It follows for ever: only an error of ours ends it.
                    following.result()
                self._wake.clear()
                if not self._closed.is_set():
                    await self._turn()
        finally:
            for task in (following, closing):
                task.cancel()
            await asyncio.gather(following, closing, return_exceptions=True)

    async def close(self) -> None:
        self._closed.set()

    async def _follow_heads(self) -> None:
        while True:
            try:
                async with websockets.connect(self._node.socket_url) as socket:
                    await socket.send(orjson.dumps(_SUBSCRIBE).decode())
                    async for _frame in socket:
                        self._wake.set()
            except (OSError, WebSocketException) as error:
                log.warning("node unreachable", error=str(error))
            await asyncio.sleep(RECONNECT_SECONDS)  # clock: the node is reached in the machine's time

    async def _turn(self) -> None:
        try:
            await self._catch_up()
        except (httpx.HTTPError, RpcError, BlockGone) as error:
            log.warning("node unreachable", error=repr(error))
            await asyncio.sleep(RECONNECT_SECONDS)  # clock: the node is reached in the machine's time
            self._wake.set()

    async def _catch_up(self) -> None:
        head = await self._head()
        # A block may hold a transaction whose hash is still on its way to us.
        await asyncio.gather(*self._sending)
        if self._next_block is None:
            # What is sent first is in a block behind this one.
            self._marks.append(head)
            return
        await self._look_back()
        while self._next_block <= head.number:
            if self._sent:
                await self._read_block(self._next_block)
            self._next_block += 1
        self._marks.append(head)
        if self._doubts.open:
            await self._send_lost()
        async with self._progress:
            self._progress.notify_all()
        await self._confirm(head.number)

    async def _look_back(self) -> None:
        """Finds the last block that we know and that is still there; what was reported behind it was taken back."""
        gone: Mark | None = None
        while self._marks and not await self._stands(self._marks[-1]):
            gone = self._marks.pop()
        if gone:
            # Behind the first block that we know, the fork may be anywhere.
            await self._take_back(self._marks[-1].number if self._marks else max(gone.number - REMEMBERED_BLOCKS, 0))

    async def _take_back(self, last_known: int) -> None:
        gone = [one for one in self._followed if one.settled.block_number > last_known]
        self._followed = [one for one in self._followed if one.settled.block_number <= last_known]
        self._next_block = last_known + 1
        for one in reversed(gone):
            # One that was turned down has been sent again since: there it counts.
            if one.settled.ok:
                self._sent[one.settled.tx_hash] = one.match
                await _tell(self._unmined_callbacks, one.settled)
        self._doubts.raise_about(self._sent, last_known)

    async def _send_lost(self) -> None:
        """Sends again what the new blocks do not hold and the node knows nothing of any more."""
        names = await self._doubts.lost(self._sent)
        if not names:
            return
        lost = [self._sent.pop(name) for name in names]
        for name, match in zip(names, lost, strict=True):
            self._doubts.settle(name, match)
        log.warning("matches were lost with their blocks and are sent again", matches=[one.match_id for one in lost])
        await self._sender.ask_again()
        for match, answer in zip(lost, await self.submit_all(lost), strict=True):
            if isinstance(answer, RpcError):
                await _tell(self._mined_callbacks, Settled(match.match_id, "", 0, 0, ok=False, reason=str(answer)))

    async def _stands(self, mark: Mark) -> bool:
        block = await self._node.call("eth_getBlockByNumber", hex(mark.number), False)
        return block is not None and block["hash"] == mark.hash

    async def _read_block(self, number: int) -> None:
        tag = hex(number)
        block, receipts = await self._node.batch(
            [("eth_getBlockByNumber", [tag, False]), ("eth_getBlockReceipts", [tag])]
        )
        if block is None or receipts is None:
            raise BlockGone(f"block {number} is there no more")
        timestamp = int(block["timestamp"], 16)
        for receipt in cast("list[dict[str, Any]]", receipts):
            match = self._claimed(receipt)
            if match is not None:
                settled = _settled(match.match_id, receipt, timestamp)
                self._followed.append(Followed(settled, match))
                await _tell(self._mined_callbacks, settled)

    def _claimed(self, receipt: dict[str, Any]) -> Match | None:
        """The match of ours that this transaction was to settle."""
        name = str(receipt["transactionHash"])
        if name not in self._sent:
            name = self._doubts.claim(receipt)
        match = self._sent.pop(name, None)
        if match is not None:
            self._doubts.settle(name, match)
        return match

    async def _confirm(self, head: int) -> None:
        for one in self._followed:
            if not one.confirmed and one.settled.block_number + self._confirm_depth <= head:
                one.confirmed = True
                await _tell(self._confirmed_callbacks, one.settled)
        self._followed = [one for one in self._followed if one.settled.block_number + REMEMBERED_BLOCKS > head]

    async def _head(self) -> Mark:
        block = await self._node.call("eth_getBlockByNumber", "latest", False)
        return Mark(int(block["number"], 16), block["hash"])


_SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}


def _settled(match_id: str, receipt: dict[str, Any], timestamp: int) -> Settled:
    ok = int(receipt["status"], 16) == 1
    output = bytes.fromhex(receipt.get("revertReason", "0x").removeprefix("0x"))
    return Settled(
        match_id=match_id,
        tx_hash=receipt["transactionHash"],
        block_number=int(receipt["blockNumber"], 16),
        block_timestamp=timestamp,
        ok=ok,
        reason="" if ok else reason(output),
    )


async def _tell(callbacks: list[Callback], settled: Settled) -> None:
    for callback in callbacks:
        answer = callback(settled)
        if inspect.isawaitable(answer):
            await answer
