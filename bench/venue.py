"""The local venue alone, on its chain: round trips, matches and frames."""

import asyncio
import json
import os
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import websockets

from bench.venue_client import Line, Signer
from services.cli.child import Child, free_port, start

READY_S = 300.0
SETTLED_S = 180.0
LOOK_S = 0.2
LINES = 8
SHARES = 5
FRAMES_S = 3.0
SUBSCRIBERS = 10
FAR_MICROS = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """A running venue: where it is, its processes, and its markets' tokens by place."""

    port: int
    venue: Child
    node: Child
    tokens: tuple[tuple[str, str], ...]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


async def measure(folder: Path, *, singles: int = 300, orders: int = 600) -> dict[str, Any]:
    """Figures of one run, with the conditions they were made under."""
    shutil.rmtree(folder, ignore_errors=True)
    found: dict[str, Any] = {"conditions": conditions()}
    async with running(folder) as place:
        found["order_round_trip_ms"] = await round_trip(place, singles)
        found["matched"] = await matched(place, orders)
        found["market_feed"] = await frames(place)
    return found


def conditions() -> dict[str, Any]:
    """What the machine was like: its cores, and how many others wanted them."""
    return {"cores": os.cpu_count(), "load_1m": round(os.getloadavg()[0], 1), "python": sys.version.split()[0]}


@asynccontextmanager
async def running(folder: Path, *options: str, block_ms: int = 500) -> AsyncIterator[Place]:
    """A node and a venue of their own; the node gives way, as in the demo."""
    port, node_port = free_port(), free_port()
    python = (sys.executable, "-m")
    node = await start(
        "node",
        ("nice", "-n", "10", *python, "services.venue.node", "--port", str(node_port), "--block-ms", str(block_ms)),
        folder / "node.log",
    )
    venue: Child | None = None
    try:
        await _answers(node, f"http://127.0.0.1:{node_port}/")
        command = (*python, "services.venue", "--port", str(port), "--node", f"http://127.0.0.1:{node_port}", *options)
        venue = await start("venue", command, folder / "venue.log")
        await _answers(venue, f"http://127.0.0.1:{port}/admin/health")
        async with Line(port) as line:
            markets = json.loads(await line.ask("GET", "/admin/markets"))["markets"]
        yield Place(port, venue, node, tuple(tuple(market["tokens"]) for market in markets))
    finally:
        for child in (venue, node):
            if child:
                await child.stop()


async def round_trip(place: Place, count: int) -> dict[str, Any]:
    """One order after the other on one connection, each matched: from the first byte out to the last byte in."""
    signer, took = Signer(1), list[float]()
    async with Line(place.port) as line:
        await signer.join(line, 1_000_000)
        for body in purchases(place, signer, count + 20):
            began = time.perf_counter()
            require_matched(await signer.send(line, "POST", "/order", body))
            took.append((time.perf_counter() - began) * 1_000)
    return {"orders": count} | quantiles(took[20:])


async def matched(place: Place, count: int) -> dict[str, Any]:
    """So many orders on a few connections, each matched; settlement follows at the chain's own pace."""
    signers = [Signer(10 + number) for number in range(LINES)]
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(Line(place.port)) for _ in signers]
        for signer, line in zip(signers, lines, strict=True):
            await signer.join(line, 1_000_000)
        before = await settled(lines[0])
        bodies = [purchases(place, signer, count // LINES) for signer in signers]
        began = time.perf_counter()
        await asyncio.gather(*map(_send_all, signers, lines, bodies))
        took = time.perf_counter() - began
        done = await until_settled(lines[0], before + count)
        settling = time.perf_counter() - began
    return {
        "orders": count,
        "per_second": round(count / took),
        "settled": done - before,
        "settled_per_second": round((done - before) / settling),
    }


async def frames(place: Place) -> dict[str, Any]:
    """Orders that rest and go, and how many frames of them all listeners together are sent in a second."""
    signer, heard = Signer(2), [0]
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(Line(place.port))
        await signer.join(line, 1_000_000)
        listeners = [asyncio.create_task(listen(place, heard)) for _ in range(SUBSCRIBERS)]
        await asyncio.sleep(1.0)
        orders = [signer.order(place.tokens[number % 4][0], SHARES, FAR_MICROS * 2, "GTC") for number in range(2_000)]
        began, before, sent = time.perf_counter(), heard[0], 0
        for start_ in range(0, len(orders), 15):
            some = orders[start_ : start_ + 15]
            await signer.send(line, "POST", "/orders", b"[" + b",".join(body for body, _ in some) + b"]")
            await signer.send(line, "DELETE", "/orders", json.dumps([name for _, name in some]).encode())
            sent += len(some)
            if time.perf_counter() - began > FRAMES_S:
                break
        await asyncio.sleep(0.2)
        took = time.perf_counter() - began
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    return {
        "listeners": SUBSCRIBERS,
        "orders": sent,
        "frames": heard[0] - before,
        "per_second": round((heard[0] - before) / took),
    }


async def _send_all(signer: Signer, line: Line, bodies: Sequence[bytes]) -> None:
    for body in bodies:
        require_matched(await signer.send(line, "POST", "/order", body))


def require_matched(answer: dict[str, Any]) -> None:
    """Raises for any other answer."""
    if answer["status"] != "matched":
        raise RuntimeError(f"an order that was to be matched: {answer}")


async def listen(place: Place, heard: list[int]) -> None:
    """Count the frames of the market channel until cancelled."""
    tokens = [token for pair in place.tokens for token in pair]
    async with websockets.connect(f"ws://127.0.0.1:{place.port}/ws/market", compression=None, max_size=None) as socket:
        await socket.send(json.dumps({"assets_ids": tokens, "type": "market"}))
        async for _ in socket:
            heard[0] += 1


def purchases(place: Place, signer: Signer, count: int, first: int = 0) -> list[bytes]:
    """Marketable orders over both outcomes of the three markets with plain ticks, the one after the other."""
    tokens = [token for market in (0, 1, 3) for token in place.tokens[market]]
    return [
        signer.order(tokens[number % len(tokens)], SHARES, 900_000, "FAK")[0] for number in range(first, first + count)
    ]


async def until_settled(line: Line, wanted: int) -> int:
    """How many trades have reached the chain once it is that many, or time is over."""
    for _ in range(int(SETTLED_S / LOOK_S)):
        if await settled(line) >= wanted:
            break
        await asyncio.sleep(LOOK_S)
    return await settled(line)


async def settled(line: Line) -> int:
    """Trades that have reached the chain since the start."""
    return json.loads(await line.ask("GET", "/admin/health"))["mined"]


def resident(place: Place) -> dict[str, float]:
    """What both processes hold, in MiB."""
    return {"venue": _mib(place.venue.pid), "node": _mib(place.node.pid)}


def _mib(pid: int) -> float:
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return round(int(found[1]) / 1024, 1) if found else 0.0


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """In the unit of the values."""
    ordered = sorted(values)
    at = {
        name: ordered[min(int(len(ordered) * part), len(ordered) - 1)]
        for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }
    return {name: round(value, 2) for name, value in at.items()} | {"max": round(ordered[-1], 2)}


async def _answers(child: Child, url: str) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        child.check()
        if await asyncio.to_thread(_is_up, url):
            return
        await asyncio.sleep(0.1)
    raise child.silent(READY_S)


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
