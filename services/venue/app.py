"""Where the venue's parts meet: one ASGI application for everything that Polymarket serves, and its own controls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp

from services.venue.admin import Admin
from services.venue.background import Background
from services.venue.bank import Bank
from services.venue.blocks import Blocks, tell_time
from services.venue.bodies import Bounded
from services.venue.builder_keys import BuilderKeys
from services.venue.clob.door import Clob
from services.venue.clob.gate import Gate
from services.venue.clob.throttle import Limits, Throttle
from services.venue.clock import Clock, VirtualClock
from services.venue.clock_admin import ClockAdmin
from services.venue.credentials import Credentials
from services.venue.data.feed import Feed
from services.venue.deployments import Deployments
from services.venue.engine.admin import LifeAdmin
from services.venue.engine.commits import MOST_WAITING
from services.venue.exchange import Exchange
from services.venue.expiry import Expiry
from services.venue.faults.admin import FaultAdmin
from services.venue.faults.clock import ClockFaults
from services.venue.faults.commit import CommitFaults
from services.venue.faults.http import HttpFaults
from services.venue.faults.kinds import Family
from services.venue.faults.registry import Registry
from services.venue.faults.sockets import SocketFaults
from services.venue.journal import Journal
from services.venue.limits import Mode
from services.venue.lister import Lister
from services.venue.listing import listed
from services.venue.node import addresses
from services.venue.node.client import Node
from services.venue.prices import Prices
from services.venue.record import record
from services.venue.relayer.keys import RelayerKeys
from services.venue.relayer.relay import Relay
from services.venue.relayer.routes import Relayer
from services.venue.routes import directory
from services.venue.settlement import Settlement
from services.venue.sockets.admin import SocketAdmin
from services.venue.sockets.market import MarketChannel
from services.venue.sockets.user import UserChannel
from services.venue.surfaces import Surfaces
from services.venue.tape.format import Tape
from services.venue.tape.stage import Stage, listed_markets
from services.venue.traders.company import Company
from services.venue.traders.wallets import LEADERS
from services.venue.wallets import Wallets

EXPIRY_S = 1.0
# How closely it is looked while time jumps; orders with a date end at their second all the same.
JUMP_S = 30.0
FAULTS = frozenset({Family.HTTP, Family.SOCKET, Family.COMMIT, Family.CLOCK})
CHANNELS = ("market", "user", "rtds")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What a venue is started with."""

    node_url: str
    seed: int = 1
    journal: Path | None = None
    history: int = 0
    leaders: int = LEADERS
    script: str = "none"
    data_lag_ms: int = 0
    limits: Mode = Mode.OFF
    faults: Sequence[Mapping[str, object]] = ()
    tape: Tape | None = None
    tape_speed: float = 1.0
    most_waiting: int = MOST_WAITING


@dataclass(slots=True)
class Venue:
    """A venue that is ready to trade: its application, with faults around it, and what runs beside it."""

    app: ASGIApp
    clock: Clock
    expiry: Expiry
    blocks: Blocks | None
    company: Company
    stage: Stage | None
    exchange: Exchange
    settlement: Settlement
    journal: Journal
    node: Node
    clob: Clob
    feed: Feed
    background: Background

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Settle what is matched, and expire what is over."""
        work = self.background
        for name, lasting in (
            ("settlement", self.settlement.run()),
            ("clock", self.clock.run()),
            ("exchange", self.exchange.settle()),
            ("expiry by the second", self._expire()),
            ("expiry by date", self.expiry.run()),
            ("feed", self.feed.follow()),
        ):
            work.start(name, lasting)
        if self.blocks:
            work.start("blocks", self.blocks.run())
        try:
            yield
        finally:
            await self.company.close()
            if self.stage:
                await self.stage.player.close()
            work.close_soon()
            await self.settlement.close()
            await work.close()
            await self.node.close()
            self.journal.close()

    async def _expire(self) -> None:
        while True:
            await self.clock.sleep(JUMP_S if self.clock.jumps else EXPIRY_S)
            self.exchange.expire()
            self.clob.lapse()

    async def prepare(self, *, history: int = 0) -> None:
        """Everybody is funded and quotes; then the tape begins."""
        await self.company.prepare(history=history)
        if self.stage:
            await self.stage.prepare()
            self.stage.player.start()


async def open_venue(options: Options, clock: Clock) -> Venue:
    """List the markets and put everything together; nobody trades before `prepare` of its company."""
    now_ms = clock.now_ms
    node = Node(options.node_url)
    bank = Bank(node)
    journal = Journal(now_ms, options.journal)
    faults = Registry(journal.note, options.seed, FAULTS, CHANNELS)
    ClockFaults(faults, clock)
    for fault in options.faults:
        faults.add(fault)
    if isinstance(clock, VirtualClock):
        await tell_time(node, clock)
    markets = await listed(bank, options.seed, now_ms() // 1000)
    taped = await listed_markets(options.tape, bank, options.seed, now_ms() // 1000) if options.tape else []
    markets += taped
    settlement = Settlement(node, addresses.OPERATOR)
    wallets = Wallets(bank, [token for market in markets for token in market.tokens], settlement.through, now_ms)
    exchange = Exchange(markets, wallets, settlement, CommitFaults(faults), clock, options.most_waiting)
    exchange.subscribe(lambda event: record(journal, event))
    expiry = Expiry(clock, exchange.expire)
    exchange.subscribe(expiry.hear)
    blocks = Blocks(clock, node, settlement.through) if isinstance(clock, VirtualClock) else None
    if blocks:
        exchange.subscribe(blocks.hear)
    background = Background()
    company = Company(exchange, bank, journal, options.seed, clock, background, options.leaders)
    stage, names = None, dict(company.names)
    if options.tape:
        stage = Stage(options.tape, taped, exchange, bank, journal, clock, options.seed, options.tape_speed)
        names |= stage.names()
    credentials = Credentials(options.seed)
    surfaces = Surfaces(exchange, node, names, now_ms, journal.note, data_lag_ms=options.data_lag_ms)
    gate = Gate(credentials, BuilderKeys(options.seed, now_ms), now_ms)
    limits = Limits(now_ms, journal.note, options.limits)
    deployments = Deployments(node)
    clob = Clob(exchange, gate, journal, Prices(exchange, node), clock, limits, company.names, deployments)
    relay = Relay(node, deployments, options.seed, now_ms, wallets.read)
    admin = Admin(exchange, bank, journal, clob.intake, background)
    market, user, rtds = MarketChannel(exchange, clock), UserChannel(exchange, credentials), surfaces.rtds
    routes = [
        *clob.routes(),
        *surfaces.routes(),
        *market.routes(),
        *user.routes(),
        *SocketAdmin(
            {"market": market.manners, "user": user.manners, "rtds": rtds.manners}, rtds, journal.note
        ).routes(),
        *admin.routes(),
        *ClockAdmin(clock, journal.note).routes(),
        *LifeAdmin(exchange, Lister(bank, options.seed, now_ms), now_ms, journal.note).routes(),
        *FaultAdmin(faults).routes(),
        *company.routes(),
        *(stage.routes() if stage else []),
        *Relayer(relay, RelayerKeys(options.seed, gate.builders), deployments).routes(),
    ]
    limited = Throttle(Bounded(Starlette(routes=[*routes, directory(routes)])), limits)
    app = SocketFaults(HttpFaults(limited, faults, now_ms), faults)
    return Venue(
        app, clock, expiry, blocks, company, stage, exchange, settlement, journal, node, clob, surfaces.feed, background
    )
