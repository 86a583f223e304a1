"""`python -m services.venue.node`: the local Polygon as a process."""

from __future__ import annotations

import logging
import socket
import sys
import time
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvicorn
from structlog.typing import Processor

from services.venue.faults.file import BadFile, read_file
from services.venue.node import genesis
from services.venue.node.depth import KEPT_FOR_REORGS
from services.venue.node.evm import KEPT_BLOCKS, KEPT_TRANSACTIONS, Chain, Retention
from services.venue.node.faults import CHANNELS, FAMILIES, RpcFaults
from services.venue.node.miner import Miner
from services.venue.node.server import application
from services.venue.serving import Server

log = structlog.get_logger(__name__)


class _Server(Server):
    """One that says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        log.info("node listening", host=self.config.host, port=self.config.port)


def main(
    port: Annotated[int, typer.Option(help="Port for HTTP and WebSocket.")] = 8901,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    block_ms: Annotated[
        int, typer.Option(min=0, help="A block every so often, even when idle; 0: only evm_mine.")
    ] = 2000,
    finality: Annotated[int, typer.Option(min=0, help="How many blocks `finalized` lies behind `latest`.")] = 2,
    faults: Annotated[
        Path | None,
        typer.Option(help="A TOML file of [[fault]] tables; those of the chain and its sockets strike from the start."),
    ] = None,
    keep_blocks: Annotated[
        int, typer.Option(min=KEPT_FOR_REORGS, help="Blocks to keep with their states; older ones are forgotten.")
    ] = KEPT_BLOCKS,
    keep_transactions: Annotated[
        int, typer.Option(min=1, help="Transactions to keep in them, at the least those of the newest 64 blocks.")
    ] = KEPT_TRANSACTIONS,
    start_at: Annotated[int, typer.Option(min=0, help="The first block's time, in seconds since 1970; 0: now.")] = 0,
    extra_data_bytes: Annotated[int, typer.Option(min=0, help="Length of extraData; Polygon's is 97 and more.")] = 97,
) -> None:
    """Run a local Polygon (chain id 137) with the venue's contracts, over JSON-RPC."""
    logs_to_stderr()
    now = start_at or int(time.time())  # clock: the first block's
    chain = Chain(genesis.accounts(), now, bytes(extra_data_bytes), Retention(keep_blocks, keep_transactions))
    miner = Miner(chain, block_ms)
    miner.clock.set(now)
    app = application(miner, finality, _faults(faults))
    config = uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    log.info("node starting", block_ms=block_ms, finality=finality)
    _Server(config).run()
    log.info("node stopped", blocks=chain.head.number + 1)


def _faults(path: Path | None) -> RpcFaults:
    found = RpcFaults()
    try:
        for fault in read_file(path, FAMILIES, CHANNELS) if path else ():
            found.add(fault)
    except BadFile as error:
        raise typer.BadParameter("\n".join(error.problems), param_hint="--faults") from error
    return found


def logs_to_stderr() -> None:
    """One JSON object per line, on standard error."""
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render = structlog.processors.JSONRenderer()
    structlog.configure(processors=[*shared, render], logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[strip, render]))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


if __name__ == "__main__":
    typer.run(main)
