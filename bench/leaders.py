"""How the Data API serves the activity of a thousand leaders: alone, and while others trade.

Beside the requests of a second there is what the venue computes for one of them: on a machine that is busy the first says little.
What orders cost is measured before, and taken off.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

from bench import venue
from bench.venue_client import Line, Signer

LINES = 8
ORDERS = 60
# Between two orders of the one who trades meanwhile.
PAUSE_S = 0.05


async def measure(place: venue.Place) -> dict[str, Any]:
    """Every leader's activity once alone, and once while somebody trades."""
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(Line(place.port)) for _ in range(LINES + 1)]
        *readers, trading = lines
        traders = json.loads(await trading.ask("GET", "/admin/traders"))["traders"]
        leaders = [one["address"] for one in traders if one["role"] == "leader"]
        signer = Signer(9)
        await signer.join(trading, 1_000_000)
        began = cpu_ms(place)
        await _trade(place, trading, signer, 0, ORDERS)
        an_order_ms = (cpu_ms(place) - began) / ORDERS
        alone = await _read(place, readers, leaders)
        stop = asyncio.Event()
        busy = asyncio.create_task(_trade_until(stop, place, trading, signer))
        meanwhile = await _read(place, readers, leaders)
        stop.set()
        orders = await busy
    meanwhile["cpu_ms_per_request"] = round(meanwhile["cpu_ms_per_request"] - orders * an_order_ms / len(leaders), 2)
    return {"leaders": len(leaders), "alone": alone, "while_trading": meanwhile | {"orders": orders}}


async def _read(place: venue.Place, lines: Sequence[Line], leaders: Sequence[str]) -> dict[str, Any]:
    began, before = perf_counter(), cpu_ms(place)
    rows = await asyncio.gather(*(_rows_of(line, leaders[number :: len(lines)]) for number, line in enumerate(lines)))
    took, spent = perf_counter() - began, cpu_ms(place) - before
    return {
        "rows": sum(rows),
        "requests_per_second": round(len(leaders) / took),
        "cpu_ms_per_request": round(spent / len(leaders), 2),
    }


async def _rows_of(line: Line, leaders: Sequence[str]) -> int:
    pages = [json.loads(await line.ask("GET", f"/data/v2/activity?user={leader}")) for leader in leaders]
    return sum(len(page["data"]) for page in pages)


async def _trade_until(stop: asyncio.Event, place: venue.Place, line: Line, signer: Signer) -> int:
    number = 0
    while not stop.is_set():
        await _trade(place, line, signer, number, 1)
        number += 1
        await asyncio.sleep(PAUSE_S)
    return number


async def _trade(place: venue.Place, line: Line, signer: Signer, first: int, count: int) -> None:
    before = await venue.settled(line)
    for body in venue.purchases(place, signer, count, first):
        venue.require_matched(await signer.send(line, "POST", "/order", body))
    if count > 1:
        await venue.until_settled(line, before + count)


def cpu_ms(place: venue.Place) -> float:
    """What the venue has computed since its start."""
    fields = Path(f"/proc/{place.venue.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1_000 / os.sysconf("SC_CLK_TCK")


async def figures(folder: Path, leaders: int = 1_000) -> dict[str, Any]:
    """Of a venue of their own."""
    async with venue.running(folder, "--leaders", str(leaders)) as place:
        return {"conditions": venue.conditions()} | await measure(place)
