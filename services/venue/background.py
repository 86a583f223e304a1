"""What runs for as long as the venue does, and what is said when a part of it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

ENDED = "background work has ended"

log = structlog.get_logger(__name__)


class Background:
    """Tasks by name. One that ends before `close`, by an error or by itself, is logged once; `ended` has its name from then on."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._closing = False

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._look)
        self._tasks.append(task)

    def close_soon(self) -> None:
        """What ends from now on was told to."""
        self._closing = True

    async def close(self) -> None:
        self.close_soon()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _look(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if self._closing and error is None:
            return
        self.ended.append(task.get_name())
        log.error(ENDED, work=task.get_name(), exc_info=error)


def watched(task: asyncio.Task[Any], name: str) -> asyncio.Task[Any]:
    """The task, which may end when it is done; an error that ends it is logged at once, whoever waits for it or not."""

    def look(ended: asyncio.Task[Any]) -> None:
        error = None if ended.cancelled() else ended.exception()
        if error is not None:
            log.error(ENDED, work=name, exc_info=error)

    task.add_done_callback(look)
    return task
