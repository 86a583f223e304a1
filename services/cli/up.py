"""`polycopy up`: the mesh until Ctrl-C, paper trading against the local venue."""

import asyncio
import signal
from pathlib import Path

from rich.console import Console

from services.cli.addresses import Addresses
from services.cli.progress import Progress
from services.cli.stack import Options, Stack

LOOK_S = 1.0


async def up(folder: Path, addresses: Addresses, seed: int, script: str, console: Console) -> None:
    """Run until a signal comes, or a part ends by itself. Raises `ChildDied`, `NoServer` or TimeoutError."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    with Progress(console) as progress:
        stack = Stack(Options(folder, addresses, seed=seed, tell=lambda name: progress.done(f"{name} is up")))
        try:
            starting = asyncio.ensure_future(stack.start())
            stopped = asyncio.ensure_future(stop.wait())
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                return
            starting.result()
            if script != "none":
                await stack.admin.run_script(script)
            for line in _where(stack):
                console.print(line, highlight=False, soft_wrap=True)
            progress.now("Ctrl-C stops everything")
            while not stop.is_set():
                stack.check()
                await asyncio.wait({stopped}, timeout=LOOK_S)
        finally:
            progress.now("stopping")
            await stack.stop()


def _where(stack: Stack) -> list[str]:
    addresses, wallet = stack.addresses, stack.wallets[0]
    return [
        f"REST and WebSocket  {addresses.api_url}  ({addresses.api_url}/api/docs)",
        f"gRPC                monitor {addresses.target('monitor')}, engine {addresses.target('engine')}, "
        f"reconciler {addresses.target('reconciler')}, gateway {addresses.target('gateway')}",
        f"venue               {addresses.venue_url}, chain {addresses.node_url}",
        f"MongoDB             {stack.mongodb_uri}",
        f"paper wallet        {wallet.address}, an admin; its key: {wallet.key_file}",
        f"logs                {stack.options.folder}",
    ]
