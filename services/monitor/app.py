"""Where the monitor's real parts meet."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog
from grpc import aio
from polycopy.monitor.v1 import monitor_pb2_grpc

from services.common import telemetry
from services.common.assembly import COMMON, cache_of, endpoints_of, identity_of, stores_of
from services.common.chain.web3_chain import Web3Chain
from services.common.clock import SystemClock
from services.common.health import Health
from services.common.limits import RedisQuota
from services.common.loop import forever, until_done
from services.common.mesh import tls_of
from services.common.polymarket.activity import DataApiActivity
from services.common.polymarket.firehose import RtdsFirehose
from services.common.polymarket.markets import GammaMarkets
from services.common.rpc.server import Server, serve
from services.common.settings import load
from services.common.store.client import MongoStores
from services.monitor.announce import Announcements
from services.monitor.follows import FOLLOWS, import_first, named
from services.monitor.listen import Listening
from services.monitor.roster import Roster
from services.monitor.servicer import MonitorServicer
from services.monitor.settings import MonitorSettings
from services.monitor.sources.activity import ActivitySource
from services.monitor.sources.chain import ChainSource
from services.monitor.sources.rtds import FirehoseSource
from services.monitor.watch import Watch

SERVICE = "polycopy.monitor.v1.MonitorService"
ACTIVITY_OVERLAP = timedelta(minutes=2)
DAY, DAY_EVERY = timedelta(days=1), timedelta(hours=1)
"""Every hour the Data API is asked for a whole day, which finds what every other source has missed."""
CHECK = timedelta(milliseconds=500)

log = structlog.get_logger()


async def main(stop: asyncio.Event) -> None:
    """Run the monitor until `stop`."""
    settings = load(MonitorSettings, *COMMON, FOLLOWS)
    telemetry.configure("monitor", settings.log_level)
    telemetry.serve_metrics(settings.metrics_port)
    clock = SystemClock()
    wanted = named(settings, clock.now())
    endpoints = endpoints_of(settings)
    async with AsyncExitStack() as open_parts:
        stores = stores_of(settings, "monitor")
        open_parts.push_async_callback(stores.close)
        chain = Web3Chain(endpoints)
        open_parts.push_async_callback(chain.close)
        cache = cache_of(settings)
        open_parts.push_async_callback(cache.close)
        markets = GammaMarkets(endpoints, clock, stores.dead_letters, cache)
        open_parts.push_async_callback(markets.close)
        activity = DataApiActivity(endpoints, clock, stores.dead_letters)
        open_parts.push_async_callback(activity.close)
        roster = Roster(stores, chain, clock)
        announcements = Announcements()
        watch = Watch(chain, stores, markets, roster, clock, announcements.announce, chain_id=endpoints.chain_id)
        server = await _server(settings, stores, announcements, clock)
        open_parts.push_async_callback(server.stop)
        source = ChainSource(chain, stores, roster, watch, clock, overlap_blocks=settings.monitor_overlap_blocks)
        polled = ActivitySource(activity, roster, watch, clock, overlap=ACTIVITY_OVERLAP)
        day = ActivitySource(activity, roster, watch, clock, overlap=DAY, source="day")
        firehose = FirehoseSource(RtdsFirehose(endpoints, clock, stores.dead_letters), watch)
        health = Health(server, {"store": stores.ping, "chain": chain.head})
        await server.set_serving(False)

        async def prepare() -> None:
            await stores.prepare()
            await import_first(stores.follows, wanted)
            await roster.refresh()

        await until_done("prepare", prepare, CHECK, clock, stop)
        log.info("monitor_ready", leaders=len(roster.leaders), port=server.port)
        work = [
            forever("health", health.check, CHECK, clock),
            forever("roster", roster.refresh, timedelta(milliseconds=settings.monitor_roster_ms), clock),
            forever("sweep", source.sweep, timedelta(milliseconds=settings.monitor_sweep_ms), clock),
            forever("activity", polled.poll, timedelta(milliseconds=settings.monitor_poll_ms), clock),
            forever("day", day.poll, DAY_EVERY, clock),
            Listening("chain", source.follow, roster, clock).forever(CHECK),
            Listening("rtds", firehose.follow, roster, clock).forever(CHECK),
        ]
        tasks = [asyncio.create_task(one) for one in work]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _server(
    settings: MonitorSettings, stores: MongoStores, announcements: Announcements, clock: SystemClock
) -> Server:
    def register(server: aio.Server, stopping: asyncio.Event) -> None:
        servicer = MonitorServicer(stores, announcements, stopping, clock)
        monitor_pb2_grpc.add_MonitorServiceServicer_to_server(servicer, server)

    quota = RedisQuota(settings.redis_url.get_secret_value())
    return await serve(
        settings.monitor_listen, [SERVICE], register, identity_of(settings, stores), quota=quota, tls=tls_of(settings)
    )
