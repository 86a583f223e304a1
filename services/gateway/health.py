"""Whether the gateway can do its work, and what is away when it cannot."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import structlog
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.health import AWAY
from services.common.ports.stores import StoreUnavailable
from services.common.rpc.errors import Away

PATIENCE_S = 3.0

Ask = Callable[[], Awaitable[object]]

log = structlog.get_logger()


class NotServing(Exception):
    """The service answers, and says that it cannot work now."""


class Readiness:
    """The last look at everything that the gateway needs, each by name. Whoever asks gets that look and starts none."""

    def __init__(self, needs: Mapping[str, Ask]) -> None:
        self._needs = needs
        self._well: Mapping[str, bool] = dict.fromkeys(needs, False)

    @property
    def dependencies(self) -> Mapping[str, str]:
        """`up` or `away` by name."""
        return {name: "up" if well else "away" for name, well in self._well.items()}

    @property
    def away(self) -> tuple[str, ...]:
        """The names of what is away."""
        return tuple(sorted(name for name, well in self._well.items() if not well))

    async def check(self) -> None:
        """One look."""
        answers = await asyncio.gather(*(_answers(ask) for ask in self._needs.values()))
        before, self._well = self.away, dict(zip(self._needs, answers, strict=True))
        for name, well in self._well.items():
            AWAY.labels(name).set(not well)
        if self.away != before:
            log.warning("dependencies_away", names=self.away)


def serving(channel: aio.Channel, service: str) -> Ask:
    """Asks a service whether it is serving. Raises `NotServing`, or the call's error."""
    stub = cast(Any, health_pb2_grpc).HealthStub(channel)  # no types of its own

    async def ask() -> None:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise NotServing(service)

    return ask


async def _answers(ask: Ask) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ask()
    except (StoreUnavailable, Away, NotServing, aio.AioRpcError, TimeoutError):
        return False
    return True
