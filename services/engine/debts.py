"""The shell around exits: what a leader gives up becomes a step, what is owed becomes attempts, and an exit that is over closes its debts."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from services.common.crashpoints import crashpoint
from services.common.domain.account import Account
from services.common.domain.amounts import LOT_MICROS
from services.common.domain.copy import Copy
from services.common.domain.exit import Exit, ExitState, Kept, Step, exit_id
from services.common.domain.lifecycle import TERMINAL, CopyState
from services.common.domain.market import Book, Market
from services.common.domain.trade import LeaderTrade
from services.common.ports.chain import Chain
from services.common.ports.stores import Stores
from services.common.ports.venue import Markets, VenueUnavailable
from services.engine import attempts, exits, metrics
from services.engine.claims import Claim
from services.engine.debt_ends import NOTHING_HELD, REASONS, REFUSED_BY, ending
from services.engine.exits import Due, DueKind
from services.engine.leader_steps import LeaderSteps, step_key
from services.engine.lookout import Lookout
from services.engine.marks import reference_micros
from services.engine.own_exits import OwnExits
from services.engine.own_steps import last_place
from services.engine.standing import Standing
from services.engine.stock import Ground, read_ground
from services.engine.timing import Timing

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sale:
    """What an exit attempt is to sell now, the parked debts that share its fate, and what it may sell from.

    `trade` is what it is held against: the leader's own, or the market's price of now.
    """

    shares_micros: int
    members: tuple[str, ...]
    settled_micros: int | None
    others_micros: int
    trade: LeaderTrade


class Debts:
    """Exits of one account."""

    def __init__(self, stores: Stores, chain: Chain, markets: Markets, lookout: Lookout, timing: Timing) -> None:
        self._stores = stores
        self._chain = chain
        self._markets = markets
        self._lookout = lookout
        self._timing = timing
        self._steps = LeaderSteps(chain)
        self._own = OwnExits(stores, markets, lookout, timing)
        self._standing = Standing(stores, self._steps, lookout)

    async def owe(self, claim: Claim, debt: Copy) -> None:
        """Make a claimed debt a step of its exit, and park it there. Raises `ChainUnavailable`: what he gave up is never guessed."""
        step = await self._steps.of(debt) or self._standing.missing(debt)
        now = self._lookout.now()
        if step is None:
            await self._stores.copies.release(claim.ref, self._timing.put_back, now)
            return
        if not step.removed:
            self._standing.seen(step)
        crashpoint("mid_exit_owed")
        name = (
            await self._park(claim, step, now) if await self._touches(debt) else await self._for_later(debt, step, now)
        )
        crashpoint("after_exit_owed")
        if name and await self._stores.copies.skip(claim.ref, name, None, now):
            metrics.ENDS.labels(name).inc()

    async def _park(self, claim: Claim, step: Step, now: datetime) -> str:
        """With its step, at once: what is sold for the one takes the other along. What the debt is skipped for where its exit is over."""
        exit_ = await self._stores.copies.park(claim.ref, step, now)
        over = exit_ is not None and exit_.state is not ExitState.OPEN
        return REFUSED_BY.get(REASONS.get(exit_.state, ""), NOTHING_HELD) if exit_ and over else ""

    async def _for_later(self, debt: Copy, step: Step, now: datetime) -> str:
        """The step counts for what is bought before it and seen later; the debt itself asks for nothing."""
        token_id = debt.trade.token_id
        name = exit_id(debt.follow_id, token_id)
        if not step.removed:
            await self._stores.exits.owe(name, debt.account_id, debt.follow_id, token_id, step, now)
        return NOTHING_HELD

    async def _touches(self, debt: Copy) -> bool:
        """Whether the follow has bought, or may yet buy, any of the token before this was given up."""
        here = exits.place(debt)
        entries = await self._stores.copies.of_token(debt.account_id, debt.trade.token_id, debt.follow_id)
        return any(exits.place(entry) < here for entry in entries)

    async def turn(self, account: Account) -> bool:
        """Let our own rules ask for exits, then look at every open one; True when something was written."""
        asked, back = await self._own.turn(account), await self._standing.look_again(account.account_id)
        now = self._lookout.now()
        exits_ = await self._stores.exits.open_ones(account.account_id)
        oldest = min((exit_.opened_at for exit_ in exits_), default=now)
        metrics.EXIT_OPEN_SECONDS.labels(account.account_id).set((now - oldest).total_seconds())
        overdue = [exit_ for exit_ in exits_ if now - exit_.opened_at >= self._timing.overdue]
        metrics.EXITS_OVERDUE.labels(account.account_id).set(len(overdue))
        for exit_ in overdue:
            await self._escalate(exit_, now)
        return any([await self._advance(account, exit_) for exit_ in exits_]) or asked or back

    async def _escalate(self, exit_: Exit, now: datetime) -> None:
        if not exit_.overdue and await self._stores.exits.escalate(exit_.exit_id):
            age_s = (now - exit_.opened_at).total_seconds()
            log.error("exit_overdue", exit=exit_.exit_id, open_s=round(age_s), attempts=exit_.attempts)

    async def _advance(self, account: Account, exit_: Exit) -> bool:
        if exit_.open_attempt:
            return await self._close(exit_)
        ground = await read_ground(self._stores, self._chain, account, exit_)
        due = await self._due(ground)
        match due.kind:
            case DueKind.SELL:
                return await self._open(account, ground, due.shares_micros)
            case DueKind.END:
                # By an account that has moved meanwhile nobody can tell that something was sold elsewhere.
                settled = due.state is not ExitState.EXTERNAL or await self._stands_still(account)
                return settled and await self._end(ground, due.state or ExitState.MET, due.reason)
            case DueKind.WAIT:
                return False

    async def _stands_still(self, account: Account) -> bool:
        now = await self._stores.accounts.get(account.account_id)
        return now is not None and now.seq == account.seq

    async def _close(self, exit_: Exit) -> bool:
        attempt = await self._stores.copies.get(exit_.open_attempt)
        over = attempt is not None and (attempt.state in TERMINAL or attempt.state is CopyState.EXECUTED)
        return over and await self._stores.exits.close_attempt(exit_.exit_id, exit_.open_attempt)

    async def _due(self, ground: Ground) -> Due:
        if ground.is_kept:
            return exits.kept(ground.attempts, ground.entries)
        if await self._standing.has_lost_one(ground):
            return Due(DueKind.WAIT, "step_gone")
        market = await self._market(ground.exit.token_id)
        return exits.due(ground.exit, ground.entries, ground.attempts, ground.stock, market, self._lookout.now())

    async def _market(self, token_id: str) -> Market | None:
        # A market that cannot be read is one that is not known: its exits wait.
        try:
            return await self._markets.by_token(token_id)
        except VenueUnavailable:
            return None

    async def _book(self, token_id: str) -> Book | None:
        try:
            return await self._markets.book(token_id)
        except VenueUnavailable:
            return None

    async def sale(self, account: Account, attempt: Copy) -> Sale | str:
        """What an attempt is to sell, derived anew; or why it sells nothing now. `wait` means later."""
        exit_ = await self._stores.exits.get(attempt.exit_id)
        if exit_ is None:
            return "no_exit"
        ground = (await read_ground(self._stores, self._chain, account, exit_)).without(attempt.copy_id)
        due = await self._due(ground)
        match due.kind:
            case DueKind.SELL:
                parked = (debt.copy_id for debt in ground.debts if debt.state is CopyState.DETECTED)
                settled, others = ground.stock.settled_micros, ground.stock.others_micros
                trade = await self._against(account, ground, due.shares_micros) or attempt.trade
                return Sale(due.shares_micros, tuple(parked), settled, others, trade)
            case DueKind.END:
                return due.reason
            case DueKind.WAIT:
                return "wait"

    async def _against(self, account: Account, ground: Ground, shares_micros: int) -> LeaderTrade | None:
        """What a sale is held against; None where neither the leader nor the market names a price, or the chain's head is not known."""
        if sale := attempts.leaders_sale(ground):
            return sale
        market, book = await self._market(ground.exit.token_id), await self._book(ground.exit.token_id)
        price, head = reference_micros(book, market, account.limits), (await self._lookout.around()).head
        if market is None or price is None or head is None:
            return None
        now = self._lookout.now()
        return attempts.market_sale(ground, market, shares_micros, price, head.finalized, now)

    async def _open(self, account: Account, ground: Ground, shares_micros: int) -> bool:
        trade = await self._against(account, ground, shares_micros)
        if trade is None:
            return False
        market = await self._market(ground.exit.token_id)
        attempt = attempts.attempt(ground, trade, market, shares_micros, self._lookout.now())
        return await self._stores.exits.open_attempt(ground.exit.exit_id, ground.exit.version, attempt)

    async def _end(self, ground: Ground, state: ExitState, reason: str) -> bool:
        # Debts first: an exit that is over is not looked at again. One whose step came after this look is not judged by it, nor is one
        # whose step is removed and may come back.
        known = {step.key for step in ground.exit.standing}
        for debt in ground.debts:
            if step_key(debt) in known:
                await self._close_debt(debt, ground, reason)
        done = await self._ended(ground, state)
        if done:
            log.info("exit_over", exit=ground.exit.exit_id, state=str(state), reason=reason)
        return done

    async def _ended(self, ground: Ground, state: ExitState) -> bool:
        exit_, now = ground.exit, self._lookout.now()
        if state is not ExitState.KEPT or not ground.entries:
            return await self._stores.exits.end(exit_.exit_id, exit_.version, state, now)
        kept = Kept(last_place(ground.entries).after, exits.sold_micros(ground.attempts))
        ids = exit_.exit_id, exit_.account_id, exit_.follow_id, exit_.token_id
        return await self._stores.exits.keep(*ids, exit_.version, kept, now)

    async def _close_debt(self, debt: Copy, ground: Ground, reason: str) -> None:
        if end := ending(debt, ground.attempts, reason, _refused_by(reason, ground)):
            await self._stores.copies.close_member(debt.copy_id, *end, self._lookout.now())


def _refused_by(reason: str, ground: Ground) -> str:
    """What a debt that no attempt took with it is skipped for. Where all that is owed was sold, he had nothing left for it to sell,
    or what it asks for is less than can be sold."""
    held = exits.holding_micros(ground.entries, ground.attempts, ground.exit.kept) >= LOT_MICROS
    return REFUSED_BY.get(reason, "sizing" if held else NOTHING_HELD)
