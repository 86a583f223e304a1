"""Every fault of the venue and of the chain by everything that the work on an order reads: one order in the end, and nothing lost.

An engine of production adapters copies one trade. Its order's answer is lost, with the order or without, so that it has to be looked up
while a source fails; or a source fails before there is an order, which then waits.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.common.domain.account import Limits
from services.common.domain.copy import Copy
from services.common.domain.fill import ReconciliationResult
from services.common.domain.follow import Policy
from services.common.domain.lifecycle import TERMINAL, CopyState
from services.common.domain.market import Side
from services.common.domain.money import mul_div
from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.markets import GammaMarkets
from services.common.sealing import KeyRing
from services.common.store.memory import MemoryStores
from services.engine.assembly import Ports, assemble
from services.engine.timing import Timing
from tests.builders import a_copy, a_follow, a_trade, an_account
from tests.contract.venue_scenes import SHARE, Scene, endpoints_of, over_the_network
from tests.integration.test_fault_matrix import ALL_DONE, NOTHING_DONE, TRUE, sellers
from tests.patience import PATIENT_S
from tests.venue_process import Venue

pytestmark = pytest.mark.xdist_group("fault matrix")

POLICY = Policy(ratio_bps=10_000)
WIDE = Limits(max_trade_age_ms=600_000, max_exposure_bps=10_000)
TIMING = Timing(
    sweep=timedelta(seconds=0.1),
    resend_after=(timedelta(seconds=0.1), timedelta(seconds=0.2), timedelta(seconds=0.4)),
    look_again=timedelta(seconds=0.2),
    put_back=timedelta(seconds=0.1),
)
ENDED = TERMINAL | {CopyState.EXECUTED}
TIMES = 2

HTTP: tuple[dict[str, Any], ...] = (*NOTHING_DONE, *ALL_DONE, *TRUE)
RPC: tuple[dict[str, Any], ...] = tuple(
    {"kind": kind}
    for kind in ("rpc_error", "rpc_limited", "rpc_drop_before", "rpc_drop_after", "rpc_lag", "rpc_missing_logs")
)
ENDPOINTS = ("clob.order", "clob.trades", "clob.balance", "clob.book", "clob.market", "gamma.markets")
METHODS = ("eth_getLogs", "eth_call", "eth_getBlockByNumber")

FATES = {"it arrived": "drop_after", "it never arrived": "drop_before"}


Fault = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """Sources, how each fails, and what became of the order whose answer was lost."""

    faults: tuple[tuple[str, Fault], ...]
    fate: str

    def __str__(self) -> str:
        return " and ".join(" ".join(map(str, (source, *fault.values()))) for source, fault in self.faults)


def one_by_one(source: str, faults: tuple[Fault, ...]) -> list[Case]:
    return [Case(((source, fault),), fate) for fault in faults for fate in FATES]


ALL = {source: one_by_one(source, HTTP) for source in ENDPOINTS}
ALL |= {source: one_by_one(source, RPC) for source in METHODS}
# Only a book is read so often that an answer may be an old one.
ALL["clob.book"] += one_by_one("clob.book", ({"kind": "stale"},))

SLICE = [
    Case(
        tuple((source, HTTP[(start + number) % len(HTTP)]) for number, source in enumerate(ENDPOINTS))
        + tuple((source, RPC[(start + number) % len(RPC)]) for number, source in enumerate(METHODS)),
        fate,
    )
    for start, fate in zip((2, 15), FATES, strict=True)
]
"""All sources fail at once, each in another way."""


@pytest.fixture
async def scene(web: httpx.AsyncClient, venue: Venue) -> AsyncIterator[Scene]:
    async with over_the_network(venue, hostile=True) as made:
        await sellers(web, made)
        yield made
    await nothing_fails(web, venue)


async def strike(web: httpx.AsyncClient, venue: Venue, case: Case) -> None:
    """The order's answer will be lost, and each source will fail so many times."""
    faults: list[Fault] = [{"endpoint": "clob.post_order", "kind": FATES[case.fate]}]
    for source, fault in case.faults:
        if source in METHODS:
            await venue.node("evm_addFault", {"rpc": source, "times": TIMES, **fault})
        else:
            faults.append({"endpoint": source, "times": TIMES, **fault})
        if source == "clob.book":
            # It is asked for where the channel tells nothing.
            faults.append({"channel": "market", "kind": "socket_refuse", "times": 0})
    for fault in faults:
        added = await web.post("/admin/faults", json=fault)
        assert added.status_code == 200, added.text


async def unstruck(web: httpx.AsyncClient, venue: Venue) -> list[str]:
    """The faults that nothing has met."""
    known = (await web.get("/admin/faults")).json()["faults"] + (await venue.node("evm_faults"))["faults"]
    return [f"{fault['kind']} struck nothing" for fault in known if not fault["struck"]]


async def nothing_fails(web: httpx.AsyncClient, venue: Venue) -> None:
    await web.delete("/admin/faults")
    await venue.node("evm_clearFaults")


@asynccontextmanager
async def engine(scene: Scene, venue: Venue, stores: MemoryStores, account: str) -> AsyncIterator[None]:
    """An engine that has just started: nothing is at hand, everything is read."""
    markets = GammaMarkets(endpoints_of(venue), scene.clock, stores.dead_letters)
    ports = Ports(stores, scene.clob, markets, scene.chain, scene.signer, scene.clock, KeyRing.passing())
    worker = assemble(
        ports, account, PRODUCTION.contract, chain_id=137, version="1", timing=TIMING, name="engine under faults"
    )
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await markets.close()


async def worked_on(scene: Scene, venue: Venue, copy: Copy) -> Copy:
    """What becomes of a copy."""
    stores, now = MemoryStores(scene.clock.now), scene.clock.now()
    wallet, account = scene.signer.address, copy.account_id
    made = an_account(account, wallet=wallet, signer=wallet, owner=account, limits=WIDE, active_version="1")
    await stores.accounts.create(made)
    await stores.follows.create(a_follow(account, policy=POLICY))
    soon = now + timedelta(seconds=90)  # after the engine has begun
    await stores.results.add(ReconciliationResult("r", account, soon, soon, 0, (), 0, True))
    await stores.copies.insert([copy])
    async with engine(scene, venue, stores, account), asyncio.timeout(PATIENT_S):
        while (found := await stores.copies.get(copy.copy_id)) is None or found.state not in ENDED:  # noqa: ASYNC110  the store tells nobody
            await asyncio.sleep(0.02)
    return found


async def a_copy_now(scene: Scene) -> Copy:
    """A copy of a trade that a leader has just made."""
    now, head, book = scene.clock.now(), await scene.chain.head(), await scene.markets.book(scene.token)
    assert book is not None
    price = book.facing(Side.BUY)[0].price_micros
    trade = a_trade(
        1,
        token_id=scene.token,
        condition_id=scene.market.condition_id,
        shares_micros=10 * SHARE,
        usdc_micros=10 * price,
        traded_at=now,
        block_number=head.number,
    )
    return a_copy(1, account=scene.signer.address.lower(), trade=trade, policy=POLICY, now=now)


async def wrong(web: httpx.AsyncClient, venue: Venue, scene: Scene, case: Case) -> list[str]:
    """What is not as it has to be after a copy under this fault."""
    made = await a_copy_now(scene)
    await strike(web, venue, case)
    copy, idle = await worked_on(scene, venue, made), await unstruck(web, venue)
    await nothing_fails(web, venue)
    if idle:
        return [f"{case}: {line}" for line in idle]
    if copy.state is not CopyState.EXECUTED or copy.intent is None or len(copy.order_hashes) != 1:
        attempts = [(one.outcome, one.code) for intent in copy.intents for one in intent.attempts]
        return [f"{case}: {copy.state} {copy.skip_reason or copy.failure} {len(copy.order_hashes)} {attempts}"]
    trades = await scene.clob.trades(copy.intent.order_hash, scene.token, copy.detected_at - timedelta(minutes=1))
    shares = sum(trade.shares_micros for trade in trades)
    paid = sum(mul_div(trade.shares_micros, trade.price_micros, SHARE) for trade in trades)
    if (shares, paid <= copy.intent.fields.maker_amount) != (copy.filled_micros, True):
        return [f"{case}: {copy.filled_micros} shares are {shares}, {paid} paid"]
    return []


@pytest.mark.parametrize("case", SLICE, ids=lambda case: case.fate)
async def test_whatever_fails_there_is_one_order_and_it_is_found(web, venue, scene, case: Case):
    assert await wrong(web, venue, scene, case) == []


@pytest.mark.nightly
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("source", ALL)
async def test_whatever_fails_there_is_one_order_every_night(web, venue, scene, source: str):
    assert [line for case in ALL[source] for line in await wrong(web, venue, scene, case)] == []
