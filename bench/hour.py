"""What an hour's traffic leaves in memory: ten orders a second, three of them matched and settled, with reads and sockets beside them.

The orders of 3,600 seconds are sent as fast as they go, no faster than the chain settles them, since what is kept is counted and not
timed: in orders and trades, and in blocks, which are made as much faster. The sizes of both processes are read at the quarters.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from bench import venue
from bench.venue_client import Line, Signer

ORDERS = 36_000
# Of ten orders seven rest and are cancelled, three are matched at once.
RESTING, TAKING = 7, 3
TRADERS = 8
# Orders between two looks at the chain, and at everything that traders and followers read.
PACE = 500
MOST_MARKETS = 4
# So that as deep a reorganisation as there can be, 256 blocks, is long past before the last half begins.
BLOCK_MS = 100


async def measure(folder: Path, orders: int = ORDERS) -> dict[str, Any]:
    """Sizes of a venue and a node of their own."""
    async with venue.running(folder, block_ms=BLOCK_MS) as place:
        return {"conditions": venue.conditions()} | await hour(place, orders)


async def hour(place: venue.Place, orders: int = ORDERS) -> dict[str, Any]:
    """Sizes in MiB before the first order and after each quarter, and what the last half has added."""
    signers = [Signer(100 + number) for number in range(TRADERS)]
    heard = [0]
    async with Line(place.port) as line:
        for signer in signers:
            await signer.join(line, 10_000_000)
        listener = asyncio.create_task(venue.listen(place, heard))
        sizes = [venue.resident(place)]
        for _ in range(4):
            await _traffic(place, line, signers, orders // 4)
            sizes.append(venue.resident(place))
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    grown = {name: round(sizes[4][name] - sizes[2][name], 1) for name in sizes[0]}
    return {"orders": orders, "frames": heard[0], "rss_mib": sizes, "grown_in_last_half_mib": grown}


async def _traffic(place: venue.Place, line: Line, signers: list[Signer], orders: int) -> None:
    for start in range(0, orders, PACE):
        before = await venue.settled(line)
        numbers = range(start, min(start + PACE, orders), RESTING + TAKING)
        for number in numbers:
            await _ten(place, line, signers[number // (RESTING + TAKING) % TRADERS], number)
        await venue.until_settled(line, before + len(numbers) * TAKING)
        for signer in signers:
            await _reads(place, line, signer)


async def _ten(place: venue.Place, line: Line, signer: Signer, number: int) -> None:
    token = place.tokens[number // 10 % MOST_MARKETS][0]
    resting = [signer.order(token, venue.SHARES, 2 * venue.FAR_MICROS, "GTC") for _ in range(RESTING)]
    await signer.send(line, "POST", "/orders", b"[" + b",".join(body for body, _ in resting) + b"]")
    await signer.send(line, "DELETE", "/orders", json.dumps([name for _, name in resting]).encode())
    for body in venue.purchases(place, signer, TAKING, number):
        venue.require_matched(await signer.send(line, "POST", "/order", body))


async def _reads(place: venue.Place, line: Line, signer: Signer) -> None:
    for path in ("activity", "trades", "positions"):
        await line.ask("GET", f"/data/v2/{path}?user={signer.address}")
        await line.ask("GET", f"/data/{path}?user={signer.address}")
    await signer.send(line, "GET", "/data/trades", b"")
    await line.ask("GET", f"/clob/book?token_id={place.tokens[0][0]}")
