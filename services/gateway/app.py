"""Where the gateway's real parts meet."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib.metadata import version
from urllib.parse import urlsplit

import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc import aio
from polycopy.gateway.v1 import auth_pb2_grpc

from services.common import telemetry
from services.common.assembly import COMMON, endpoints_of, keys_of, mesh_of, stores_of, verifier_of
from services.common.clock import SystemClock
from services.common.limits import RedisQuota
from services.common.loop import forever, until_done
from services.common.mesh import tls_of
from services.common.rpc.access import Quota
from services.common.rpc.caller import Identity
from services.common.rpc.server import Server, serve
from services.common.settings import addresses, load
from services.common.store.client import MongoStores
from services.common.tokens import Keys
from services.gateway.api import Parts, application
from services.gateway.contract import AUTH, ENGINE, MONITOR, RECONCILER
from services.gateway.health import Readiness, serving
from services.gateway.http_server import HttpServer
from services.gateway.login import Login
from services.gateway.pages import Pages
from services.gateway.servicer import AuthServicer
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.upstream import Upstreams

CHECK = timedelta(milliseconds=500)

log = structlog.get_logger()


async def main(stop: asyncio.Event) -> None:
    """Run the gateway until `stop`."""
    settings = load(GatewaySettings, *COMMON)
    telemetry.configure("gateway", settings.log_level)
    telemetry.serve_metrics(settings.metrics_port)
    await run(settings, stop)


async def run(settings: GatewaySettings, stop: asyncio.Event, started: "asyncio.Future[int] | None" = None) -> None:
    """Run with these settings until `stop`; `started` receives the HTTP port. What is away is waited for while this answers."""
    clock, keys = SystemClock(), keys_of(settings)
    async with AsyncExitStack() as open_parts:
        stores = stores_of(settings, "gateway")
        open_parts.push_async_callback(stores.close)
        verifier = verifier_of(keys, stores, clock)
        quota = RedisQuota(settings.redis_url.get_secret_value())
        login = _login(settings, stores, keys, clock)
        identity = Identity(verifier, settings.mesh_secret.get_secret_value())
        server = await _auth_server(settings, login, identity, quota)
        open_parts.push_async_callback(server.stop)
        channels = _channels(settings, server.port)
        for channel in channels.values():
            open_parts.push_async_callback(channel.close)
        upstreams = {name: serving(channels[service], service) for name, service in _watched().items()}
        readiness = Readiness({"store": stores.ping, "limiter": quota.ping, **upstreams})
        sessions = Sessions(verifier, clock, settings.sockets_per_user)
        pages = Pages(readiness, keys, version("polycopy"), documented=settings.enable_api_docs)
        app = application(Parts(Upstreams(channels), sessions, pages, settings.origins))
        http = HttpServer(app, settings.api_host, settings.api_port, settings.trusted_proxies)
        open_parts.push_async_callback(http.stop)
        open_parts.callback(sessions.stopping.set)
        http.start()
        if started is not None:
            started.set_result(http.port)
        log.info("gateway_listening", http=http.port, grpc=server.port)
        work = [
            asyncio.create_task(forever("health", readiness.check, CHECK, clock)),
            asyncio.create_task(until_done("prepare", stores.prepare, CHECK, clock, stop)),
        ]
        await stop.wait()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


def _watched() -> dict[str, str]:
    return {"monitor": MONITOR.full_name, "engine": ENGINE.full_name, "reconciler": RECONCILER.full_name}


def _login(settings: GatewaySettings, stores: MongoStores, keys: Keys, clock: SystemClock) -> Login:
    return Login(
        stores,
        keys,
        clock,
        admins=frozenset(addresses(settings.admin_addresses)),
        domain=urlsplit(settings.url).netloc,
        uri=settings.url,
        chain_id=endpoints_of(settings).chain_id,
    )


def _channels(settings: GatewaySettings, own_port: int) -> dict[str, aio.Channel]:
    mesh = mesh_of(settings, "gateway")
    targets: list[tuple[ServiceDescriptor, str]] = [
        (AUTH, settings.gateway_target or f"127.0.0.1:{own_port}"),
        (MONITOR, settings.monitor_target),
        (ENGINE, settings.engine_target),
        (RECONCILER, settings.reconciler_target),
    ]
    return {service.full_name: mesh.channel(target, [service.full_name]) for service, target in targets}


async def _auth_server(settings: GatewaySettings, login: Login, identity: Identity, quota: Quota) -> Server:
    def register(server: aio.Server, stopping: asyncio.Event) -> None:
        auth_pb2_grpc.add_AuthServiceServicer_to_server(AuthServicer(login), server)

    return await serve(settings.gateway_listen, [AUTH.full_name], register, identity, quota=quota, tls=tls_of(settings))
