"""How a command ends: with its result, or with one line that says what a person must know, and an exit code."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import typer

from services.cli.failure import CannotRun
from services.cli.interrupt import Interrupted, interruptible
from services.cli.progress import console as console_of
from services.common.ports.stores import StoreUnavailable

T = TypeVar("T")

EXIT_CANNOT = 2

console = console_of(stderr=True)


def run(work: Coroutine[Any, Any, T], interrupted: int | None = None) -> T:
    """Do the work; what a person must know is one line and exit 2. `interrupted` is the exit code after a signal, where that is a good end."""
    try:
        return asyncio.run(interruptible(work))
    except CannotRun as error:
        cannot(str(error))
    except StoreUnavailable as error:
        cannot(f"the database does not answer: {error}")
    except Interrupted as error:
        raise typer.Exit(128 + error.which if interrupted is None else interrupted) from None


def cannot(text: str) -> NoReturn:
    """Say it and end."""
    console.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(EXIT_CANNOT)
