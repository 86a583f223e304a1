"""Where the reconciler's real parts meet."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog
from grpc import aio
from polycopy.reconciler.v1 import reconciler_pb2_grpc

from services.common import telemetry
from services.common.assembly import SIGNED, cache_of, endpoints_of, identity_of, instance, signer_of, stores_of
from services.common.audit.file import CheckpointFile
from services.common.audit.key import AuditKey
from services.common.chain.web3_chain import Web3Chain
from services.common.clock import SystemClock
from services.common.health import Health
from services.common.limits import RedisQuota
from services.common.loop import forever, until_done
from services.common.mesh import tls_of
from services.common.polymarket.activity import DataApiActivity
from services.common.polymarket.clob import ClobRest
from services.common.polymarket.markets import GammaMarkets
from services.common.ports.chain import Chain
from services.common.ports.venue import Activity, Clob, Markets
from services.common.rpc.remote_signer import RemoteSigner
from services.common.rpc.server import Server, serve
from services.common.settings import load
from services.common.store.client import MongoStores
from services.common.wallets import WALLETS, Wallet, wallets
from services.reconciler.audit import Auditor
from services.reconciler.compare import Comparison
from services.reconciler.custody import Custody
from services.reconciler.loop import Reconciliation
from services.reconciler.resolutions import Resolutions
from services.reconciler.servicer import ReconcilerServicer
from services.reconciler.settings import AUDIT, ReconcilerSettings
from services.reconciler.settle import Settler

SERVICE = "polycopy.reconciler.v1.ReconcilerService"
CHECK = timedelta(milliseconds=500)
AUDIT_AGAIN = timedelta(seconds=2)
FORGET = timedelta(minutes=10)

log = structlog.get_logger()


async def main(stop: asyncio.Event) -> None:
    """Run the reconciler until `stop`."""
    settings = load(ReconcilerSettings, *SIGNED, WALLETS, AUDIT)
    telemetry.configure("reconciler", settings.log_level)
    telemetry.serve_metrics(settings.metrics_port)
    clock = SystemClock()
    endpoints = endpoints_of(settings)
    ours = wallets(settings)
    async with AsyncExitStack() as open_parts:
        stores = stores_of(settings, "reconciler")
        open_parts.push_async_callback(stores.close)
        chain = Web3Chain(endpoints)
        open_parts.push_async_callback(chain.close)
        cache = cache_of(settings)
        open_parts.push_async_callback(cache.close)
        markets = GammaMarkets(endpoints, clock, stores.dead_letters, cache)
        open_parts.push_async_callback(markets.close)
        activity = DataApiActivity(endpoints, clock, stores.dead_letters)
        open_parts.push_async_callback(activity.close)
        # It signs no order: what it needs is the credentials that the venue is read with.
        signing = signer_of(settings, "reconciler", settings.signer_target)
        open_parts.push_async_callback(signing.close)
        running: dict[str, Reconciliation] = {}
        for wallet in ours:
            signer = RemoteSigner(signing, wallet.account.wallet, wallet.key)
            clob = ClobRest(endpoints, signer, clock, stores.dead_letters, wallet.account.signature_type)
            open_parts.push_async_callback(clob.close)
            running[wallet.account.account_id] = _reconciliation(
                settings, wallet, stores, clob, chain, activity, markets, clock
            )
        server = await _server(settings, stores, running)
        open_parts.push_async_callback(server.stop)
        await server.set_serving(False)
        health = Health(server, {"store": stores.ping, "chain": chain.head})
        checking = asyncio.create_task(forever("health", health.check, CHECK, clock))
        await until_done("prepare", stores.prepare, CHECK, clock, stop)
        log.info("reconciler_ready", accounts=sorted(running), port=server.port)
        every = timedelta(milliseconds=settings.reconciler_settle_ms)
        work = [checking]
        work += [asyncio.create_task(forever("reconcile", one.turn, every, clock)) for one in running.values()]
        work.append(asyncio.create_task(forever("custody", Custody(stores).turn, FORGET, clock)))
        auditor = _auditor(settings, stores, clock)
        if auditor is not None:
            work.append(asyncio.create_task(forever("audit", auditor.turn, AUDIT_AGAIN, clock)))
        await stop.wait()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        leases = [one.give_back() for one in (*running.values(), *((auditor,) if auditor else ()))]
        await asyncio.gather(*leases, return_exceptions=True)


def _auditor(settings: ReconcilerSettings, stores: MongoStores, clock: SystemClock) -> Auditor | None:
    if settings.audit_file is None or settings.audit_key_file is None:
        log.warning("audit_not_checkpointed", hint="AUDIT_FILE and AUDIT_KEY_FILE name where and by what")
        return None
    return Auditor(
        stores,
        CheckpointFile(settings.audit_file),
        AuditKey.read(settings.audit_key_file),
        clock,
        holder=instance("auditor"),
        most=settings.audit_changes,
        every=timedelta(milliseconds=settings.audit_every_ms),
    )


def _reconciliation(
    settings: ReconcilerSettings,
    wallet: Wallet,
    stores: MongoStores,
    clob: Clob,
    chain: Chain,
    activity: Activity,
    markets: Markets,
    clock: SystemClock,
) -> Reconciliation:
    lag = timedelta(milliseconds=settings.reconciler_api_lag_ms)
    return Reconciliation(
        wallet.account,
        Settler(wallet.account, stores, clob, chain, markets, clock),
        Resolutions(wallet.account, stores, chain, markets, clock),
        Comparison(wallet.account, stores, chain, activity, markets, clock, api_lag=lag),
        stores,
        clock,
        holder=instance("reconciler"),
        every=timedelta(milliseconds=settings.reconciler_compare_ms),
        lease=timedelta(milliseconds=settings.reconciler_lease_ms),
    )


async def _server(settings: ReconcilerSettings, stores: MongoStores, running: dict[str, Reconciliation]) -> Server:
    def register(server: aio.Server, stopping: asyncio.Event) -> None:
        servicer = ReconcilerServicer(stores, lambda: running, stopping)
        reconciler_pb2_grpc.add_ReconcilerServiceServicer_to_server(servicer, server)

    quota = RedisQuota(settings.redis_url.get_secret_value())
    return await serve(
        settings.reconciler_listen,
        [SERVICE],
        register,
        identity_of(settings, stores),
        quota=quota,
        tls=tls_of(settings),
    )
