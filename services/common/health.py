"""Whether a service can do its work now: everything that it needs answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from prometheus_client import Gauge

from services.common.ports.chain import ChainUnavailable
from services.common.ports.signer import SignerAway
from services.common.ports.stores import StoreUnavailable
from services.common.ports.venue import VenueUnavailable
from services.common.rpc.server import Server

PATIENCE_S = 3.0
AWAY = Gauge("polycopy_dependency_away", "1 while something that this service needs is away", ["name"])

log = structlog.get_logger()


Need = Callable[[], Awaitable[object]]
"""Raises while what is needed is away, or `Unsound`."""


class Unsound(Exception):
    """Something answers and is not as it has to be; the text says what it is and what it may be."""


class Health:
    """Tells health checks, the metrics and the log what is away, the log also why. The service stays up, and goes on when it is back."""

    def __init__(self, server: Server, needs: Mapping[str, Need]) -> None:
        self._server = server
        self._needs = needs
        self._away: frozenset[str] = frozenset()

    async def check(self) -> None:
        """One look at everything that is needed."""
        answers = await asyncio.gather(*(_answers(ask()) for ask in self._needs.values()))
        why = {name: said for name, said in zip(self._needs, answers, strict=True) if said is not None}
        away = frozenset(why)
        for name in self._needs:
            AWAY.labels(name).set(name in away)
        if away != self._away:
            log.warning("dependencies_away", names=sorted(away), why=why)
            self._away = away
        await self._server.set_serving(not away)


async def _answers(call: Awaitable[object]) -> str | None:
    """None where all is well, else why it is not."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await call
    except (StoreUnavailable, ChainUnavailable, VenueUnavailable, SignerAway, Unsound, TimeoutError) as error:
        return str(error) or type(error).__name__
    return None
