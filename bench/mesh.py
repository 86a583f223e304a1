"""A real mesh under single trades, bursts and a steady stream: how long a leader's fill takes to become an order, and what the services weigh."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.cli import books as stored
from services.cli import venue_log
from services.cli.addresses import Addresses
from services.cli.latency import latency
from services.cli.stack import SERVICES, Options, Stack
from services.common.domain.lifecycle import CopyState
from services.common.ports.stores import Stores

SHARES_MICROS = 10_000_000
REST_S = 0.7
DONE_S = 60.0
LOOK_S = 0.5
WAITING = frozenset({CopyState.DETECTED, CopyState.CLAIMED, CopyState.EXECUTING})

MARKETS, LEADERS, ACCOUNTS = 5, 5, 10
VENUE_MS = 50
STREAM = 30
STREAM_EVERY_S = 1.0

WIDE = """\
max_order_usdc = 1000
max_market_usdc = 100000
max_event_usdc = 100000
max_leader_day_usdc = 100000
max_daily_spend_usdc = 200000
max_exposure_bps = 9000
max_fee_bps = 500
max_in_flight_market = 1000
max_in_flight_account = 1000
max_orders_per_second = 500
max_orders_per_minute = 5000
max_repetitions = 5000
"""
"""Limits that let every trade of a measurement pass: what is measured is the way through the guards, not a refusal."""

Trade = tuple[int, int, int]
"""Which leader, market and outcome, each from zero."""


async def measure(folder: Path, singles: int, bursts: Sequence[int]) -> dict[str, Any]:
    """Figures of one account: `singles` trades one after the other on a warm token, one on each cold one, then bursts of so many at once."""
    async with _mesh(folder) as stack:
        found: dict[str, Any] = {"warm": await _phase(stack, [[(0, 0, 0)]] * (singles + 2), skip=2)}
        cold = [[(0, market, outcome)] for market in range(1, MARKETS) for outcome in (0, 1)]
        found["cold"] = await _phase(stack, cold)
        for size in bursts:
            found[f"burst_of_{size}"] = await _phase(stack, [_of_all_leaders(size)])
        await stack.admin.fault(kind="delay", path="/clob", ms=VENUE_MS)
        found[f"burst_of_40_at_{VENUE_MS}_ms_a_call"] = await _phase(stack, [_of_all_leaders(40)])
        await stack.admin.no_faults()
        found["rss_mib"] = {name: stack.children[name].peak_mib() for name in SERVICES}
    return found


async def stream(folder: Path) -> dict[str, Any]:
    """Ten accounts follow everyone: copies a second from the first fill to the last order, while the leaders trade faster than that."""
    async with _mesh(folder, wallets=ACCOUNTS) as stack:
        await _phase(stack, [[(0, 0, 0)]])
        found = await _phase(stack, [_of_all_leaders(STREAM)])
        return {**found, "copies_per_second": round(found["orders"] * 1_000 / found["took_ms"], 1)}


@asynccontextmanager
async def _mesh(folder: Path, wallets: int = 1) -> AsyncGenerator[Stack]:
    shutil.rmtree(folder, ignore_errors=True)
    stack = Stack(
        Options(
            folder,
            Addresses.free(),
            block_ms=500,
            wallets=wallets,
            limits=WIDE,
            venue=("--leaders", str(LEADERS)),
        )
    )
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


def _of_all_leaders(size: int) -> list[Trade]:
    return [(number % LEADERS, number % MARKETS, number % MARKETS % 2) for number in range(size)]


async def _phase(stack: Stack, groups: Sequence[Iterable[Trade]], skip: int = 0) -> dict[str, Any]:
    """Each group's trades at once, then the next group; figures of all but the first `skip` fills."""
    before, trades = len(await stack.admin.journal()), 0
    async with asyncio.timeout(DONE_S * len(groups)), stored.opened(stack.mongodb_uri) as stores:
        known = (await _counts(stores)).total()
        for group in groups:
            made = await asyncio.gather(*(_trade(stack, *trade) for trade in group))
            trades += len(made)
            await asyncio.sleep(REST_S)
        await _at_rest(stores, known + trades * len(stack.wallets))
        return await _latency(stack, stores, before, skip)


async def _trade(stack: Stack, leader: int, market: int, outcome: int) -> None:
    await stack.admin.trade(
        trader=f"leader-{leader + 1}", market=market, outcome=outcome, side="BUY", shares_micros=SHARES_MICROS
    )


async def _counts(stores: Stores) -> Counter[CopyState]:
    found: Counter[CopyState] = Counter()
    accounts = [account.account_id for account in await stores.accounts.all()]
    for (_, state, _), count in (await stores.copies.counts(accounts)).items():
        found[state] += count
    return found


async def _at_rest(stores: Stores, copies: int) -> None:
    """Wait until there are so many copies and nothing is waiting; looks seldom and at little, as the services share the machine with it."""
    while (found := await _counts(stores)).total() < copies or any(found[state] for state in WAITING):  # noqa: ASYNC110  what is waited for happens in other processes
        await asyncio.sleep(LOOK_S)


async def _latency(stack: Stack, stores: Stores, before: int, skip: int) -> dict[str, Any]:
    log = venue_log.read(await stack.admin.journal(before), [wallet.address for wallet in stack.wallets])
    fills = sorted(log.leader_fills, key=lambda fill: fill.mined_at_ms)
    seen = venue_log.VenueLog(tuple(fills[skip:]), log.orders)
    books = await stored.read(stores)
    trades = {(fill.leader, fill.tx_hash, fill.order_hash) for fill in fills}
    mine = [one for one in books.trades if (one.trade.leader, one.trade.tx_hash, one.trade.order_hash) in trades]
    orders = [log.orders[order] for copy in mine for order in copy.order_hashes if order in log.orders]
    took_ms = max(order.first_at_ms for order in orders) - min(fill.mined_at_ms for fill in fills)
    return {"trades": len(fills), "orders": len(orders), "took_ms": took_ms, **latency(books, seen, known_only=True)}
