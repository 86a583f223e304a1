"""Where the engine's real parts meet."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib.metadata import version

import structlog
from grpc import aio
from polycopy.engine.v1 import engine_pb2_grpc

from services.common import telemetry
from services.common.assembly import (
    SIGNED,
    cache_of,
    endpoints_of,
    identity_of,
    instance,
    mesh_of,
    signer_of,
    stores_of,
)
from services.common.chain.web3_chain import Web3Chain
from services.common.chain.witnesses import RpcWitnesses
from services.common.clock import SystemClock
from services.common.health import Health, Need
from services.common.limits import RedisQuota
from services.common.loop import forever, until_done
from services.common.mesh import tls_of
from services.common.polymarket.clob import ClobRest
from services.common.polymarket.environment import Endpoints
from services.common.polymarket.markets import GammaMarkets
from services.common.polymarket.user_feed import UserFeed
from services.common.ports.signer import Halts
from services.common.rpc.remote_signer import RemoteSigner
from services.common.rpc.server import Server, serve
from services.common.sealing import KeyRing
from services.common.settings import load
from services.common.store.client import MongoStores
from services.common.wallets import WALLETS, Wallet, config_hash, import_first, wallets
from services.engine.alarm import Alarm
from services.engine.assembly import Ports, assemble
from services.engine.ripening import Ripening
from services.engine.servicer import EngineServicer
from services.engine.settings import SEALED, EngineSettings
from services.engine.soundness import sound
from services.engine.status import Status
from services.engine.worker import Worker

SERVICE = "polycopy.engine.v1.EngineService"
MONITOR = "polycopy.monitor.v1.MonitorService"
CHECK = timedelta(milliseconds=500)
WARM = timedelta(seconds=1)
RIPEN = timedelta(seconds=10)
RECONNECT = timedelta(milliseconds=500)

log = structlog.get_logger()


async def main(stop: asyncio.Event) -> None:
    """Run the engine until `stop`."""
    settings = load(EngineSettings, *SIGNED, WALLETS, SEALED)
    telemetry.configure("engine", settings.log_level)
    telemetry.serve_metrics(settings.metrics_port)
    clock = SystemClock()
    endpoints = endpoints_of(settings)
    ours = wallets(settings)
    seal = KeyRing.read(settings.seal_key_file)
    async with AsyncExitStack() as open_parts:
        stores = stores_of(settings, "engine")
        open_parts.push_async_callback(stores.close)
        chain = Web3Chain(endpoints)
        open_parts.push_async_callback(chain.close)
        witnesses = RpcWitnesses(endpoints.rpc_url, settings.witnesses)
        open_parts.push_async_callback(witnesses.close)
        cache = cache_of(settings)
        open_parts.push_async_callback(cache.close)
        markets = GammaMarkets(endpoints, clock, stores.dead_letters, cache)
        open_parts.push_async_callback(markets.close)
        signing = signer_of(settings, "engine", settings.signer_target)
        open_parts.push_async_callback(signing.close)
        signers = {w.account.account_id: RemoteSigner(signing, w.account.wallet, w.key) for w in ours}
        clobs = {
            wallet.account.account_id: _clob(wallet, signers[wallet.account.account_id], endpoints, clock, stores)
            for wallet in ours
        }
        for clob in clobs.values():
            open_parts.push_async_callback(clob.close)
        feeds = {
            name: UserFeed(endpoints.user_ws_url, clob.credentials, clock, stores.dead_letters)
            for name, clob in clobs.items()
        }
        workers = {
            name: _worker(
                settings,
                name,
                Ports(stores, clobs[name], markets, chain, signers[name], clock, seal, feeds[name], witnesses),
            )
            for name in signers
        }
        status = Status(stores, workers, clock, version("polycopy"))
        held = {wallet.account.account_id: wallet.account.wallet for wallet in ours}
        server = await _server(settings, stores, status, clock, signing, held)
        open_parts.push_async_callback(server.stop)
        await server.set_serving(False)
        channel = mesh_of(settings, "engine").channel(settings.monitor_target, [MONITOR])
        open_parts.push_async_callback(channel.close)
        health = Health(server, _needs(stores, next(iter(workers.values()))))

        async def prepare() -> None:
            await stores.prepare()
            await import_first(stores.accounts, ours, await stores.now())

        checking = asyncio.create_task(forever("health", health.check, CHECK, clock))
        await until_done("prepare", prepare, CHECK, clock, stop)
        log.info("engine_ready", accounts=sorted(workers), port=server.port)
        alarm = Alarm(channel, workers)
        work = [
            checking,
            asyncio.create_task(forever("raises", Ripening(workers, stores, status).turn, RIPEN, clock)),
            asyncio.create_task(forever("announcements", alarm.listen, RECONNECT, clock)),
            *(asyncio.create_task(feed.run()) for feed in feeds.values()),
            *(asyncio.create_task(forever("warm", worker.warm, WARM, clock)) for worker in workers.values()),
        ]
        working = [asyncio.create_task(worker.run()) for worker in workers.values()]
        await stop.wait()
        await server.leave()
        await asyncio.gather(*(worker.stop() for worker in workers.values()))
        for task in (*work, *working):
            task.cancel()
        await asyncio.gather(*work, *working, return_exceptions=True)


def _needs(stores: MongoStores, worker: Worker) -> Mapping[str, Need]:
    """What health looks at. The surroundings are read once a second for the gate; nothing is asked for besides."""
    lookout, gatekeeper = worker.lookout, worker.desk.gatekeeper
    return {
        "store": stores.ping,
        "chain": lookout.chain_answers,
        "venue": lookout.venue_answers,
        "signer": lookout.signer_answers,
        "clock": sound(gatekeeper.clock),
        "head": sound(gatekeeper.head),
        "witnesses": lookout.endpoints_agree,
    }


def _clob(
    wallet: Wallet, signer: RemoteSigner, endpoints: Endpoints, clock: SystemClock, stores: MongoStores
) -> ClobRest:
    return ClobRest(endpoints, signer, clock, stores.dead_letters, wallet.account.signature_type)


def _worker(settings: EngineSettings, account_id: str, ports: Ports) -> Worker:
    endpoints = endpoints_of(settings)
    return assemble(
        ports,
        account_id,
        endpoints.contract,
        exchanges=endpoints.contracts,
        chain_id=endpoints.chain_id,
        version=version("polycopy"),
        timing=settings.timing,
        name=instance("engine"),
        config_hash=config_hash(settings),
        gate_limits=settings.gate_limits,
    )


async def _server(
    settings: EngineSettings,
    stores: MongoStores,
    status: Status,
    clock: SystemClock,
    halts: Halts,
    held: Mapping[str, str],
) -> Server:
    def register(server: aio.Server, stopping: asyncio.Event) -> None:
        servicer = EngineServicer(stores, status, clock, stopping, halts, held)
        engine_pb2_grpc.add_EngineServiceServicer_to_server(servicer, server)

    quota = RedisQuota(settings.redis_url.get_secret_value())
    return await serve(
        settings.engine_listen, [SERVICE], register, identity_of(settings, stores), quota=quota, tls=tls_of(settings)
    )
