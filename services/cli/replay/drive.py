"""Plays a tape: time goes from one moment at which something is due to the next, and the production parts do their turns there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.cli.replay.clock import VirtualClock
from services.cli.replay.model import Model
from services.cli.replay.tape import Played, Tape
from services.cli.replay.world import World, build
from services.common.chain.memory import BLOCK
from services.common.config_file import PolicyFile
from services.common.domain.copy import Copy
from services.common.domain.exit import ExitState
from services.common.domain.trade import idempotency_key
from services.monitor import detect

STEP = timedelta(milliseconds=1)
PATIENCE = timedelta(hours=1)
"""How long after the last fill what is still open may take."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The world after the last fill, with nothing open, and the copy of each fill."""

    world: World
    tape: Tape
    copies: tuple[Copy, ...]


async def play(tape: Tape, file: PolicyFile, model: Model, told: Callable[[int], None]) -> Ended:
    """Play the whole tape; `told` hears how many fills are through."""
    world = await build(tape, file, model)
    player = _Player(world, tape, model)
    await player.begins()
    for number, played in enumerate(tape.played, start=1):
        await player.until(played.at + model.delay)
        await player.turns(played)
        told(number)
    await player.finish()
    return Ended(world, tape, tuple(player.copies()))


class _Player:
    def __init__(self, world: World, tape: Tape, model: Model) -> None:
        self._world = world
        self._tape = tape
        self._model = model
        self._rolled = 0
        self._over = sorted(tape.over.items(), key=lambda item: (item[1], item[0]), reverse=True)

    @property
    def _clock(self) -> VirtualClock:
        return self._world.clock

    async def begins(self) -> None:
        """The engine starts, and has the books compared before the first trade."""
        await self._world.worker.warm()
        await self.turns()
        self._world.worker.desk.gatekeeper.forget()

    async def turns(self, played: Played | None = None) -> None:
        """What happened until now, then everyone's turn: the reconciler's, the monitor's on a fill, the engine's."""
        self._roll()
        await self._world.reconciliation.turn()
        if played is not None:
            await self._detect(played)
        await self._world.worker.exhaust(self._is_work)

    async def until(self, at: datetime) -> None:
        """Pass the time until `at`, stopping wherever something is due before."""
        while (due := self._next_due()) is not None and due < at:
            await self._clock.sleep_until(due)
            await self.turns()
        await self._clock.sleep_until(at)

    async def finish(self) -> None:
        """Let what is open end, then compare the books once more."""
        last = self._clock.now() + PATIENCE
        while (due := self._next_due()) is not None and due <= last:
            await self._clock.sleep_until(due)
            await self.turns()
        await self._clock.sleep(BLOCK)
        await self._world.reconciliation.run_now()

    def copies(self) -> Iterator[Copy]:
        """The copy of each fill, in the tape's order."""
        database, account = self._world.stores.database, self._world.account.account_id
        for played in self._tape.played:
            yield database.copies[database.by_key[account, idempotency_key(account, played.trade.key)]]

    async def _detect(self, played: Played) -> None:
        market = await self._world.markets.by_token(played.trade.token_id)
        found = detect.copies(played.trade, self._world.follows, market, self._clock.now())
        await self._world.stores.copies.insert(found)

    def _roll(self) -> None:
        """Show the books that the fills until now have left, and close the markets that are over."""
        now, played = self._clock.now(), self._tape.played
        while self._rolled < len(played) and played[self._rolled].at <= now:
            trade = played[self._rolled].trade
            market = self._tape.markets[trade.condition_id]
            complement = market.complement(trade.token_id) or ""
            for book in self._model.books(trade.token_id, complement, trade.side, trade.price_micros):
                self._world.markets.show(book)
            self._rolled += 1
        while self._over and self._over[-1][1] <= now:
            market = self._tape.markets.get(self._over.pop()[0])
            if market is not None:
                self._world.markets.list(replace(market, closed=True, accepting_orders=False, uma_status="resolved"))

    def _is_work(self) -> bool:
        """Whether the engine has anything to look at now; a turn that would find nothing is left out."""
        now = self._clock.now()
        return self._exits_are_open() or any(due <= now for due in self._claims())

    def _claims(self) -> Iterator[datetime]:
        """When each waiting copy may be claimed."""
        database, account = self._world.stores.database, self._world.account.account_id
        for copy in map(database.copies.__getitem__, database.index.claimable(account)):
            if copy.claimable_at is not None:
                yield copy.claimable_at

    def _exits_are_open(self) -> bool:
        return any(known.state is ExitState.OPEN for known in self._world.stores.database.exits.values())

    def _next_due(self) -> datetime | None:
        """The next moment at which there may be something to do; None where nothing is open."""
        now = self._clock.now()
        return min((max(due, now + STEP) for due in self._dues(now)), default=None)

    def _dues(self, now: datetime) -> Iterator[datetime]:
        database, account = self._world.stores.database, self._world.account.account_id
        yield from self._claims()
        settling: set[str] = set()
        for copy in map(database.copies.__getitem__, database.index.unsettled(account)):
            if copy.executed_at is not None:
                settling.add(copy.trade.token_id)
                settled = copy.executed_at + self._model.settles_after
                yield settled if settled > now else now + BLOCK
        # An exit whose token settles later has nothing to do before.
        if any(exit_.state is ExitState.OPEN and exit_.token_id not in settling for exit_ in database.exits.values()):
            yield now + self._world.timing.sweep
