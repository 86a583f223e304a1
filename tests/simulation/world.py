"""One simulated run: leaders trade, processes live and die, and in the end everything has to come to rest."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from services.common.chain.memory import block_of
from services.common.domain.account import AccountState, ExposureChange, Limits
from services.common.domain.copy import Copy, CopyKind
from services.common.domain.exit import Exit, ExitState
from services.common.domain.follow import Grouping, Policy
from services.common.domain.intent import Attempt, Intent
from services.common.domain.lifecycle import CopyState
from services.common.domain.market import Book, Fee, Level, Side, Token
from services.common.loop import forever, until_done
from services.common.polymarket.environment import PRODUCTION
from services.common.polymarket.memory import MemoryActivity, MemoryMarkets
from services.common.ports.chain import OrderFilled, Receipt, Transfer
from services.common.signing.key_file import KeyFileSigner
from services.common.store.memory import MemoryStores
from services.engine.assembly import Ports, assemble
from services.engine.process_facts import GateLimits
from services.engine.timing import Timing
from services.engine.worker import Worker
from services.monitor.roster import Roster
from services.monitor.sources.chain import ChainSource
from services.monitor.watch import Watch
from services.reconciler.compare import Comparison
from services.reconciler.loop import Reconciliation
from services.reconciler.resolutions import Resolutions
from services.reconciler.settle import Settler
from tests.builders import CONDITION, LEADER, NOON, SEAL, TOKEN, a_follow, an_account
from tests.builders_case import a_market
from tests.simulation.chain import Reorg, SimChain
from tests.simulation.channel import SimUserFeed
from tests.simulation.people import People
from tests.simulation.process import Process, ProcessClock, Wire, WiredStores
from tests.simulation.signer import Outage, SimSigner
from tests.simulation.venue import Reads, SimClob, SimVenue
from tests.simulation.virtual_time import SimClock
from tests.simulation.weather import FAULTS_END_S, LONGEST_STALL_S, Weather

SIGNER = KeyFileSigner(bytes.fromhex("11" * 32), 137)
WALLET = SIGNER.address
ACCOUNT = WALLET.lower()
OTHER_TOKEN = "8" * 70
EXCHANGE = "0x" + "e" * 40
SHARE = 1_000_000
FUNDS = 1_000_000_000
LAST_TRADE_S = 30.0
END_S = 360.0
QUIET_S = 15.0
PATIENT_MS = 300_000
"""How old a trade may be where the account is stopped for long."""
UNHEARD_S = 10.0
"""An engine knows at once that the signer is away; what it has in hand then is decided within so much, however long it is frozen."""
PAUSES_S = (0.0, 0.2, 1.0, 3.0, 6.0)
TOKENS = (TOKEN, TOKEN, OTHER_TOKEN)
GROUPINGS = (Grouping.NONE, Grouping.NONE, Grouping.TOKEN, Grouping.TOKEN, Grouping.ORDER)
GROUP_WINDOWS_MS = (1_000, 5_000, 12_000)
"""What a leader and his follower draw from."""
SECOND = timedelta(seconds=1)
NOT_NOW = 8 * SECOND
"""Beyond what the gate forgives and a lease lasts, an attempt does not bear the database's time; unless its process was frozen with the
write in its hands, and nobody else was there to take its copy."""
TIMING = Timing(
    sweep=1.5 * SECOND, put_back=2 * SECOND, look_again=10 * SECOND, give_up_after=20 * SECOND, watch_for=60 * SECOND
)
"""Shorter than in production where nothing but waiting is lost; an order may still arrive after it was given up."""
ENDED = frozenset({CopyState.SKIPPED, CopyState.FAILED, CopyState.RECONCILED})


@dataclass
class World:
    """Everything outside of our processes, and what was seen to be wrong while it ran."""

    seed: int
    random: Random = field(init=False)
    weather: Weather = field(init=False)
    engines: list[tuple[Process, Worker]] = field(default_factory=list)
    leader_fills: list[tuple[str, str]] = field(default_factory=list)
    reorgs: dict[str, Reorg] = field(default_factory=dict)
    feeds: list[SimUserFeed] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    monitor_since: datetime = NOON

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.weather = Weather.drawn(self.seed, self.random)
        self.clock = SimClock(self.random)
        self.stores = MemoryStores(self.clock.now)
        self.chain = SimChain(self.clock, 137)
        self.venue = SimVenue(self.chain, self.clock, self.weather, self._heard, self._taken_back)
        self.reads = Reads(self.venue, self.chain, self.clock, WALLET)
        self.markets = MemoryMarkets(self.clock)
        self.signer = Outage(self.weather)
        self.limits = Limits(
            max_order_micros=10**12, max_market_micros=self.random.choice([1_000_000_000, 1_000_000_000, 40_000_000])
        )
        if self.weather.long_stop:
            self.limits = replace(self.limits, max_trade_age_ms=PATIENT_MS)
        self.account = an_account(ACCOUNT, wallet=WALLET, signer=WALLET, owner=ACCOUNT, limits=self.limits)
        self._supervisors: list[asyncio.Task[None]] = []
        self._logs = 0
        self._held: dict[str, int] = {}
        self._resting: dict[str, tuple[str, set[int]]] = {}
        self._mined: list[tuple[str, Side, str, float]] = []

    # what happens outside

    async def open(self) -> None:
        self._watch_copies()
        self._watch_line()
        tokens = (Token(TOKEN, "Yes"), Token(OTHER_TOKEN, "No"))
        self.markets.list(a_market(condition_id=CONDITION, tokens=tokens, fee=Fee(0), ends_at=NOON + timedelta(days=2)))
        for token in (TOKEN, OTHER_TOKEN):
            levels = ((Level(490_000, 10**12),), (Level(500_000, 10**12),))
            self.markets.show(Book(token, *levels, self.clock.now(), mid_then_micros=None))
        self.chain.mine(self._receipt("0xfunds", -60, (), ()), {WALLET: FUNDS})
        await self.stores.accounts.create(self.account)
        await self.stores.follows.create(a_follow(ACCOUNT, policy=self._policy(), created_at=NOON))
        self._leaders_trade()
        self._some_are_taken_back()

    def _policy(self) -> Policy:
        """Share for share, each trade alone or with others."""
        grouping = self.random.choice(GROUPINGS)
        return Policy(ratio_bps=10_000, grouping=grouping, group_window_ms=self.random.choice(GROUP_WINDOWS_MS))

    def _leaders_trade(self) -> None:
        self._trade(-30.0, OTHER_TOKEN, Side.BUY, 50, follows=False)
        at = 2.0
        for number in range(self.random.randint(1, 6)):
            at += self.random.choice(PAUSES_S)
            token = self.random.choice(TOKENS)
            sells = number > 0 and self._held.get(token, 0) > 0 and self.random.random() < 0.4
            if sells:
                held = self._held[token]
                self._trade(at, token, Side.SELL, max(held * self.random.choice([1, 5, 10]) // 10, 1))
            else:
                self._trade(at, token, Side.BUY, self.random.randint(10, 60))

    def _trade(self, at_s: float, token: str, side: Side, shares: int, *, follows: bool = True) -> None:
        self._logs += 1
        self._held[token] = self._held.get(token, 0) + (shares if side is Side.BUY else -shares)
        order, tx = self._order(token, side, shares), f"0x{self._logs + 9_000:064x}"
        usdc = shares * 500_000
        amounts = (usdc, shares * SHARE) if side is Side.BUY else (shares * SHARE, usdc)
        fill = OrderFilled(order, LEADER, EXCHANGE, EXCHANGE, side, token, *amounts, 0, self._logs)
        ends = (EXCHANGE, LEADER) if side is Side.BUY else (LEADER, EXCHANGE)
        receipt = self._receipt(tx, at_s, (fill,), ())
        move = Transfer(*ends, token, shares * SHARE, tx, receipt.block_number, self._logs)
        self.chain.mine(self._receipt(tx, at_s, (fill,), (move,)))
        if follows:
            self.leader_fills.append((tx, order))
            self._mined.append((token, side, tx, receipt.block_number - NOON.timestamp()))

    def _some_are_taken_back(self) -> None:
        """By reorgs; no sale is left without what it sells."""
        dice = self.weather.dice("reorgs")
        for number, (token, side, tx, at_s) in enumerate(self._mined):
            reorg = Reorg.drawn(dice, tx, at_s)
            sales = [at for sold, how, _, at in self._mined[number + 1 :] if sold == token and how is Side.SELL]
            harmless = side is Side.SELL or not sales or reorg.back_at_s < min(sales)
            if harmless and dice.random() < self.weather.reorgs:
                self.reorgs[tx] = reorg

    def _order(self, token: str, side: Side, shares: int) -> str:
        """The order that this is a fill of: a new one, or the one before it, by which he has not bought just as much: nothing would tell
        that from a fill that a reorg has moved."""
        known = self._resting.get(token)
        if side is Side.BUY and known is not None and shares not in known[1] and self.random.random() < 0.4:
            known[1].add(shares)
            return known[0]
        made = f"0x{self._logs:064x}"
        if side is Side.BUY:
            self._resting[token] = made, {shares}
        return made

    def _receipt(self, tx: str, at_s: float, fills: tuple[OrderFilled, ...], moves: tuple[Transfer, ...]) -> Receipt:
        block = block_of(NOON + timedelta(seconds=at_s))
        return Receipt(tx, block, f"0x{block:064x}", datetime.fromtimestamp(block, UTC), True, fills, moves)

    def _heard(self, wallet: str, intent: Intent) -> None:
        """I6: every order that the venue hears of is in our journal."""
        ours = (copy for copy in self.stores.database.copies.values() if intent.order_hash in copy.order_hashes)
        if next(ours, None) is None:
            self.violations.append(f"I6: order {intent.order_hash} reached the venue without an intent")

    def _taken_back(self, tx_hash: str) -> None:
        """I4: nothing is booked that the chain may yet take back."""
        booked = (fill for fill in self.stores.database.fills.values() if fill.booked and fill.tx_hash == tx_hash)
        if next(booked, None) is not None:
            self.violations.append(f"I4: transaction {tx_hash} was taken back, and is booked")

    def _watch_line(self) -> None:
        """I8: no limit is exceeded by what commits, and nothing is journaled while the account is halted."""
        database, expose = self.stores.database, self.stores.database.expose

        def watched(account_id: str, change: ExposureChange, *, attempted: bool = False) -> None:
            account = database.accounts[account_id]
            expose(account_id, change, attempted=attempted)
            if change == ExposureChange(change.at) and account.state is AccountState.HALTED:
                self.violations.append("STOP: an attempt was journaled while the account was halted")
            bought = change.put is not None and change.put.side is Side.BUY and not change.put.matched
            if not bought:
                return
            if account.state is AccountState.HALTED:
                self.violations.append("STOP: an intent was journaled while the account was halted")
            if self.signer.lasts_s > UNHEARD_S:
                self.violations.append("GATE: an intent was journaled while the signer was away")
            risk = database.accounts[account_id].exposure
            buying = sum(one.usdc_micros for one in risk.open.values() if one.side is Side.BUY)
            if buying + sum(one.cost_micros for one in risk.held.values()) > account.limits.max_market_micros:
                self.violations.append("I8: the market's limit is exceeded")

        database.expose = watched  # type: ignore[method-assign]

    def _watch_copies(self) -> None:
        """I4, I7, and that what is journaled bears the database's time."""
        database, put = self.stores.database, self.stores.database.put
        late = NOT_NOW + timedelta(seconds=LONGEST_STALL_S if self.weather.stall else 0)

        def watched(copy: Copy) -> None:
            before = database.copies.get(copy.copy_id)
            if before is not None and copy.fence < before.fence:
                self.violations.append(f"I7: {copy.copy_id} written with fence {copy.fence} after {before.fence}")
            if copy.filled_micros > (matched := self.matched_micros(copy)):
                self.violations.append(f"I4: {copy.copy_id} has {copy.filled_micros}, the venue matched {matched}")
            new = [one.at for one in _attempts(copy)[len(_attempts(before)) :]]
            if any(abs(self.clock.now() - at) > late for at in new):
                self.violations.append(f"CLOCK: {copy.copy_id} has a new attempt of {new[0]:%H:%M:%S}")
            put(copy)

        database.put = watched  # type: ignore[method-assign]

    def matched_micros(self, copy: Copy) -> int:
        """By everything that ever matched of its orders."""
        return sum(trade.shares_micros for known in copy.order_hashes for trade in self.venue.trades.get(known, ()))

    # our processes

    def begin(self) -> None:
        """Start everyone, and start again whoever dies."""
        starts = {"monitor": self._monitor, "reconciler": self._reconciler}
        starts |= {f"engine-{n}": self._engine for n in range(self.random.randint(1, 3))}
        people = People(self.stores, ACCOUNT, self.weather, self.clock)
        self._supervisors += [asyncio.create_task(people.control()), asyncio.create_task(people.review())]
        self._supervisors += [asyncio.create_task(self.chain.play(reorg)) for reorg in self.reorgs.values()]
        for name, start in starts.items():
            self._supervisors.append(asyncio.create_task(self._keep(name, start)))

    async def _keep(self, name: str, start: Callable[[Process], None]) -> None:
        dice = self.weather.dice(name)
        await asyncio.sleep(dice.uniform(0, 0.5))
        for life in range(10_000):
            process = Process(f"{name}.{life}", self.weather)
            start(process)
            await process.died.wait()
            await asyncio.sleep(dice.choice([0.1, 0.5, 2.0, 5.0, 15.0]))

    def _monitor(self, process: Process) -> None:
        self.monitor_since = self.clock.now()
        stores, clock = WiredStores(process, self.stores), ProcessClock(process)
        chain = Wire(process, self.chain, "chain", self.weather.reads)
        roster = Roster(stores, chain, clock)  # type: ignore[arg-type]
        watch = Watch(chain, stores, self.markets, roster, clock, self._announce, chain_id=137)  # type: ignore[arg-type]
        source = ChainSource(chain, stores, roster, watch, clock, overlap_blocks=32)  # type: ignore[arg-type]

        async def work() -> None:
            await until_done("roster", roster.refresh, SECOND, clock, asyncio.Event())
            process.spawn(forever("follow", lambda: source.follow(roster.leaders), SECOND, clock))
            await forever("sweep", source.sweep, 2 * SECOND, clock)

        process.spawn(work())

    def _announce(self, copy: Copy) -> None:
        for process, worker in self.engines:
            if process.alive:
                worker.expect(copy.trade.token_id)

    def _engine(self, process: Process) -> None:
        stores, clock = WiredStores(process, self.stores), ProcessClock(process)
        clob = SimClob(process, self.venue, self.reads, WALLET)
        chain = Wire(process, self.chain, "chain", self.weather.reads)
        markets = Wire(process, self.markets, "venue", self.weather.reads)
        signer = SimSigner(process, SIGNER, self.signer)
        told = self.weather.has_channel
        feed = SimUserFeed(process, self.venue.channel, clock, self.stores.dead_letters) if told else None
        ports = Ports(stores, clob, markets, chain, signer, clock, SEAL, feed)  # type: ignore[arg-type]
        worker = assemble(
            ports,
            ACCOUNT,
            PRODUCTION.contract,
            chain_id=137,
            version="sim",
            timing=TIMING,
            name=process.name,
            gate_limits=GateLimits(brake_window=30 * SECOND),
        )
        self.engines = [(known, one) for known, one in self.engines if known.alive] + [(process, worker)]
        if feed is not None:
            self.feeds.append(feed)
            process.spawn(feed.run())
        process.spawn(forever("warm", worker.warm, 3 * SECOND, clock))
        process.spawn(worker.run())

    def _reconciler(self, process: Process) -> None:
        stores, clock = WiredStores(process, self.stores), ProcessClock(process)
        clob = SimClob(process, self.venue, self.reads, WALLET)
        chain = Wire(process, self.chain, "chain", self.weather.reads)
        settler = Settler(self.account, stores, clob, chain, self.markets, clock)  # type: ignore[arg-type]
        activity = MemoryActivity(self.chain, self.clock)
        comparison = Comparison(
            self.account,
            stores,
            chain,
            activity,
            self.markets,
            clock,
            api_lag=timedelta(seconds=60),  # type: ignore[arg-type]
        )
        reconciliation = Reconciliation(
            self.account,
            settler,
            Resolutions(self.account, stores, chain, self.markets, clock),  # type: ignore[arg-type]
            comparison,
            stores,
            clock,
            holder=process.name,
            every=15 * SECOND,  # type: ignore[arg-type]
        )
        process.spawn(forever("reconcile", reconciliation.turn, 2 * SECOND, clock))

    # the end

    @property
    def copies(self) -> list[Copy]:
        return list(self.stores.database.copies.values())

    @property
    def is_at_rest(self) -> bool:
        open_exits = any(
            exit_.state is ExitState.OPEN and not waits_for_what_was_taken_back(exit_)
            for exit_ in self.stores.database.exits.values()
        )
        lost = sum(not reorg.comes_back for reorg in self.reorgs.values())
        seen = len(self.copies) >= len(self.leader_fills) - lost
        return seen and not open_exits and self.venue.is_at_rest and all(map(self.is_over, self.copies))

    def is_over(self, copy: Copy) -> bool:
        """Whether it has ended, or is a debt that waits in its exit for a transaction that a reorg has taken back."""
        parked = copy.kind is CopyKind.DEBT and copy.state is CopyState.DETECTED and copy.claimable_at is None
        exit_ = self.stores.database.exits.get(copy.exit_id) if parked else None
        return copy.state in ENDED or (exit_ is not None and waits_for_what_was_taken_back(exit_))

    async def until_at_rest(self) -> None:
        """Until nothing has been under way for a while, or time is up."""
        await asyncio.sleep(FAULTS_END_S)
        quiet_s = 0.0
        while quiet_s < QUIET_S and self.clock.monotonic() < END_S and not self.violations:
            await asyncio.sleep(3)
            quiet_s = quiet_s + 3 if self.is_at_rest else 0.0


def _attempts(copy: Copy | None) -> list[Attempt]:
    return [attempt for intent in copy.intents for attempt in intent.attempts] if copy else []


def waits_for_what_was_taken_back(exit_: Exit) -> bool:
    """For an hour, in which it may be mined again."""
    return any(step.removed for step in exit_.steps)


async def simulate(seed: int) -> World:
    """One seed from its first trade to rest."""
    world = World(seed)
    await world.open()
    world.begin()
    await world.until_at_rest()
    return world
