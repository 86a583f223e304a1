"""A world that is mostly about getting out: leaders who merge and transfer, rules of our own, deleted follows, requests to close."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from random import Random

import pytest

from services.common.domain.account import Account
from services.common.domain.copy import CopyKind
from services.common.domain.exit import ExitState
from services.common.domain.follow import FollowState, Leaving, Policy, follow_id
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Book, Level, Side
from services.common.ports.chain import OrderFilled, Transfer
from services.common.ports.stores import StoreUnavailable
from services.engine.closing import Closing, NotHeld
from tests.builders import LEADER, NOON, TOKEN, a_follow
from tests.controlled import as_it_is_not, left
from tests.simulation import world as plain
from tests.simulation.process import WiredStores
from tests.simulation.weather import FAULTS_END_S
from tests.simulation.world import ACCOUNT, ENDED, EXCHANGE, OTHER_TOKEN, QUIET_S, SHARE, World

SECOND_LEADER = "0x" + "2" * 40
FOLLOWS = (follow_id(ACCOUNT, LEADER), follow_id(ACCOUNT, SECOND_LEADER))
ELSEWHERE = "0x" + "9" * 40
NOWHERE = "0x" + "0" * 40
OVERDUE = timedelta(seconds=45)
HALF = SHARE // 2
Key = tuple[str, str, str]
"""Leader, token and transaction."""


@dataclass
class Given:
    """What a leader gave up in one transaction: the part of what he had then, and by how many orders he sold of it."""

    part: Fraction
    orders: int
    at_s: float


@dataclass
class LeavingWorld(World):
    """`given` has every true step of the leaders, `bought` what they bought and when, `left_at` when a follow was deleted."""

    given: dict[Key, Given] = field(default_factory=dict)
    bought: dict[Key, float] = field(default_factory=dict)
    left_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        # Its own dice: what the plain world throws stays what it was.
        self.dice = Random(f"leaving {self.seed}")
        # In some worlds the market falls further than the policy sells: exits get stuck there, and somebody has to be told.
        self.falls = self.dice.random() < 0.2
        self.policy = self._rules()
        self._orders = 0
        self._actors: set[asyncio.Task[None]] = set()
        self.ended_at = NOON

    def _rules(self) -> Policy:
        dice = self.dice
        bounds = {} if self.falls else {"exit_slippage_bps": 9_000, "exit_floor_bps": 9_500}
        return Policy(
            ratio_bps=10_000,
            take_profit_bps=dice.choice([0, 1_000]),
            stop_loss_bps=dice.choice([0, 1_000]),
            max_holding_ms=dice.choice([0, 0, 0, 8_000, 25_000]),
            **bounds,
        )

    async def open(self) -> None:
        await super().open()
        await self.stores.follows.create(a_follow(ACCOUNT, SECOND_LEADER, policy=self.policy, created_at=NOON))
        await self.stores.follows.change(FOLLOWS[0], as_it_is_not(policy=self.policy))

    # what leaders do

    def _leaders_trade(self) -> None:
        had: dict[tuple[str, str], int] = {}
        at = 2.0
        for _ in range(self.dice.randint(3, 8)):
            at += self.dice.choice([0.0, 0.3, 1.0, 3.0, 6.0])
            leader = self.dice.choice([LEADER, LEADER, SECOND_LEADER])
            token = self.dice.choice([TOKEN, TOKEN, OTHER_TOKEN])
            held = had.get((leader, token), 0)
            gone = self._gives_up(at, leader, token, held) if held and self.dice.random() < 0.5 else 0
            had[leader, token] = held - gone if gone else held + self._buys(at, leader, token)

    def _buys(self, at_s: float, leader: str, token: str) -> int:
        shares = self.dice.randint(10, 60)
        tx = self._mines(at_s, leader, token, bought=[shares])
        self.bought[leader, token, tx] = at_s
        return shares

    def _gives_up(self, at_s: float, leader: str, token: str, held: int) -> int:
        """A sale by one order or two, a transfer or a merge, or a sale and a sweep in one transaction."""
        whole = min(max(held * self.dice.choice([2, 5, 10]) // 10, 2), held)
        first = self.dice.randint(1, max(whole - 1, 1))
        rest = whole - first
        sold, away = self.dice.choice([([whole], 0), ([first, rest], 0), ([], whole), ([first], rest)])
        sold = [one for one in sold if one]
        tx = self._mines(at_s, leader, token, sold=sold, away=away)
        self.given[leader, token, tx] = Given(Fraction(whole, held), len(sold), at_s)
        return whole

    def _mines(
        self,
        at_s: float,
        leader: str,
        token: str,
        *,
        bought: Sequence[int] = (),
        sold: Sequence[int] = (),
        away: int = 0,
    ) -> str:
        fills: list[OrderFilled] = []
        moves: list[Transfer] = []
        self._orders += 1
        tx = f"0x{self._orders + 70_000:064x}"
        receipt = self._receipt(tx, at_s, (), ())
        for side, shares in [*((Side.BUY, one) for one in bought), *((Side.SELL, one) for one in sold)]:
            self._logs += 1
            amounts = (shares * HALF, shares * SHARE) if side is Side.BUY else (shares * SHARE, shares * HALF)
            fills.append(
                OrderFilled(
                    f"0x{self._logs + 500:064x}", leader, EXCHANGE, EXCHANGE, side, token, *amounts, 0, self._logs
                )
            )
            ends = (EXCHANGE, leader) if side is Side.BUY else (leader, EXCHANGE)
            moves.append(Transfer(*ends, token, shares * SHARE, tx, receipt.block_number, self._logs))
        if away:
            self._logs += 1
            to = self.dice.choice([ELSEWHERE, NOWHERE])
            moves.append(Transfer(leader, to, token, away * SHARE, tx, receipt.block_number, self._logs))
        self.chain.mine(replace(receipt, fills=tuple(fills), transfers=tuple(moves)))
        return tx

    # what people and the market do

    def begin(self) -> None:
        super().begin()
        for work in (self._leave(), self._close(), self._prices()):
            task = asyncio.create_task(work)
            self._actors.add(task)
            task.add_done_callback(self._actors.discard)

    async def _leave(self) -> None:
        how = self.dice.choice([[], [], [Leaving.CLOSE], [Leaving.KEEP], [Leaving.CLOSE, Leaving.KEEP]])
        follow = self.dice.choice(FOLLOWS)
        await asyncio.sleep(self.dice.uniform(6, 40))
        for leaving in how:
            self.left_at.setdefault(follow, self.clock.monotonic())
            await self.stores.follows.change(follow, left(leaving, self.clock.now()))
            await asyncio.sleep(self.dice.choice([0.5, 3, 10]))

    async def _close(self) -> None:
        """A client asks, and asks again by the same name, of whichever engine lives; each may die over it."""
        if self.dice.random() < 0.4:
            return
        token = self.dice.choice([TOKEN, TOKEN, OTHER_TOKEN])
        await asyncio.sleep(self.dice.uniform(6, 30))
        for wait_s in (0.5, 4.0, 30.0):
            alive = [process for process, _ in self.engines if process.alive]
            if alive:
                process = alive[0]
                process.spawn(self._ask(Closing(WiredStores(process, self.stores)), token, "wish"))  # type: ignore[arg-type]
            await asyncio.sleep(wait_s)
        # And later by another name, of what is there then: it may be what was kept.
        await self._ask(Closing(self.stores), token, "another wish")

    async def _ask(self, closing: Closing, token: str, name: str) -> None:
        account: Account = self.stores.database.accounts[ACCOUNT]
        try:
            await closing.close([account], [token], name, "ops", self.clock.now())
        except (NotHeld, StoreUnavailable):
            return

    async def _prices(self) -> None:
        for _ in range(1 if self.falls else self.dice.choice([0, 1, 2])):
            await asyncio.sleep(self.dice.uniform(5, 20))
            bid = 200_000 if self.falls else self.dice.choice([300_000, 440_000, 560_000, 700_000])
            levels = ((Level(bid, 10**12),), (Level(bid + 10_000, 10**12),))
            self.markets.show(Book(TOKEN, *levels, self.clock.now()))

    # the end

    @property
    def is_at_rest(self) -> bool:
        database = self.stores.database
        stuck = {exit_.exit_id for exit_ in database.exits.values() if exit_.overdue and exit_.state is ExitState.OPEN}
        exits = all(one.state is not ExitState.OPEN or one.exit_id in stuck for one in database.exits.values())
        copies = all(
            copy.state in ENDED
            or (copy.exit_id in stuck and copy.state in {CopyState.DETECTED, CopyState.CLAIMED, CopyState.EXECUTING})
            for copy in self.copies
        )
        requests = all(request.done for request in self.stores.close_requests._requests.values())
        return exits and copies and requests and self.venue.is_at_rest

    async def until_at_rest(self) -> None:
        await asyncio.sleep(FAULTS_END_S)
        quiet_s = 0.0
        while quiet_s < 2 * QUIET_S and self.clock.monotonic() < plain.END_S and not self.violations:
            await asyncio.sleep(3)
            quiet_s = quiet_s + 3 if self.is_at_rest else 0.0
        self.ended_at = self.clock.now()

    def follow_of(self, leader: str) -> str:
        return follow_id(ACCOUNT, leader)

    def is_left(self, follow: str) -> bool:
        return follow in self.left_at


async def simulate(seed: int) -> LeavingWorld:
    """One seed from its first trade to rest."""
    made = LeavingWorld(seed)
    await made.open()
    made.begin()
    await made.until_at_rest()
    return made


def states(world: LeavingWorld) -> dict[str, FollowState]:
    """What has become of the follows."""
    return {follow.follow_id: follow.state for follow in world.stores.follows._follows.values()}


def quicker(patch: pytest.MonkeyPatch) -> None:
    """Nobody waits ten minutes to be told in a run of six."""
    patch.setattr(plain, "TIMING", replace(plain.TIMING, overdue=OVERDUE))


def debts_of(world: LeavingWorld, follow: str, key: Key) -> int:
    """How many copies stand for what a leader gave up."""
    _, token, tx = key
    return sum(
        copy.kind is CopyKind.DEBT and (copy.follow_id, copy.trade.token_id, copy.trade.tx_hash) == (follow, token, tx)
        for copy in world.copies
    )
