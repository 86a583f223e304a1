"""The HTTP server of the venue and of its chain, each a process of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn


class Server(uvicorn.Server):
    """Signals end it. uvicorn would raise them again once it has shut down, and what was asked to stop has not failed."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for wanted in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(wanted, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True
