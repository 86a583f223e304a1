"""`polycopy demo`: the whole mesh on this machine copies scripted leaders, and proves its books against the venue's own log."""

import asyncio
import json
import shutil
from collections import Counter
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from grpc import aio
from polycopy.reconciler.v1 import reconciler_pb2 as pb
from polycopy.reconciler.v1 import reconciler_pb2_grpc
from rich.console import Console
from rich.table import Table

from services.cli import books as stored
from services.cli import proof, venue_log
from services.cli.books import Books
from services.cli.failure import CannotRun
from services.cli.folder import DATABASE, held
from services.cli.progress import Progress
from services.cli.stack import SERVICES, Options, Stack
from services.cli.summary import ok, summary
from services.cli.venue_log import VenueLog
from services.common.domain.copy import CopyKind
from services.common.ports.stores import Stores

LOOK_S = 0.5
SCRIPT_S = 120.0
SETTLING_S = 60.0
COMPARING_S = 30.0
SCRIPT = "demo"


async def demo(options: Options, trades: int, console: Console, *, keep: bool) -> dict[str, Any]:
    """Run it with at least so many leader trades; the summary of interfaces.md, what the services weigh (MiB, at most) and the seconds it took.

    Raises `CannotRun`; whatever happens, nothing is left running.
    """
    folder = options.folder
    with held(folder), Progress(console) as progress:
        options.tell = progress.done
        stack = Stack(options)
        try:
            await stack.start()
            ready_s = progress.elapsed_s
            progress.done("the mesh is ready; three leaders begin to trade")
            async with stored.opened(stack.mongodb_uri, stack.database) as stores:
                await _trade(stack, stores, trades, progress)
                books = await _settle(stack, stores, progress)
            log = await _log(stack)
            weights = {name: stack.children[name].peak_mib() for name in SERVICES}
        finally:
            await stack.stop()
        if not keep:
            shutil.rmtree(folder / DATABASE, ignore_errors=True)
        found = summary(books, log, seed=options.seed, version=version("polycopy"), config_hash=stack.config_hash)
        seconds = {"ready_s": round(ready_s, 1), "seconds": round(progress.elapsed_s, 1)}
        return found | {"rss_mib": weights} | seconds


async def _trade(stack: Stack, stores: Stores, trades: int, progress: Progress) -> None:
    """Play the script until the leaders have traded that often; it plays whole each time."""
    before, traded = -1, 0
    while traded < trades:
        if traded == before:
            raise CannotRun(f"the leaders stopped trading after {traded} trades: {await stack.admin.script()}")
        await _play(stack, stores, progress)
        before, traded = traded, len((await _log(stack)).leader_fills)


async def _play(stack: Stack, stores: Stores, progress: Progress) -> None:
    await stack.admin.run_script(SCRIPT)
    try:
        async with asyncio.timeout(SCRIPT_S):
            while (await stack.admin.script())["state"] != "done":
                stack.check()
                progress.now(_line(await _states(stores)))
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise CannotRun(f"the leaders did not finish within {SCRIPT_S:.0f} s: {await stack.admin.script()}") from None


async def _settle(stack: Stack, stores: Stores, progress: Progress) -> Books:
    """Wait until nothing is under way, then compare once more with everything settled. What is still open after a while is told by the summary."""
    progress.done("the leaders have finished; their last trades settle")
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLING_S):
            while not await _at_rest(stack, stores, progress):
                stack.check()
                await asyncio.sleep(LOOK_S)
    await _compare(stack)
    return await stored.read(stores)


async def _at_rest(stack: Stack, stores: Stores, progress: Progress) -> bool:
    books = await stored.read(stores)
    progress.now(_line(Counter(str(copy.state) for copy in books.trades)))
    return books.settled and not proof.unseen(books, await _log(stack))


async def _log(stack: Stack) -> VenueLog:
    return venue_log.read(await stack.admin.journal(), [wallet.address for wallet in stack.wallets])


async def _compare(stack: Stack) -> None:
    async with aio.insecure_channel(stack.addresses.target("reconciler")) as channel:
        stub = reconciler_pb2_grpc.ReconcilerServiceStub(channel)
        try:
            await stub.RunReconciliation(pb.RunReconciliationRequest(), timeout=COMPARING_S)
        except aio.AioRpcError as error:
            raise CannotRun(f"the reconciler could not compare: {error.code().name} {error.details()}") from error


async def _states(stores: Stores) -> Counter[str]:
    # Counted by the database: reading every copy twice a second would take the processor from what is measured.
    states: Counter[str] = Counter()
    accounts = [account.account_id for account in await stores.accounts.all()]
    for (kind, state, _), count in (await stores.copies.counts(accounts)).items():
        states[str(state)] += count if kind is not CopyKind.EXIT else 0
    return +states


def _line(states: Counter[str]) -> str:
    named = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{states.total()} leader trades seen: {named}" if named else "waiting for the first trade"


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
    for name, mib in found["rss_mib"].items():
        table.add_row(f"{name}, MiB at most", str(mib))
    console.print(table)
    for problem in found["problems"]:
        console.print("off:", problem, style="red", highlight=False, markup=False, soft_wrap=True)
    console.print("[green]every figure agrees with the venue's log[/green]" if ok(found) else "[red]not proven[/red]")


def write(found: dict[str, Any], path: Path) -> None:
    """The summary as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")
