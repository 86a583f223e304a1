"""Stops while leaders trade: what was journaled and what the venue heard after each, until the next start."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from polycopy.engine.v1 import engine_pb2 as pb

from services.cli import operator
from services.common.domain.account import Account
from services.common.domain.follow import Follow
from tests.mesh import SHARE, Mesh, eventually
from tests.patience import PATIENT_S

SILENT_S = 1.0
BURST = 4
SIZE = 10 * SHARE
MUCH = 10**12

JOURNALED = [
    {
        "$project": {
            "attempts": {
                "$sum": [
                    {"$size": {"$ifNull": ["$intent.attempts", []]}},
                    {
                        "$sum": {
                            "$map": {
                                "input": {"$ifNull": ["$pastIntents", []]},
                                "in": {"$size": {"$ifNull": ["$$this.attempts", []]}},
                            }
                        }
                    },
                ]
            }
        }
    },
    {"$group": {"_id": None, "attempts": {"$sum": "$attempts"}}},
]


@dataclass(frozen=True, slots=True)
class Stopped:
    """One stop: the attempts that were journaled when it was acknowledged and just before the next start, the orders that the venue had
    heard of before it, and for how long after it was asked for the venue still heard some, in milliseconds and by its own log."""

    journaled_then: int
    journaled_later: int
    heard_before: int
    heard_for_ms: int


async def widen(running: Mesh) -> None:
    """Let no limit end the load: past what control would say of it, which would have to wait for a day."""
    accounts, follows = running.stores.accounts, running.stores.follows

    def changed(account: Account) -> Account:
        limits = replace(
            account.limits,
            max_trade_age_ms=3_600_000,
            max_market_micros=MUCH,
            max_event_micros=MUCH,
            max_leader_day_micros=MUCH,
            max_daily_spend_micros=MUCH,
            max_in_flight_market=1_000,
            max_in_flight_account=1_000,
            max_orders_per_minute=100_000,
            max_repetitions=100_000,
        )
        return replace(account, limits=limits, seq=account.seq + 1)

    for account in await accounts.all():
        assert await accounts.change(account.account_id, changed) is not None

    def follow_changed(follow: Follow) -> Follow:
        return replace(follow, policy=replace(follow.policy, max_market_micros=MUCH, max_day_micros=MUCH))

    for one in await follows.all():
        assert await follows.change(one.follow_id, follow_changed)


async def burst(running: Mesh, number: int) -> None:
    """Some of a leader's orders at once, by turns in every market: he buys on one side, then on the other."""
    leader, market, outcome = f"leader-{number % 3 + 1}", number // 3 % 3, number // 9 % 2
    await running.rest(leader, market, orders=BURST, outcome=outcome, shares_micros=SIZE)


@asynccontextmanager
async def trading(running: Mesh, pause_s: float = 0.2) -> AsyncIterator[None]:
    """Leaders trade all the while."""

    async def trade() -> None:
        for number in count():
            await burst(running, number)
            await asyncio.sleep(pause_s)

    task = asyncio.create_task(trade())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def start(running: Mesh) -> None:
    async with _engine(running) as stub:
        await stub.StartTrading(pb.StartTradingRequest(), timeout=PATIENT_S)


async def stop(running: Mesh) -> None:
    async with _engine(running) as stub:
        await stub.StopTrading(pb.StopTradingRequest(), timeout=PATIENT_S)


def _engine(running: Mesh) -> Any:
    stack = running.stack
    return operator.engine(stack.addresses.target("engine"), tls=stack.shown_to("engine"))


async def journaled(running: Mesh) -> int:
    """How many attempts all copies have had."""
    found = await running.stores.database["user_activities"].aggregate(JOURNALED).to_list(1)
    return int(found[0]["attempts"]) if found else 0


async def races(running: Mesh, stops: int, seed: int, silent_s: float = SILENT_S) -> Sequence[Stopped]:
    """Start and stop in turn, the stop at some moment while the engine is at work on what has come meanwhile: every other time once the
    venue has heard of it."""
    dice, made, line = random.Random(seed), list[Stopped](), 0
    async with trading(running):
        for number in range(stops):
            heard_of = (await heard_since(running, line))[1]
            await start(running)
            await asyncio.sleep(dice.uniform(0, 0.4))
            if number % 2:
                await until_heard(running, line, len(heard_of))
            asked_ms = now_ms()
            await stop(running)
            then = await journaled(running)
            await asyncio.sleep(silent_s)
            later = await journaled(running)
            line, heard = await heard_since(running, line)
            before = [at for at in heard if at <= asked_ms]
            made.append(Stopped(then, later, len(before), max([asked_ms, *heard]) - asked_ms))
    return made


def now_ms() -> int:
    """This machine's clock, by which the venue goes as well."""
    return int(datetime.now(UTC).timestamp() * 1000)


async def heard_since(running: Mesh, line: int) -> tuple[int, list[int]]:
    """When the venue received orders of ours behind a line of its log, in milliseconds; and its last line."""
    ours = {wallet.address.lower() for wallet in running.stack.wallets}
    lines = await running.stack.admin.journal(line)
    received = [one for one in lines if one["kind"] == "order_received" and str(one["maker"]).lower() in ours]
    return line + len(lines), [int(one["at_ms"]) for one in received]


async def until_heard(running: Mesh, line: int, before: int) -> None:
    """Behind a line of its log the venue has received more orders of ours than before."""

    async def more() -> bool:
        return len((await heard_since(running, line))[1]) > before

    await eventually(more)


async def has_heard(running: Mesh, many: int) -> bool:
    """So many orders of ours have come to the venue."""
    return len((await heard_since(running, 0))[1]) >= many
