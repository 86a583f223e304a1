"""`python -m services.venue`: the local Polymarket on one port, over a node that is already running."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvicorn

from services.venue.app import CHANNELS, FAULTS, Options, open_venue
from services.venue.clock import Clock, VirtualClock
from services.venue.engine.commits import MOST_WAITING
from services.venue.faults.file import BadFile, read_file
from services.venue.limits import Mode
from services.venue.node.__main__ import logs_to_stderr
from services.venue.serving import Server
from services.venue.tape.format import BadTape, read_tape
from services.venue.traders.runner import SCRIPTS
from services.venue.traders.wallets import LEADERS

log = structlog.get_logger(__name__)


def main(
    port: Annotated[int, typer.Option(help="Port for HTTP and WebSocket.")] = 8900,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    node: Annotated[str, typer.Option(help="JSON-RPC of the node.")] = "http://127.0.0.1:8901",
    journal: Annotated[Path | None, typer.Option(help="Append-only log, JSON lines.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same wallets, markets and scripts.")] = 1,
    history: Annotated[int, typer.Option(min=0, help="Trades that leaders have behind them at the start.")] = 0,
    leaders: Annotated[
        int,
        typer.Option(
            min=LEADERS, help="How many leaders there are; those beyond the first have traded once at the start."
        ),
    ] = LEADERS,
    script: Annotated[str, typer.Option(help=f"Played from the start: none, {', '.join(SCRIPTS)}.")] = "none",
    data_lag_ms: Annotated[int, typer.Option(min=0, help="How late the Data API shows a mined fill.")] = 0,
    limits: Annotated[Mode, typer.Option(help="Whether limits on requests are kept to: off, warn or on.")] = Mode.OFF,
    tape: Annotated[
        Path | None,
        typer.Option(help="Played from the start, beside makers and leaders; docs/tape.md says how it is written."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.001, help="How many times as fast the tape is played as it was recorded.")
    ] = 1.0,
    clock: Annotated[
        str, typer.Option(help="machine, or virtual: time that jumps and runs as /admin/clock says.")
    ] = "machine",
    clock_speed: Annotated[float, typer.Option(min=0, help="How fast virtual time runs at the start.")] = 1.0,
    start_at: Annotated[int, typer.Option(min=0, help="Where virtual time starts, in seconds since 1970; 0: now.")] = 0,
    most_waiting: Annotated[
        int, typer.Option(min=1, help="Matches that may wait for the chain; beyond, a marketable order is refused.")
    ] = MOST_WAITING,
    faults: Annotated[
        Path | None, typer.Option(help="What goes wrong from the start: a TOML file of [[fault]] tables.")
    ] = None,
) -> None:
    """Run a local Polymarket: CLOB, Data API, Gamma, RTDS, market makers and scripted leaders."""
    if script != "none" and script not in SCRIPTS:
        raise typer.BadParameter(f"expected none, {', '.join(SCRIPTS)}", param_hint="--script")
    try:
        wrong = read_file(faults, FAULTS, CHANNELS) if faults else []
    except BadFile as error:
        raise typer.BadParameter("; ".join(error.problems), param_hint="--faults") from error
    try:
        played = read_tape(tape) if tape else None
    except (BadTape, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--tape") from error
    if clock not in ("machine", "virtual"):
        raise typer.BadParameter("expected machine or virtual", param_hint="--clock")
    logs_to_stderr()
    options = Options(
        node, seed, journal, history, leaders, script, data_lag_ms, limits, wrong, played, speed, most_waiting
    )
    asyncio.run(_serve(options, host, port, _clock(clock, clock_speed, start_at)))


def _clock(kind: str, speed: float, start_at: int) -> Clock:
    machine = Clock()
    return VirtualClock(start_at * 1_000 or machine.now_ms(), speed) if kind == "virtual" else machine


async def _serve(options: Options, host: str, port: int, clock: Clock) -> None:
    venue = await open_venue(options, clock)
    config = uvicorn.Config(
        venue.app,
        host=host,
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
        ws_per_message_deflate=False,
        ws_max_size=1024 * 1024,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    async with venue.running():
        await venue.prepare(history=options.history)
        if options.script != "none":
            venue.company.runner.start(options.script)
        log.info("venue listening", host=host, port=port, markets=len(venue.exchange.markets))
        await Server(config).serve()


if __name__ == "__main__":
    typer.run(main)
