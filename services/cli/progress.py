"""What a command says while it works: a live line on a terminal, plain lines elsewhere."""

import time

from rich.console import Console
from rich.status import Status

PIPED_WIDTH = 200


def console(*, stderr: bool = False) -> Console:
    """A console whose tables get what they need where no terminal sets a width."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=PIPED_WIDTH)


class Progress:
    """Steps that are done, and what is being done now."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._status: Status | None = console.status("starting") if console.is_terminal else None
        self._last = ""

    def __enter__(self) -> "Progress":
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def done(self, what: str) -> None:
        """A step is done."""
        self._console.print(f"[dim]{self.elapsed_s:6.1f} s[/dim]  {what}", highlight=False, soft_wrap=True)

    def now(self, what: str) -> None:
        """What is being done; where there is no live line, only what is new is said."""
        if self._status:
            self._status.update(what)
        elif what != self._last:
            self.done(what)
        self._last = what
