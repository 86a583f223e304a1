"""`polycopy up`: the mesh until Ctrl-C, paper trading against the local venue."""

import asyncio

from rich.console import Console

from services.cli.folder import held
from services.cli.progress import Progress
from services.cli.stack import Options, Stack

LOOK_S = 1.0
NO_SCRIPT = "none"


async def up(options: Options, script: str, console: Console) -> None:
    """Run until cancelled, or a part ends by itself. Raises `CannotRun`; whatever happens, nothing is left running."""
    with held(options.folder), Progress(console) as progress:
        options.tell = progress.done
        stack = Stack(options)
        try:
            await stack.start()
            if script != NO_SCRIPT:
                await stack.admin.run_script(script)
            for line in _where(stack):
                console.print(line, highlight=False, soft_wrap=True)
            progress.now("Ctrl-C stops everything")
            while True:
                stack.check()
                await asyncio.sleep(LOOK_S)
        finally:
            progress.now("stopping; Ctrl-C again ends everything at once")
            await stack.stop()


def _where(stack: Stack) -> list[str]:
    addresses, wallet = stack.addresses, stack.wallets[0]
    return [
        f"REST and WebSocket  {addresses.api_url}  ({addresses.api_url}/api/docs)",
        f"gRPC                monitor {addresses.target('monitor')}, engine {addresses.target('engine')}, "
        f"reconciler {addresses.target('reconciler')}, gateway {addresses.target('gateway')}, "
        f"signer {addresses.target('signer')} (mTLS)",
        f"venue               {addresses.venue_url}, chain {addresses.node_url}",
        f"MongoDB             {stack.mongodb_uri}",
        f"paper wallet        {wallet.address}, an admin; its key: {wallet.key_file}",
        f"logs                {stack.options.folder}",
    ]
