"""How a service's process begins and ends: signals become one event, and the last handler is here."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog
import uvloop

log = structlog.get_logger()


def run(service: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `service(stop)` until it returns; SIGTERM and SIGINT set `stop`. Exits 1 when it raises."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_stopped(service))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:
        log.exception("service_died")
        sys.exit(1)


async def _until_stopped(service: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await service(stop)
