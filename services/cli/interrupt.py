"""What Ctrl-C and SIGTERM do to a long command: the first ends it in order, the next one at once."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

ENDING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """A signal has ended the command, and everything that it had started."""

    def __init__(self, which: signal.Signals) -> None:
        super().__init__(f"ended by {which.name}")
        self.which = which


async def interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; each signal cancels it once more. Raises `Interrupted` once it has ended because of one."""
    task = asyncio.ensure_future(work)
    received: list[signal.Signals] = []

    def stop(which: signal.Signals) -> None:
        received.append(which)
        task.cancel()

    loop = asyncio.get_running_loop()
    for which in ENDING:
        loop.add_signal_handler(which, stop, which)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            raise Interrupted(received[0]) from None
        raise
    finally:
        for which in ENDING:
            loop.remove_signal_handler(which)
