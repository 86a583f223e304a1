"""Work that is done again and again until its task is cancelled; a turn that fails is logged and the next one comes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from services.common.ports.clock import Clock

log = structlog.get_logger()


async def forever(name: str, turn: Callable[[], Awaitable[object]], every: timedelta, clock: Clock) -> None:
    """Take a turn, wait `every`, and so on."""
    while True:
        await one_turn(name, turn)
        await clock.sleep(every)


async def one_turn(name: str, turn: Callable[[], Awaitable[object]]) -> bool:
    """Take one turn; whatever it raises is logged by its type and text. True when it raised nothing."""
    try:
        await turn()
    except Exception as error:  # noqa: BLE001  a loop's outermost turn
        log.warning("turn_failed", loop=name, error=type(error).__name__, text=str(error)[:300])
        return False
    return True


async def until_done(
    name: str, turn: Callable[[], Awaitable[object]], every: timedelta, clock: Clock, stop: asyncio.Event
) -> None:
    """Take turns until one succeeds or `stop` is set: what a service needs may come later than the service."""
    while not stop.is_set() and not await one_turn(name, turn):
        await clock.sleep(every)
