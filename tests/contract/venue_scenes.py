"""Two venues for one contract: ports in memory, and the production adapters against a real venue on a real chain."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx

from services.common.chain.memory import MemoryChain
from services.common.chain.web3_chain import Web3Chain
from services.common.clock import SystemClock
from services.common.domain.intent import Attempt, Intent, OrderType
from services.common.domain.market import Book, Fee, Level, Market, Side, Token, TokenProtocol
from services.common.domain.money import MICRO
from services.common.polymarket.activity import DataApiActivity
from services.common.polymarket.clob import ClobRest
from services.common.polymarket.eip712 import order_hash
from services.common.polymarket.environment import PRODUCTION, Endpoints
from services.common.polymarket.markets import GammaMarkets
from services.common.polymarket.memory import MemoryActivity, MemoryClob, MemoryMarkets
from services.common.polymarket.order import Contract, build_order
from services.common.ports.chain import Chain, Receipt
from services.common.ports.venue import Activity, Answer, Clob, Markets
from services.common.signing.key_file import KeyFileSigner
from services.common.store.memory import MemoryStores
from tests.patience import PATIENT_S
from tests.venue_process import Venue

CASH = 1_000 * MICRO
SHARE = MICRO


@dataclass
class Scene:
    """One account at one venue, with a token whose book has both sides."""

    clob: Clob
    markets: Markets
    activity: Activity
    chain: Chain
    signer: KeyFileSigner
    market: Market
    clock: SystemClock

    @property
    def token(self) -> str:
        return self.market.tokens[0].token_id

    async def post(self, intent: Intent) -> Answer:
        """Send the order; there is time for it to leave."""
        return await self.clob.post(intent, self.clock.monotonic() + 60)

    async def an_order(self, shares: int, *, beyond_ticks: int, side: Side = Side.BUY) -> Intent:
        """A signed FAK order whose limit lies so many ticks beyond the best price it would meet (negative: short of it)."""
        book = await self.markets.book(self.token)
        assert book is not None
        best = book.facing(side)[0].price_micros
        direction = 1 if side is Side.BUY else -1
        limit = best + direction * beyond_ticks * self.market.tick_micros
        now = self.clock.now()
        fields = build_order(
            Contract(137, PRODUCTION.exchange_address, "2"),
            maker=self.signer.address,
            signer=self.signer.address,
            signature_type=0,
            token_id=self.token,
            side=side,
            shares_micros=shares,
            limit_micros=limit,
            tick_micros=self.market.tick_micros,
            salt=self.clock.salt(),
            now=now,
        )
        usdc = fields.maker_amount if side is Side.BUY else fields.taker_amount
        return Intent(
            generation=1,
            order_hash=order_hash(fields),
            fields=fields,
            order_type=OrderType.FAK,
            deadline_at=now + timedelta(seconds=15),
            limit_micros=limit,
            shares_micros=shares,
            usdc_micros=usdc,
            fee_micros=0,
            engine_version="test",
            config_hash="",
            attempts=(Attempt(1, now),),
            signature=await self.signer.sign_order(fields),
        )


@asynccontextmanager
async def in_memory() -> AsyncIterator[Scene]:
    """Ports in memory, with a book of one level on each side."""
    clock, signer = SystemClock(), KeyFileSigner(secrets.token_bytes(32), 137)
    chain, markets = MemoryChain(clock, 137), MemoryMarkets(clock)
    market = _market(clock.now())
    token = market.tokens[0].token_id
    markets.list(market)
    markets.show(
        Book(token, (Level(490_000, 500 * SHARE),), (Level(500_000, 500 * SHARE),), datetime(2026, 1, 1, tzinfo=UTC))
    )
    chain.mine(Receipt("0x" + "0" * 64, chain.head_number, "", clock.now(), True, (), ()), {signer.address: CASH})
    clob = MemoryClob(signer.address, chain, markets, clock, timedelta(milliseconds=500))
    yield Scene(clob, markets, MemoryActivity(chain, clock), chain, signer, market, clock)


@asynccontextmanager
async def over_the_network(venue: Venue, *, hostile: bool = False) -> AsyncIterator[Scene]:
    """The production adapters, with a fresh wallet that the venue has funded; every payload is known unless the venue is hostile."""
    clock, signer = SystemClock(), KeyFileSigner(secrets.token_bytes(32), 137)
    letters = MemoryStores(clock.now).dead_letters
    endpoints = endpoints_of(venue)
    async with httpx.AsyncClient(base_url=venue.url, timeout=PATIENT_S) as http:
        await http.post("/admin/fund", json={"address": signer.address, "usdc_micros": CASH})
        listed = (await http.get("/admin/markets")).json()["markets"][0]
    clob, markets = ClobRest(endpoints, signer, clock, letters), GammaMarkets(endpoints, clock, letters)
    activity, chain = DataApiActivity(endpoints, clock, letters), Web3Chain(endpoints)
    try:
        market = await markets.by_token(listed["tokens"][0])
        assert market is not None
        yield Scene(clob, markets, activity, chain, signer, market, clock)
        assert hostile or await letters.all() == ()
    finally:
        for part in (clob, markets, activity, chain):
            await part.close()


def endpoints_of(venue: Venue) -> Endpoints:
    """Where a test venue is."""
    return replace(
        PRODUCTION,
        clob_url=f"{venue.url}/clob",
        clob_ws_url=f"{venue.socket_url}/ws",
        data_api_url=f"{venue.url}/data",
        gamma_url=f"{venue.url}/gamma",
        rtds_url=f"{venue.socket_url}/rtds",
        relayer_url=f"{venue.url}/relayer",
        geoblock_url=f"{venue.url}/api/geoblock",
        rpc_url=venue.node_url,
        rpc_ws_url="ws" + venue.node_url.removeprefix("http"),
    )


def _market(now: datetime) -> Market:
    return Market(
        condition_id="0x" + "c" * 64,
        event_id="7",
        slug="a-market",
        title="A market",
        tokens=(Token("7" * 70, "Yes"), Token("8" * 70, "No")),
        tick_micros=10_000,
        min_size_micros=5 * SHARE,
        fee=Fee(0),
        protocol=TokenProtocol.CTF,
        neg_risk=False,
        active=True,
        closed=False,
        archived=False,
        accepting_orders=True,
        has_book=True,
        uma_status="",
        ends_at=now + timedelta(days=30),
        read_at=now,
    )
