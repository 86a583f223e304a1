"""Following the chain: which blocks are new since the last look, and which have gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from services.venue.data.logs import TOPICS, Block, Log, read_log
from services.venue.node.client import Node
from services.venue.node.errors import RpcError

REMEMBERED = 256
AT_ONCE = 1_000
TRIES = 5


@dataclass(frozen=True, slots=True)
class News:
    """`gone_from` is the first block that is no longer part of the chain, None where all still are."""

    gone_from: int | None
    blocks: Sequence[Block]


class Joined:
    """Does `work` for everybody who asks: who comes while it is being done waits for the next time, together with all others.

    So each caller is answered by work that began after he had asked, at the price of few runs.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._running: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None

    async def __call__(self) -> None:
        if self._next is None:
            self._next = asyncio.ensure_future(self._after(self._running))
            # Whoever asked is told of what fails, unless all of them have been cancelled meanwhile.
            self._next.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(self._next)

    async def _after(self, before: asyncio.Future[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        await self._work()


class Follower:
    """Reads blocks with logs of `addresses`. The caller applies what `news` says before he asks again."""

    def __init__(self, node: Node, addresses: Sequence[str]) -> None:
        self._node = node
        self._addresses = list(addresses)
        self._hashes: dict[int, str] = {}
        self.head = -1
        self.head_timestamp = 0

    async def news(self) -> News:
        """What has changed. Raises as the node does; then nothing has been taken."""
        newest = await self._header("latest")
        number = int(newest["number"], 16)
        if self._hashes.get(number) == newest["hash"] and number == self.head:
            return News(None, ())
        gone_from = await self._fork(newest)
        first = self.head + 1 if gone_from is None else gone_from
        blocks = await self._between(first, number) if first <= number else []
        self._forget(gone_from)
        self._hashes |= {block.number: block.hash for block in blocks}
        self._hashes[number] = str(newest["hash"])
        self.head, self.head_timestamp = number, int(newest["timestamp"], 16)
        self._shorten()
        return News(gone_from, [block for block in blocks if block.logs])

    async def _fork(self, newest: dict[str, Any]) -> int | None:
        """The first block of ours that is gone."""
        number = int(newest["number"], 16)
        if number == self.head + 1 and newest["parentHash"] == self._hashes.get(self.head):
            return None
        known = sorted(self._hashes, reverse=True)
        for place, mine in enumerate(known):
            theirs = await self._node.call("eth_getBlockByNumber", hex(mine), False) if mine <= number else None
            if theirs is not None and theirs["hash"] == self._hashes[mine]:
                return known[place - 1] if place else None
        return known[-1] if known else None

    async def _between(self, first: int, last: int) -> list[Block]:
        found: list[Block] = []
        for start in range(first, last + 1, AT_ONCE):
            found += await self._some(start, min(start + AT_ONCE - 1, last))
        return found

    async def _some(self, first: int, last: int) -> list[Block]:
        for _ in range(TRIES):
            blocks = await self._once(first, last)
            if blocks is not None:
                return blocks
        raise RpcError(-32000, "the chain changes faster than it can be read")

    async def _once(self, first: int, last: int) -> list[Block] | None:
        """None where logs and headers are not of the same blocks, because the chain has changed in between."""
        asked = {
            "address": self._addresses,
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "topics": [list(TOPICS)],
        }
        logs = cast(list[dict[str, Any]], await self._node.call("eth_getLogs", asked))
        by_block: dict[str, list[Log]] = {}
        hashes = {str(log["blockNumber"]): log["blockHash"] for log in logs}
        for log in logs:
            by_block.setdefault(str(log["blockNumber"]), []).append(read_log(log))
        # Recent blocks are remembered without logs too: a fork can begin at any of them.
        numbers = set(by_block) | {hex(number) for number in range(max(first, last - REMEMBERED), last + 1)}
        ordered = sorted(numbers, key=lambda number: int(number, 16))
        headers = await self._node.batch([("eth_getBlockByNumber", [number, False]) for number in ordered])
        same = all(
            header is not None and hashes.get(number, header["hash"]) == header["hash"]
            for number, header in zip(ordered, headers, strict=True)
        )
        if not same:
            return None
        return [
            Block(int(number, 16), str(header["hash"]), int(header["timestamp"], 16), tuple(by_block.get(number, ())))
            for number, header in zip(ordered, headers, strict=True)
        ]

    async def _header(self, block: str) -> dict[str, Any]:
        return cast(dict[str, Any], await self._node.call("eth_getBlockByNumber", block, False))

    def _forget(self, gone_from: int | None) -> None:
        if gone_from is not None:
            self._hashes = {number: text for number, text in self._hashes.items() if number < gone_from}

    def _shorten(self) -> None:
        for number in sorted(self._hashes)[:-REMEMBERED]:
            del self._hashes[number]
