"""`python -m services.venue.tape`: makes tapes of recordings, and says what is wrong with one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from services.venue.tape.convert import NothingFound, convert
from services.venue.tape.format import BadTape, read_tape, write_line

app = typer.Typer(no_args_is_help=True, add_completion=False)

EXIT_BAD = 2


@app.command("convert")
def convert_command(
    recordings: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="JSON files, gzipped or not.")],
    out: Annotated[Path, typer.Option(help="The tape to write.")],
) -> None:
    """Make one tape of recordings: Data API rows (both versions), RTDS frames, books and frames of the market channel."""
    try:
        lines = convert(recordings)
    except (NothingFound, ValueError, OSError) as error:
        _end(str(error))
    out.write_bytes(b"".join(map(write_line, lines)))
    kinds = [line.kind for line in lines]
    _say(f"{out}: {kinds.count('market')} markets, {kinds.count('book')} books, {kinds.count('trade')} trades")


@app.command()
def check(tape: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The tape to read.")]) -> None:
    """Read a tape, and name line and field of whatever is wrong with it."""
    try:
        found = read_tape(tape)
    except BadTape as error:
        _end("\n".join(error.problems))
    lasts_s = (found.entries[-1].at_ms - found.entries[0].at_ms) / 1_000
    _say(
        f"{tape}: {len(found.markets)} markets, {len(found.entries)} entries over {lasts_s:.0f} s, {len(found.wallets)} wallets"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _end(text: str) -> NoReturn:
    sys.stderr.write(text + "\n")
    raise typer.Exit(EXIT_BAD)


if __name__ == "__main__":
    app()
