"""`polycopy audit`: the audit trail written into a file that anybody can verify, and verified."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import typer

from services.cli import audit_verify
from services.cli.books import opened
from services.cli.outcome import cannot, run
from services.cli.progress import console as console_of
from services.common.audit.key import AuditKey
from services.common.audit.spelling import line, write_checkpoint, write_trail
from services.common.ports.stores import Stores

audit = typer.Typer(name="audit", help="The audit trail.", no_args_is_help=True)

Export = Annotated[Path, typer.Option("--export", help="The file of the export.")]
Outside = Annotated[
    Path | None,
    typer.Option("--checkpoints", envvar="AUDIT_FILE", help="The file of checkpoints outside of the database."),
]
Uri = Annotated[str, typer.Option(envvar="MONGODB_URI", help="The database.")]
Database = Annotated[str, typer.Option(envvar="MONGODB_DATABASE", help="Its name.")]


@audit.command("export")
def export_(
    file: Annotated[Path, typer.Argument(help="Where it goes, as JSON lines.")],
    checkpoints: Outside = None,
    mongodb_uri: Uri = "mongodb://127.0.0.1:27117/?replicaSet=rs0",
    database: Database = "polycopy",
) -> None:
    """Write every trail with its document, and the checkpoints over them."""
    trails = run(_export(file, checkpoints, mongodb_uri, database))
    console_of().print(f"{trails} trails in {file}", highlight=False)


@audit.command("verify")
def verify(
    export: Export,
    key: Annotated[Path, typer.Option(help="The public key that checkpoints were signed with (PEM).")],
    checkpoints: Outside = None,
    known: Annotated[str, typer.Option("--from", help="SIZE:ROOT, a checkpoint that you have kept.")] = "",
    proof: Annotated[str, typer.Option(help="Print the proof that this trail's last entry is in the tree.")] = "",
) -> None:
    """Verify an export, offline. Exits 1 where something does not hold, and names it."""
    optional = {"--checkpoints": str(checkpoints or ""), "--from": known, "--proof": proof}
    given = [part for name, value in optional.items() if value for part in (name, value)]
    raise typer.Exit(audit_verify.main([str(export), "--key", str(key), *given]))


@audit.command("key")
def key_(
    file: Annotated[Path, typer.Argument(help="The private key; its public half goes beside it as .pub.")],
) -> None:
    """Make the key that checkpoints are signed with."""
    try:
        AuditKey.made(file)
    except OSError as error:
        cannot(f"{file}: {error.strerror}")
    console_of().print(f"{file} signs, {file.with_suffix('.pub')} verifies", highlight=False)


async def _export(file: Path, checkpoints: Path | None, uri: str, database: str) -> int:
    async with opened(uri, database) as stores:
        with file.open("w", encoding="utf-8") as out:
            out.write(line({"type": "export", "format": 1}))
            for text in _outside(checkpoints) if checkpoints else [one async for one in _inside(stores)]:
                out.write(text)
            count = 0
            async for told in stores.audit.trails():
                out.write(line(write_trail(told.trail, told.content, told.entries, told.attached)))
                count += 1
            out.write(line({"type": "end", "trails": count}))
    return count


def _outside(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8") as lines:
            yield from lines
    except OSError as error:
        cannot(f"{file}: {error.strerror}")


async def _inside(stores: Stores) -> AsyncIterator[str]:
    async for checkpoint in stores.audit.after(-1):
        yield line(write_checkpoint(checkpoint))
