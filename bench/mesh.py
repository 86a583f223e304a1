"""A real mesh under single trades and bursts: how long a leader's fill takes to become an order, and what the services weigh."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.cli import books as stored
from services.cli import venue_log
from services.cli.addresses import Addresses
from services.cli.latency import latency
from services.cli.stack import SERVICES, Options, Stack
from services.common.domain.lifecycle import CopyState

SHARES_MICROS = 20_000_000
REST_S = 0.7
DONE_S = 30.0
WAITING = frozenset({CopyState.DETECTED, CopyState.CLAIMED, CopyState.EXECUTING})


async def measure(folder: Path, singles: int, bursts: Sequence[int]) -> dict[str, Any]:
    """Figures of one run; `singles` trades one after the other on a warm token, then bursts of so many at once."""
    shutil.rmtree(folder, ignore_errors=True)
    stack = Stack(Options(folder, Addresses.free(), block_ms=500))
    began = asyncio.get_running_loop().time()
    try:
        await stack.start()
        found: dict[str, Any] = {"mesh_ready_s": round(asyncio.get_running_loop().time() - began, 1)}
        found["warm"] = await _phase(stack, [1] * (singles + 2), skip=2)
        for size in bursts:
            found[f"burst_of_{size}"] = await _phase(stack, [size])
        found["rss_mib"] = {name: stack.children[name].peak_mib() for name in SERVICES}
    finally:
        await stack.stop()
    return found


async def _phase(stack: Stack, sizes: Sequence[int], skip: int = 0) -> dict[str, Any]:
    before = len(await stack.admin.journal())
    for size in sizes:
        await asyncio.gather(*(_trade(stack) for _ in range(size)))
        await asyncio.sleep(REST_S)
    return await _latency(stack, before, sum(sizes), skip)


async def _trade(stack: Stack) -> None:
    await stack.admin.trade(trader="leader-1", market=0, outcome=0, side="BUY", shares_micros=SHARES_MICROS)


async def _latency(stack: Stack, before: int, trades: int, skip: int) -> dict[str, Any]:
    async with asyncio.timeout(DONE_S), stored.opened(stack.mongodb_uri) as stores:
        while True:
            lines = await stack.admin.journal(before)
            log = venue_log.read(lines, [wallet.address for wallet in stack.wallets])
            books = await stored.read(stores)
            if len(log.leader_fills) == trades and all(copy.state not in WAITING for copy in books.copies):
                fills = sorted(log.leader_fills, key=lambda fill: fill.mined_at_ms)[skip:]
                seen = venue_log.VenueLog(tuple(fills), log.orders)
                return {"trades": trades, "orders": len(log.orders), **latency(books, seen, known_only=True)}
            await asyncio.sleep(0.2)
