"""`polycopy demo`: the whole mesh on this machine copies scripted leaders, and proves its books against the venue's own log."""

import asyncio
import json
import shutil
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from grpc import aio
from polycopy.reconciler.v1 import reconciler_pb2 as pb
from polycopy.reconciler.v1 import reconciler_pb2_grpc
from rich.console import Console
from rich.table import Table

from services.cli import books as stored
from services.cli import venue_log
from services.cli.addresses import Addresses
from services.cli.progress import Progress
from services.cli.stack import Options, Stack
from services.cli.summary import Books, ok, settled, summary
from services.common.ports.stores import Stores

LOOK_S = 0.5
SCRIPT_S = 120.0
SETTLING_S = 60.0
SCRIPT = "demo"


async def demo(folder: Path, seed: int, console: Console, *, keep: bool) -> dict[str, Any]:
    """Run it; the summary of interfaces.md. Raises `ChildDied`, `NoServer` or TimeoutError."""
    shutil.rmtree(folder, ignore_errors=True)
    with Progress(console) as progress:
        stack = Stack(Options(folder, Addresses.free(), seed=seed, tell=lambda name: progress.done(f"{name} is up")))
        try:
            await stack.start()
            ready_s = progress.elapsed_s
            progress.done("the mesh is ready; three leaders begin to trade")
            async with stored.opened(stack.mongodb_uri) as stores:
                await _trade(stack, stores, progress)
                books = await _settle(stack, stores, progress)
            log = venue_log.read(await stack.admin.journal(), [wallet.address for wallet in stack.wallets])
        finally:
            await stack.stop()
    found = summary(books, log, seed=seed, version=version("polycopy"), config_hash="")
    if not keep:
        shutil.rmtree(folder / "mongod", ignore_errors=True)
    return found | {"ready_s": round(ready_s, 1), "seconds": round(progress.elapsed_s, 1)}


async def _trade(stack: Stack, stores: Stores, progress: Progress) -> None:
    await stack.admin.run_script(SCRIPT)
    async with asyncio.timeout(SCRIPT_S):
        while (await stack.admin.script())["state"] != "done":
            stack.check()
            progress.now(_line(await stored.read(stores)))
            await asyncio.sleep(LOOK_S)


async def _settle(stack: Stack, stores: Stores, progress: Progress) -> Books:
    """Wait until nothing is under way, then compare once more with everything settled."""
    progress.done("the leaders have finished; their last trades settle")
    began = asyncio.get_running_loop().time()
    fills = len(venue_log.read(await stack.admin.journal(), ()).leader_fills)
    books = await stored.read(stores)
    while not (settled(books) and len(books.trades) >= fills):
        if asyncio.get_running_loop().time() - began > SETTLING_S:
            break
        stack.check()
        progress.now(_line(books))
        await asyncio.sleep(LOOK_S)
        books = await stored.read(stores)
    await _compare(stack)
    return await stored.read(stores)


async def _compare(stack: Stack) -> None:
    async with aio.insecure_channel(stack.addresses.target("reconciler")) as channel:
        stub = reconciler_pb2_grpc.ReconcilerServiceStub(channel)
        await stub.RunReconciliation(pb.RunReconciliationRequest(), timeout=30)


def _line(books: Books) -> str:
    states = Counter(str(copy.state) for copy in books.trades)
    named = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{len(books.trades)} leader trades seen: {named}" if named else "waiting for the first trade"


def show(found: dict[str, Any], console: Console) -> None:
    """The closing table, and what is off."""
    table = Table(title="polycopy demo", show_header=False)
    for name in (
        "leader_trades",
        "detected",
        "executed",
        "reconciled",
        "failed",
        "open",
        "duplicates",
        "lost",
        "discrepancies",
    ):
        table.add_row(name.replace("_", " "), str(found[name]))
    for reason, count in found["skipped"].items():
        table.add_row(f"skipped: {reason}", str(count))
    for name in ("orders_sent", "venue_orders", "notional_usdc", "fees_usdc", "pnl_usdc", "ready_s", "seconds"):
        table.add_row(name.replace("_", " "), str(found[name]))
    for name, cuts in found["latency_ms"].items():
        table.add_row(f"{name.replace('_', ' ')}, ms", "  ".join(f"{cut} {value}" for cut, value in cuts.items()))
    console.print(table)
    for problem in found["problems"]:
        console.print(f"[red]off:[/red] {problem}", highlight=False)
    console.print("[green]every figure agrees with the venue's log[/green]" if ok(found) else "[red]not proven[/red]")


def write(found: dict[str, Any], path: Path) -> None:
    """The summary as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")
