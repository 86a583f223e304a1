"""`polycopy replay FILE…`: what would have been copied of a recorded history, and why not the rest."""

import asyncio
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.replay.advice import advice
from services.cli.replay.clock import VirtualLoop
from services.cli.replay.drive import play
from services.cli.replay.model import Model
from services.cli.replay.render import as_json, show
from services.cli.replay.report import Report, report
from services.cli.replay.tape import Tape, merged, record
from services.common import telemetry
from services.common.config_file import ConfigError, PolicyFile, read_policy
from services.common.domain.amounts import TICKS_MICROS
from services.common.domain.market import Fee
from services.common.domain.money import InexactAmount, micros
from services.common.polymarket.parse.activity import ActivityRow
from services.common.polymarket.parse.history import EXPECTED, read_history
from services.common.polymarket.parse.payload import UnknownPayload

PAPER_WIDTH = 120
EXIT_NOT_PROVEN = 1
MODEL = "What the recording does not say"

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        show_default=False,
        help="Saved Data API trades or activity: JSON, JSON lines or CSV, gzip or plain.",
    ),
]
PolicyPath = Annotated[
    Path | None,
    typer.Option(help="TOML of ratio or bankroll, caps, limits and cash; examples/replay_policy.toml is one."),
]
JsonPath = Annotated[
    Path | None, typer.Option("--json", help="Write the whole report, every fill of it, here; - for stdout alone.")
]
EveryFill = Annotated[bool, typer.Option("--fills", help="Print a line for every fill.")]
Tick = Annotated[str, typer.Option(help="Price grid of every market.", rich_help_panel=MODEL)]
SpreadTicks = Annotated[int, typer.Option(min=1, max=100, help="Ask less bid, in ticks.", rich_help_panel=MODEL)]
DepthShares = Annotated[int, typer.Option(min=1, help="Shares waiting at each price.", rich_help_panel=MODEL)]
Levels = Annotated[int, typer.Option(min=1, max=100, help="Prices on each side of a book.", rich_help_panel=MODEL)]
DelayMs = Annotated[
    int, typer.Option(min=0, max=3_600_000, help="From the leader's fill to our seeing it.", rich_help_panel=MODEL)
]
SettleMs = Annotated[
    int, typer.Option(min=0, max=3_600_000, help="From a match to its finalized block.", rich_help_panel=MODEL)
]
EndHours = Annotated[
    int, typer.Option(min=0, max=87_600, help="A market ends this long after its last fill.", rich_help_panel=MODEL)
]
FeeBps = Annotated[
    int, typer.Option(min=0, max=10_000, help="Taker's fee rate r in shares × r × p × (1 − p).", rich_help_panel=MODEL)
]
MinShares = Annotated[int, typer.Option(min=0, help="The venue's smallest order.", rich_help_panel=MODEL)]


def replay_command(
    files: Files,
    policy: PolicyPath = None,
    json_out: JsonPath = None,
    fills: EveryFill = False,
    tick: Tick = "0.01",
    spread_ticks: SpreadTicks = 1,
    depth_shares: DepthShares = 5_000,
    levels: Levels = 5,
    delay_ms: DelayMs = 1_000,
    settle_ms: SettleMs = 4_000,
    end_hours: EndHours = 24,
    fee_bps: FeeBps = 0,
    min_shares: MinShares = 5,
) -> None:
    """Play recorded histories through the same guards, engine, exits and books, on a virtual clock and in memory.

    Nothing is sent anywhere. Several files are played together, as one account that follows all their leaders. The report says what
    was copied, bought, sold and paid, which guard refused the rest, and what had to be modelled. Running it twice gives the same
    bytes.

    Exits with 1 where the books do not agree with the venue's log, with 2 for a file that is no history or a policy that cannot be
    used.
    """
    telemetry.configure("replay", "warning")
    model = Model(
        tick_micros=_tick(tick),
        spread_ticks=spread_ticks,
        depth_micros=micros(depth_shares),
        levels=levels,
        delay=timedelta(milliseconds=delay_ms),
        settles_after=timedelta(milliseconds=settle_ms),
        ends_after=timedelta(hours=end_hours),
        fee=Fee(fee_bps * 100),
        min_size_micros=micros(min_shares),
    )
    file = _policy(policy)
    tape = record(merged([_history(path) for path in files]), model)
    if not tape.played:
        _refuse(f"{', '.join(map(str, files))}: no fills in it; {EXPECTED}")
    found = run(tape, file, model)
    said = advice(found, file.policy.policy(), model.min_size_micros)
    if json_out is not None:
        document = as_json(found, [path.name for path in files], file, model, said)
        if str(json_out) == "-":
            sys.stdout.write(document)
        else:
            _write(json_out, document)
    if str(json_out) != "-":
        show(found, _paper(), model, said, fills=fills)
    raise typer.Exit(EXIT_NOT_PROVEN if found.summary["problems"] else 0)


def run(tape: Tape, file: PolicyFile, model: Model) -> Report:
    """Play a tape in a loop of its own."""

    found: list[Report] = []

    async def work(told: Callable[[int], None]) -> None:
        # Not returned: the runner would spell a result out when it takes its signal handler back.
        found.append(await report(await play(tape, file, model, told)))

    with _progress(len(tape.played)) as told, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work(told))
    return found[0]


@contextmanager
def _progress(fills: int) -> Generator[Callable[[int], None]]:
    """A bar on stderr where someone looks at it."""
    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=fills)
        yield lambda number: progress.update(task, completed=number)


def _history(path: Path) -> Sequence[ActivityRow]:
    try:
        return read_history(path.read_bytes())
    except OSError as error:
        _refuse(f"{path}: {error.strerror}; {EXPECTED}")
    except UnknownPayload as error:
        _refuse(f"{path}: {error.reason if EXPECTED in error.reason else f'{error.reason}; {EXPECTED}'}")


def _policy(path: Path | None) -> PolicyFile:
    try:
        return PolicyFile() if path is None else read_policy(path)
    except ConfigError as error:
        _refuse(*(f"--policy {_within(path, problem)}" for problem in error.problems))


def _within(path: Path | None, problem: str) -> str:
    return problem if problem.startswith(f"{path}: ") else f"{path}: {problem}"


def _tick(value: str) -> int:
    try:
        tick = micros(value)
    except InexactAmount:
        tick = 0
    if tick not in TICKS_MICROS:
        _refuse(f"--tick {value}: expected a price grid of the venue, as 0.1, 0.01 or 0.001")
    return tick


def _write(path: Path, document: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document, encoding="utf-8")
    except OSError as error:
        _refuse(f"--json {path}: {error.strerror}")


def _refuse(*problems: str) -> NoReturn:
    for problem in problems:
        typer.echo(problem, err=True)
    raise typer.Exit(2)


def _paper() -> Console:
    # A file or a pipe gets the same lines on every machine.
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PAPER_WIDTH, color_system=None)
