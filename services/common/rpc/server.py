"""One way to serve: interceptors, health, reflection and channelz on every server, and a drain that leaves nothing hanging."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
from grpc import aio
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.common.rpc.access import HEALTH, INTROSPECTION, Quota
from services.common.rpc.caller import Identity
from services.common.rpc.interceptors import Wrapping, error_status, gate, request_log, timed

MAX_MESSAGE = 1024 * 1024
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Clients reconnect now and then, so that new replicas are found.
    ("grpc.max_connection_age_ms", 30 * 60_000),
)


@dataclass(frozen=True, slots=True)
class Tls:
    """The mesh's authority, and this service's certificate and key, as files."""

    authority: Path
    certificate: Path
    key: Path

    def server(self) -> grpc.ServerCredentials:
        """Credentials that ask every client for its certificate."""
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        return grpc.ssl_server_credentials([pair], self.authority.read_bytes(), require_client_auth=True)

    def client(self) -> grpc.ChannelCredentials:
        """Credentials that show this service's certificate."""
        return grpc.ssl_channel_credentials(
            self.authority.read_bytes(), self.key.read_bytes(), self.certificate.read_bytes()
        )


@dataclass(slots=True)
class Server:
    """A gRPC server of one service. `stopping` is what streaming servicers watch: `stop` waits for open streams."""

    grpc: aio.Server
    services: tuple[str, ...]
    port: int
    health: Any
    stopping: asyncio.Event

    async def set_serving(self, serving: bool) -> None:
        """Say whether this service can do its work now, to health checks by its names and as a whole."""
        state = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in (*self.services, ""):
            await self.health.set(name, state)

    async def leave(self) -> None:
        """Say NOT_SERVING from now on, whatever else is said, while what is in flight is finished."""
        await self.health.enter_graceful_shutdown()

    async def stop(self, grace_s: float = 10.0) -> None:
        """Drain: NOT_SERVING first, then end the streams, then wait for calls under way."""
        await self.leave()
        self.stopping.set()
        await self.grpc.stop(grace_s)


async def serve(
    listen: str,
    services: Sequence[str],
    register: Callable[[aio.Server, asyncio.Event], None],
    identity: Identity,
    *,
    quota: Quota | None = None,
    tls: Tls | None = None,
) -> Server:
    """Start serving `services` (full names) on `listen` (`host:port`, port 0 takes a free one). Raises OSError when it is taken.

    `register` adds their servicers, which end their streams when the event they are given is set.
    """
    around = (request_log, error_status, gate(identity, quota), timed)
    server = aio.server(interceptors=[Wrapping(one) for one in around], options=OPTIONS)
    stopping = asyncio.Event()
    register(server, stopping)
    checks = _introspection(server)
    reflection.enable_server_reflection((*services, HEALTH, *INTROSPECTION), server)
    try:
        port = server.add_secure_port(listen, tls.server()) if tls else server.add_insecure_port(listen)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {listen}") from error
    await server.start()
    running = Server(server, tuple(services), port, checks, stopping)
    await running.set_serving(True)
    return running


def _introspection(server: aio.Server) -> Any:
    # These packages carry no types.
    health_module, health_grpc, channelz_module = (
        cast(Any, grpc_health),
        cast(Any, health_pb2_grpc),
        cast(Any, channelz),
    )
    checks = health_module.aio.HealthServicer()
    health_grpc.add_HealthServicer_to_server(checks, server)
    channelz_module.add_channelz_servicer(server)
    return checks
