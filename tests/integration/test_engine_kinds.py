"""The production engine and settler against a real venue and its chain: every kind of wallet, of market and of token protocol."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import httpx
import pytest

from services.common.chain.web3_chain import Web3Chain
from services.common.clock import SystemClock
from services.common.domain.account import Account
from services.common.domain.copy import Copy
from services.common.domain.fill import ReconciliationResult
from services.common.domain.follow import Policy
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Market
from services.common.polymarket.activity import DataApiActivity
from services.common.polymarket.clob import ClobRest
from services.common.polymarket.markets import GammaMarkets
from services.common.sealing import KeyRing
from services.common.signing.key_file import KeyFileSigner
from services.common.store.memory import MemoryStores
from services.common.wallets import Wallet, held
from services.engine.assembly import Ports, assemble
from services.engine.timing import Timing
from services.reconciler.compare import Comparison
from services.reconciler.resolutions import Resolutions
from services.reconciler.settle import Settler
from services.venue.accounts import Kind
from services.venue.contracts import NEG_RISK, POSITIONS, STANDARD, Contract
from tests.builders import a_copy, a_follow, a_trade
from tests.contract.venue_scenes import endpoints_of
from tests.patience import PATIENT_S
from tests.venue_chain import BUY
from tests.venue_owner import an_owner
from tests.venue_process import Venue
from tests.venue_trader import CENT, SHARE, Signer, Trader

pytestmark = pytest.mark.xdist_group("venue protocols")

RAIN, REDS, COMET = 0, 6, 9
"""Places in the list of markets: a quoted one of the CTF, one of a neg-risk event, one of protocol v2."""

CASES = [
    pytest.param(Kind.EOA, RAIN, STANDARD, id="eoa"),
    pytest.param(Kind.EOA, REDS, NEG_RISK, id="eoa, neg-risk"),
    pytest.param(Kind.EOA, COMET, POSITIONS, id="eoa, protocol v2"),
    pytest.param(Kind.PROXY, REDS, NEG_RISK, id="proxy, neg-risk"),
    pytest.param(Kind.SAFE, RAIN, STANDARD, id="safe"),
    pytest.param(Kind.DEPOSIT, RAIN, STANDARD, id="deposit wallet"),
    pytest.param(Kind.DEPOSIT, COMET, POSITIONS, id="deposit wallet, protocol v2"),
]
NUMBERS = count(1)


@dataclass
class Desk:
    """One account's engine and settler."""

    stores: MemoryStores
    chain: Web3Chain
    markets: GammaMarkets
    settler: Settler
    wallet: Wallet
    market: Market

    async def copies(self, shares: int) -> Copy:
        """A leader has bought at the best ask: what becomes of his copy, to the end."""
        book = await self.markets.book(self.market.tokens[0].token_id)
        assert book is not None
        assert book.best_ask_micros is not None
        now = SystemClock().now()
        trade = a_trade(
            next(NUMBERS),
            token_id=self.market.tokens[0].token_id,
            shares_micros=shares,
            usdc_micros=shares * book.best_ask_micros // SHARE,
            traded_at=now,
            condition_id=self.market.condition_id,
            block_number=(await self.chain.head()).number,
        )
        account = self.wallet.account.account_id
        copy = a_copy(next(NUMBERS), account=account, trade=trade, policy=Policy(ratio_bps=10_000), now=now)
        await self.stores.copies.insert([copy])
        async with asyncio.timeout(PATIENT_S):
            while True:
                known = await self.stores.copies.get(copy.copy_id)
                assert known is not None
                if known.state in {CopyState.RECONCILED, CopyState.SKIPPED, CopyState.FAILED}:
                    return known
                await self.settler.turn(_always)
                await asyncio.sleep(0.1)


async def _always() -> bool:
    return True


@asynccontextmanager
async def a_desk(venue: Venue, kind: Kind, token: str) -> AsyncGenerator[Desk]:
    """The production parts of an account whose wallet is of this kind, in memory only what is stored."""
    owner, clock, endpoints = an_owner(venue, kind), SystemClock(), endpoints_of(venue)
    stores = MemoryStores(clock.now)
    account = Account(owner.wallet.lower(), owner.wallet, owner.wallet, kind.value, owner.wallet.lower())
    signer = KeyFileSigner(bytes(owner.key.key), 137, owner.wallet)
    wallet = held(account, signer.address)
    clob = ClobRest(endpoints, signer, clock, stores.dead_letters, kind.value)
    markets, chain = GammaMarkets(endpoints, clock, stores.dead_letters), Web3Chain(endpoints)
    market = await markets.by_token(token)
    assert market is not None
    await stores.accounts.create(wallet.account)
    await stores.follows.create(a_follow(wallet.account.account_id))
    now = clock.now() + timedelta(seconds=60)  # after the engine has begun
    await stores.results.add(ReconciliationResult("r", wallet.account.account_id, now, now, 0, (), 0, True))
    ports = Ports(stores, clob, markets, chain, signer, clock, KeyRing.passing())
    worker = assemble(
        ports,
        wallet.account.account_id,
        endpoints.contract,
        exchanges=endpoints.contracts,
        chain_id=137,
        version="test",
        timing=Timing(),
        name="engine",
    )
    running = asyncio.create_task(worker.run())
    try:
        yield Desk(stores, chain, markets, Settler(wallet.account, stores, clob, chain, markets, clock), wallet, market)
        assert await stores.dead_letters.all() == ()
    finally:
        await worker.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for part in (clob, markets, chain):
            await part.close()


async def a_market(web: httpx.AsyncClient, place: int, contract: Contract) -> str:
    """The first token of a market where somebody trades: what he pays for the other side sells this one."""
    tokens = (await web.get("/admin/markets")).json()["markets"][place]["tokens"]
    if place != RAIN:
        await _quote(web, tokens, contract)
    return tokens[0]


async def _quote(web: httpx.AsyncClient, tokens: list[str], contract: Contract) -> None:
    maker = Signer(await Trader.join(web), contract)
    await maker.place(tokens[1], BUY, 200 * SHARE, 50 * CENT, "GTC")
    await maker.place(tokens[0], BUY, 200 * SHARE, 48 * CENT, "GTC")


@pytest.mark.parametrize(("kind", "place", "contract"), CASES)
async def test_a_trade_is_copied_and_settled(
    venue: Venue, web: httpx.AsyncClient, kind: Kind, place: int, contract: Contract
):
    token = await a_market(web, place, contract)
    async with a_desk(venue, kind, token) as desk:
        done = await desk.copies(10 * SHARE)
        account = await desk.stores.accounts.get(done.account_id)
        fills = await desk.stores.positions.fills_of(done.copy_id)
        on_chain = await desk.chain.token_balance(desk.wallet.account.wallet, done.trade.token_id)

    refused = [verdict for verdict in done.decision.verdicts if not verdict.ok] if done.decision else []
    assert (done.state, done.skip_reason, done.failure, refused) == (CopyState.RECONCILED, "", "", [])
    assert done.intent is not None
    assert (done.intent.fields.exchange, done.intent.fields.signature_type) == (contract.exchange, kind.value)
    assert {fill.order_hash for fill in fills} == {done.intent.order_hash}
    assert account is not None
    assert account.exposure.held[done.trade.token_id].shares_micros == on_chain == done.filled_micros > 0


async def test_what_is_redeemed_by_itself_leaves_the_books_and_every_source_agrees(
    venue: Venue, web: httpx.AsyncClient
):
    made = (await web.post("/admin/markets", json={"question": "Is it paid and booked?"})).json()
    yes, no = made["tokens"]
    maker = Signer(await Trader.join(web), STANDARD)
    await maker.place(no, BUY, 200 * SHARE, 50 * CENT, "GTC")
    await maker.place(yes, BUY, 200 * SHARE, 48 * CENT, "GTC")
    async with a_desk(venue, Kind.EOA, yes) as desk:
        done = await desk.copies(10 * SHARE)
        account, clock, endpoints = desk.wallet.account, SystemClock(), endpoints_of(venue)
        # Another process, which has not seen the market while it was open.
        markets, activity = (
            kind(endpoints, clock, desk.stores.dead_letters) for kind in (GammaMarkets, DataApiActivity)
        )
        resolutions = Resolutions(account, desk.stores, desk.chain, markets, clock)
        comparison = Comparison(account, desk.stores, desk.chain, activity, markets, clock, api_lag=timedelta(0))
        how = {"condition_id": made["condition_id"], "outcome": 0, "auto_redeem": True}
        told = (await web.post("/admin/resolve", json=how)).json()
        async with asyncio.timeout(PATIENT_S):
            while True:
                if await resolutions.turn(_always):
                    break
                await asyncio.sleep(0.2)
        again, compared = await resolutions.turn(_always), await comparison.run(0)
        for part in (markets, activity):
            await part.close()
        known = await desk.stores.accounts.get(account.account_id)
        lines = await desk.stores.positions.ledger(account.account_id, yes)

    assert account.wallet.lower() in told["redeemed"]
    assert (again, compared.complete, compared.discrepancies) == (0, True, ())
    assert known is not None
    assert known.exposure.held == {}
    (line,) = [one for one in lines if one.order_hash == "resolved"]
    assert (line.shares_micros, line.usdc_micros) == (-done.filled_micros, done.filled_micros)
    assert sum(one.shares_micros for one in lines) == 0
